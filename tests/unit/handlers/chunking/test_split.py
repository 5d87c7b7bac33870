"""The task: documents and plain text in, chunks with their sources out, and what it refuses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from ingest.v1 import document_pb2
from ingest_server.domain.split_rules import SplitRequest, SplitUnit
from ingest_server.handlers.interface import Cancelled, HandlerFailure
from ingest_server.handlers.results import DOCUMENT_MEDIA_TYPE
from ingest_server.handlers.split import split
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput, document_of

Split = Callable[..., document_pb2.Document]


def run(data: bytes | document_pb2.Document, media_type: str = "", name: str = "", **options: Any) -> document_pb2.Document:
    """Split bytes or a document."""
    if isinstance(data, document_pb2.Document):
        data, media_type = data.SerializeToString(), DOCUMENT_MEDIA_TYPE
    return document_of(split(FakeContext(FakeInput(data, media_type, name)), SplitRequest(**options)))


def sample() -> document_pb2.Document:
    """Three pages: headings, prose, a table, a picture."""
    document = document_pb2.Document(title="Sample", page_count=3)
    lines: list[tuple[int, int, str]] = [
        (1, 1, "Report"),
        (1, 2, "Weather"),
        (1, 0, "It rained. It rained again. Then it stopped."),
        (2, 0, "The sun came out."),
        (2, 2, "Money"),
        (3, 0, "There was none."),
    ]
    for number, (page, level, text) in enumerate(lines, 1):
        element = document.elements.add(id=f"e{number}", page=page, heading_level=level)
        element.text.text = text
        element.text.role = document_pb2.TEXT_ROLE_HEADING if level else document_pb2.TEXT_ROLE_PARAGRAPH
    table = document.elements.add(id="e7", page=3).table
    for row, (left, right) in enumerate([("Month", "Sum"), ("May\nJune", "0")]):
        table.cells.add(row=row, column=0, text=left)
        table.cells.add(row=row, column=1, text=right)
    document.elements.add(id="e8", page=3).image.alt_text = "An empty purse"
    return document


def test_by_headings_each_section_tells_its_place() -> None:
    chunks = run(sample(), unit=SplitUnit.HEADINGS).chunks
    assert [(list(chunk.element_ids), list(chunk.pages), list(chunk.headings)) for chunk in chunks] == [
        (["e1", "e2", "e3", "e4"], [1, 2], []),
        (["e5", "e6", "e7", "e8"], [2, 3], ["Report"]),
    ]
    assert chunks[1].text == "Money\n\nThere was none.\n\nMonth\tSum\nMay June\t0\n\nAn empty purse"


def test_by_pages() -> None:
    chunks = run(sample(), unit=SplitUnit.PAGES).chunks
    assert [(list(chunk.pages), list(chunk.element_ids)) for chunk in chunks] == [
        ([1], ["e1", "e2", "e3"]),
        ([2], ["e4", "e5"]),
        ([3], ["e6", "e7", "e8"]),
    ]
    assert list(chunks[1].headings) == ["Report", "Weather"]
    overlapping = run(sample(), unit=SplitUnit.PAGES, chunk_size=2, chunk_overlap=1).chunks
    assert [list(chunk.pages) for chunk in overlapping] == [[1, 2], [2, 3]]


def test_by_sentences_a_table_is_one() -> None:
    chunks = run(sample(), unit=SplitUnit.SENTENCES, chunk_size=3, chunk_overlap=1).chunks
    assert [chunk.text.replace("\n\n", " | ") for chunk in chunks] == [
        "Report | Weather | It rained.",
        "It rained. It rained again. Then it stopped.",
        "Then it stopped. | The sun came out. | Money",
        "Money | There was none. | Month\tSum\nMay June\t0",
        "Month\tSum\nMay June\t0 | An empty purse",
    ]


def test_by_tokens_a_heading_goes_with_what_follows() -> None:
    chunks = run(sample(), chunk_size=20).chunks
    assert [list(chunk.element_ids) for chunk in chunks] == [["e1", "e2", "e3", "e4"], ["e5", "e6", "e7", "e8"]]
    assert all(chunk.token_count <= 20 for chunk in chunks)


def test_a_heading_level_begins_chunks() -> None:
    whole = run(sample(), unit=SplitUnit.CHARACTERS).chunks
    apart = run(sample(), unit=SplitUnit.CHARACTERS, heading_level=2).chunks
    assert (len(whole), len(apart)) == (1, 2)
    assert apart[1].text.startswith("Money")
    assert len(run(sample(), unit=SplitUnit.CHARACTERS, heading_level=1).chunks) == 1


def test_chunks_with_too_many_tokens_are_cut_further() -> None:
    document = run(sample(), unit=SplitUnit.HEADINGS, tokens_max=16)
    assert max(chunk.token_count for chunk in document.chunks) <= 16
    assert [list(chunk.headings) for chunk in document.chunks] == [[], ["Report", "Weather"], ["Report"]]


def test_a_table_too_large_is_cut_between_rows() -> None:
    document = document_pb2.Document()
    table = document.elements.add(id="e1").table
    for row in range(30):
        table.cells.add(row=row, column=0, text=f"row {row:02}")
        table.cells.add(row=row, column=1, text="x x x")
    chunks = run(document, chunk_size=32).chunks
    lines = [line for chunk in chunks for line in chunk.text.split("\n")]
    assert len(chunks) > 3
    assert lines == [f"row {row:02}\tx x x" for row in range(30)]


def test_plain_text_is_one_element() -> None:
    data = "Erster Satz.\r\n\r\nZweiter Satz über Äpfel.".encode("cp1252")
    document = run(data, "text/plain; charset=cp1252", unit=SplitUnit.SENTENCES, chunk_size=1)
    assert [(element.id, element.text.text) for element in document.elements] == [
        ("e1", "Erster Satz.\n\nZweiter Satz über Äpfel.")
    ]
    assert [(chunk.text, list(chunk.element_ids), list(chunk.pages)) for chunk in document.chunks] == [
        ("Erster Satz.", ["e1"], []),
        ("Zweiter Satz über Äpfel.", ["e1"], []),
    ]
    assert (document.sha256, document.media_type) == (hashlib.sha256(data).hexdigest(), "text/plain")
    assert document.tokenizer == "estimate-1"


@pytest.mark.parametrize("data", [b"", b"  \n\n "])
def test_nothing_has_no_chunks(data: bytes) -> None:
    assert not run(data, "text/plain").chunks
    assert not run(document_pb2.Document()).chunks


def test_chunks_there_were_are_replaced_and_the_rest_is_kept() -> None:
    once = run(sample(), chunk_size=16)
    twice = run(once)
    assert len(once.chunks) > len(twice.chunks) == 1
    assert twice.chunks[0].id == "c1"
    assert list(twice.elements) == list(sample().elements)
    assert (twice.title, twice.page_count) == ("Sample", 3)


@pytest.mark.parametrize(
    ("data", "media_type", "reason"),
    [
        (b"%PDF-1.7 ...", "", "MEDIA_TYPE_NOT_SUPPORTED"),
        (b"<html><p>x</p></html>", "text/html", "MEDIA_TYPE_NOT_SUPPORTED"),
        (b"\x00\x01\x02" * 50, "", "MEDIA_TYPE_NOT_SUPPORTED"),
        (b"\xff\xff\xff", DOCUMENT_MEDIA_TYPE, "DOCUMENT_MALFORMED"),
    ],
)
def test_what_is_no_text_is_refused(data: bytes, media_type: str, reason: str) -> None:
    with pytest.raises(HandlerFailure) as caught:
        run(data, media_type)
    assert (caught.value.reason, caught.value.retryable) == (reason, False)
    assert "extract before split" in caught.value.message or reason == "DOCUMENT_MALFORMED"


def test_options_of_a_custom_task_are_checked_too() -> None:
    with pytest.raises(HandlerFailure, match="chunk_overlap must be 0 … 50") as caught:
        run(b"x", "text/plain", chunk_size=100, chunk_overlap=51)
    assert caught.value.reason == "INVALID_OPTIONS"


def test_it_gives_way_to_a_cancel() -> None:
    context = FakeContext(FakeInput(("word. " * 5_000).encode(), "text/plain"), cancel_after=5)
    with pytest.raises(Cancelled):
        split(context, SplitRequest(chunk_size=16))


def test_documents_inside_are_cut_each_by_itself() -> None:
    inner = document_pb2.Document(name="inner.txt", dropped_chunks=[document_pb2.DroppedChunk()])
    for document in (inner, outer := document_pb2.Document()):
        document.chunks.add(id="c9", text="from before")
        element = document.elements.add(id="e1")
        element.text.text = f"One of {document.name or 'the outer'}. Two."
    outer.documents.add(name="archive.zip").documents.append(inner)
    cut = run(outer, unit=SplitUnit.SENTENCES, chunk_size=1)
    assert [(chunk.id, chunk.text) for chunk in cut.chunks] == [("c1", "One of the outer."), ("c2", "Two.")]
    deepest = cut.documents[0].documents[0]
    assert [(chunk.id, chunk.text) for chunk in deepest.chunks] == [("c1", "One of inner.txt."), ("c2", "Two.")]
    assert not deepest.dropped_chunks
    assert deepest.tokenizer == cut.tokenizer
