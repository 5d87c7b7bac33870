"""Damaged PDFs: each ends in a document or in a failure that says so, never in a crash or another exception."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ingest_server.domain.errors import Code
from ingest_server.handlers.interface import HandlerFailure
from tests.unit.handlers.documents.conftest import Read

MUTANTS_PER_FILE = 60
FILES = ["report.pdf", "columns_by_row.pdf", "rotated.pdf", "encrypted.pdf", "drawing.pdf"]


def ends_well(read: Read, data: bytes) -> str:
    """Read it; the reason of its failure, or "" for a document."""
    try:
        document = read(data, "application/pdf")
    except HandlerFailure as caught:
        failure = caught
    else:
        assert document.page_count > 0
        return ""
    assert failure.reason in ("DOCUMENT_MALFORMED", "DOCUMENT_ENCRYPTED", "MEDIA_TYPE_NOT_SUPPORTED")
    assert not failure.retryable
    assert len(failure.message) > 20
    return failure.reason


@pytest.mark.parametrize("name", FILES)
def test_bytes_changed_at_random(samples: Path, read: Read, name: str) -> None:
    original = (samples / name).read_bytes()
    outcomes = set()
    for seed in range(MUTANTS_PER_FILE):
        generator = random.Random(f"{name} {seed}")
        data = bytearray(original)
        for _ in range(generator.choice((1, 3, 10, 100))):
            data[generator.randrange(len(data))] = generator.randrange(256)
        outcomes.add(ends_well(read, bytes(data)))
    assert outcomes


@pytest.mark.parametrize("name", FILES)
def test_cut_off_anywhere(samples: Path, read: Read, name: str) -> None:
    original = (samples / name).read_bytes()
    for size in range(1, len(original), max(len(original) // MUTANTS_PER_FILE, 1)):
        ends_well(read, original[:size])


def test_no_pdf_at_all_is_malformed(read: Read) -> None:
    for data in (b"%PDF-1.7\n", b"no pdf", b"%PDF-1.4\n%%EOF\n"):
        with pytest.raises(HandlerFailure) as caught:
            read(data, "application/pdf")
        failure = caught.value
        assert (failure.reason, failure.code, failure.retryable) == ("DOCUMENT_MALFORMED", Code.INVALID_ARGUMENT, False)


def test_a_damaged_page_costs_only_itself(samples: Path, read: Read) -> None:
    whole = (samples / "report.pdf").read_bytes()
    # The third page's dictionary loses its type and keys; the others stay.
    pages = [at for at in range(len(whole)) if whole.startswith(b"/Type /Page\n", at) or whole.startswith(b"/Type /Page ", at)]
    assert len(pages) == 5
    begin = whole.rindex(b"<<", 0, pages[2])
    begin = whole.rindex(b"obj", 0, begin)
    end = whole.index(b"endobj", begin)
    data = whole[:begin] + b"obj\nnull" + b" " * (end - begin - 8) + whole[end:]
    assert len(data) == len(whole)
    document = read(data)
    assert [(issue.page, issue.reason) for issue in document.issues] == [(3, "PAGE_UNREADABLE")]
    assert {element.page for element in document.elements} == {1, 2, 4, 5}
