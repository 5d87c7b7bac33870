"""The task as a whole: refusals, options, progress, cancel, digests, and what it does not load."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ingest_server.domain.errors import Code
from ingest_server.domain.extract_rules import OcrMode
from ingest_server.handlers.extract import extract
from ingest_server.handlers.extract_options import ExtractOptions
from ingest_server.handlers.interface import Cancelled, HandlerFailure
from ingest_server.handlers.reader import supported_media_types
from ingest_server.handlers.source import Source
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput, Read, document_of


def test_an_empty_document_is_refused(read: Read) -> None:
    with pytest.raises(HandlerFailure, match="empty") as caught:
        read(b"", "application/pdf")
    assert (caught.value.reason, caught.value.code, caught.value.retryable) == (
        "DOCUMENT_MALFORMED",
        Code.INVALID_ARGUMENT,
        False,
    )


@pytest.mark.parametrize(
    ("data", "media_type"), [(b"GIF89a\x00\x00", "image/gif"), (b"\x00\x01\x02" * 50, ""), (b"a,b", "text/x-unknown")]
)
def test_an_unknown_type_is_refused_with_what_is_supported(read: Read, data: bytes, media_type: str) -> None:
    with pytest.raises(HandlerFailure) as caught:
        read(data, media_type)
    failure = caught.value
    assert (failure.reason, failure.code, failure.retryable) == ("MEDIA_TYPE_NOT_SUPPORTED", Code.UNIMPLEMENTED, False)
    assert failure.metadata["media_type"] == media_type
    assert media_type in failure.message
    for supported in supported_media_types():
        assert supported in failure.message


@pytest.mark.parametrize(
    "options", [{"first_page": -1}, {"last_page": -3}, {"first_page": 4, "last_page": 3}, {"last_page": 2**31}]
)
def test_page_ranges_that_no_document_has_are_refused(samples: Path, read: Read, options: dict[str, int]) -> None:
    with pytest.raises(HandlerFailure) as caught:
        read(samples / "report.pdf", **options)
    assert (caught.value.reason, caught.value.code) == ("INVALID_OPTIONS", Code.INVALID_ARGUMENT)
    assert str(next(iter(options.values()))) in caught.value.message


def test_digest_type_and_what_decided_it(samples: Path, manifest: dict[str, Any], read: Read) -> None:
    for name, entry in manifest.items():
        data = (samples / name).read_bytes()
        # Pictures need no program to be told from each other.
        document = read(data, "", name, password=entry.get("password", ""), ocr=OcrMode.OFF)
        assert document.sha256 == hashlib.sha256(data).hexdigest()
        assert document.media_type == entry["media_type"]
        assert document.media_type_source in ("content", "name")


def test_a_small_input_is_read_once(samples: Path) -> None:
    document = FakeInput((samples / "report.pdf").read_bytes())
    extract(FakeContext(document), ExtractOptions())
    assert document.read_count == 1


def test_a_large_input_is_never_read_whole(samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source.__init__, "__kwdefaults__", {"whole_bytes_max": 100})
    path = samples / "report.pdf"
    document = FakeInput(path)
    result = document_of(extract(FakeContext(document), ExtractOptions()))
    assert document.read_count == 0
    assert result.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert result.elements[0].text.text == "Harbour Report"


def test_progress_is_told_page_by_page(samples: Path) -> None:
    context = FakeContext(FakeInput((samples / "report.pdf").read_bytes()))
    extract(context, ExtractOptions(first_page=2, last_page=4))
    assert context.reports == [(1, 3, "page"), (2, 3, "page"), (3, 3, "page")]


def test_a_cancel_ends_it_between_pages(samples: Path) -> None:
    context = FakeContext(FakeInput((samples / "report.pdf").read_bytes()), cancel_after=3)
    with pytest.raises(Cancelled):
        extract(context, ExtractOptions())
    assert len(context.reports) == 2


PROBE = """
import os, sys
from ingest_server.handlers.extract import extract, preload
from ingest_server.handlers.extract_options import ExtractOptions
preload()
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput, document_of
def count():
    context = FakeContext(FakeInput(open(sys.argv[1], "rb").read()))
    return len(document_of(extract(context, ExtractOptions())).elements)
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        os._exit(0 if count() == 36 and count() == 36 else 1)
    children.append(child)
assert all(os.waitpid(child, 0)[1] == 0 for child in children)
assert count() == 36
assert not [name for name in sys.modules if name == "grpc" or name.startswith("grpc.")], "a worker must not import grpc"
"""


def test_readers_work_after_a_fork_and_need_no_grpc(samples: Path) -> None:
    root = Path(__file__).parents[4]
    run = subprocess.run(
        [sys.executable, "-c", PROBE, str(samples / "report.pdf")],
        cwd=root,
        env={"PYTHONPATH": f"{root}:{root / 'protos'}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
