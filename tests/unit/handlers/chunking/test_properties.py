"""What holds of the chunks of every document: all text in order, sizes, overlap, sources, whole characters."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.v1 import document_pb2
from ingest_server.domain.split_rules import SplitRequest, SplitUnit
from ingest_server.handlers.chunking.boundaries import begins_character
from ingest_server.handlers.chunking.chunker import add_chunks, chunk_spans
from ingest_server.handlers.chunking.packer import CLUSTER_CHARACTERS_MAX, Packer
from ingest_server.handlers.chunking.source_text import SourceText
from ingest_server.handlers.chunking.token_estimate import count_tokens

WORDS = st.sampled_from(
    [
        *[
            "a",
            "The",
            "cat",
            "sat.",
            "Why?",
            "e.g.",
            "Dr.",
            "No!",
            "3.14",
            "…",
            "Ünïcödé",
            ".......",
            "日本語。文です！",
            "中文，",
            "สวัสดีครับ",
            "שלום.",
            "مرحبا؟",
            "नमस्ते।",
            "한글",
        ],
        "y" * 40,
        "👩\u200d👩\u200d👧",
        "🇩🇪🇫🇷",
        "e\u0301t\u0301e\u0301",
        "\u1112\u1161\u11ab",
        "\u00a0",
        "\u2028",
        "https://example.org/a/b?c=d",
    ]
)
TEXTS = st.lists(st.tuples(WORDS, st.sampled_from((" ", " ", " ", "\n", "\n\n", ""))), min_size=1, max_size=40).map(
    lambda pairs: "".join(word + gap for word, gap in pairs)
) | st.text(max_size=120)


@st.composite
def documents(draw: st.DrawFn) -> document_pb2.Document:
    """Documents of a few elements of every kind."""
    document = document_pb2.Document()
    page = draw(st.integers(0, 1))
    for number in range(1, draw(st.integers(0, 7)) + 1):
        if page and draw(st.booleans()):
            page += draw(st.integers(0, 2))
        element = document.elements.add(id=f"e{number}", page=page)
        kind = draw(st.sampled_from(("text", "text", "text", "heading", "table", "image")))
        if kind == "table":
            element.table.rows, element.table.columns = 3, 2
            for place in range(6):
                element.table.cells.add(row=place // 2, column=place % 2, text=draw(WORDS))
        elif kind == "image":
            element.image.alt_text = draw(st.sampled_from(("", "A cat")))
        else:
            element.text.text = draw(TEXTS)
            if kind == "heading":
                element.text.role = document_pb2.TEXT_ROLE_HEADING
                element.heading_level = draw(st.integers(0, 6))
    return document


@st.composite
def requests(draw: st.DrawFn) -> SplitRequest:
    """Requests without faults."""
    unit = draw(st.sampled_from([*SplitUnit]))
    measured = unit in (SplitUnit.UNSPECIFIED, SplitUnit.TOKENS, SplitUnit.CHARACTERS)
    size = draw(st.integers(16, 80) if measured else st.integers(1, 4))
    request = SplitRequest(
        size,
        draw(st.integers(0, size // 2)),
        int(unit),
        0 if unit is SplitUnit.PAGES else draw(st.integers(0, 6)),
        0 if unit in (SplitUnit.UNSPECIFIED, SplitUnit.TOKENS) else draw(st.sampled_from((0, 16, 40))),
    )
    assert not list(request.faults())
    return request


def split(document: document_pb2.Document, request: SplitRequest) -> list[document_pb2.Chunk]:
    """The chunks."""
    target = document_pb2.Document()
    add_chunks(SourceText(document), request, count_tokens, target, lambda: None)
    return list(target.chunks)


@settings(max_examples=150, deadline=None)
@given(documents(), requests())
def test_chunks_tell_the_text_and_where_it_came_from(document: document_pb2.Document, request: SplitRequest) -> None:
    source, chunks = SourceText(document), split(document, request)
    spans = list(chunk_spans(source, request, count_tokens))
    assert [chunk.text for chunk in chunks] == [source.text[start:end] for start, end in spans]
    covered = 0
    for start, end in spans:
        assert not source.text[covered:start].strip(), "text between two chunks is lost"
        assert end > covered, "a chunk brings nothing new"
        covered = end
    assert not source.text[covered:].strip(), "the end is lost"
    pages = {element.id: element.page for element in document.elements}
    for number, (chunk, (start, end)) in enumerate(zip(chunks, spans, strict=True), 1):
        touched = [piece.element_id for piece in source.pieces if piece.start < end and piece.end > start]
        assert list(chunk.element_ids) == touched
        assert chunk.id == f"c{number}"
        assert chunk.text.strip() == chunk.text != ""
        assert list(chunk.pages) == sorted({pages[name] for name in chunk.element_ids} - {0})
        assert chunk.token_count == count_tokens(chunk.text)


@settings(max_examples=150, deadline=None)
@given(documents(), requests())
def test_no_chunk_is_too_large_and_no_character_is_cut(document: document_pb2.Document, request: SplitRequest) -> None:
    source, chunks = SourceText(document), split(document, request)
    tokens_max = request.tokens_max or (request.resolved_size if request.resolved_unit is SplitUnit.TOKENS else 0)
    for chunk in chunks:
        if len(chunk.text) > CLUSTER_CHARACTERS_MAX or chunk.token_count > CLUSTER_CHARACTERS_MAX:
            if request.resolved_unit is SplitUnit.CHARACTERS:
                assert len(chunk.text) <= request.resolved_size
            assert not tokens_max or chunk.token_count <= tokens_max
        else:
            one_character = not any(begins_character(chunk.text, offset) for offset in range(1, len(chunk.text)))
            assert one_character or not tokens_max or chunk.token_count <= tokens_max
    for start, end in chunk_spans(source, request, count_tokens):
        for edge in (start, end):
            if 0 < edge < len(source.text) and begins_long_run(source.text, edge):
                continue
            assert edge in (0, len(source.text)) or begins_character(source.text, edge)


def begins_long_run(text: str, edge: int) -> bool:
    """Whether a run of joined characters around `edge` is as long as the bound at which it may be cut."""
    start = edge
    while start > 0 and not begins_character(text, start):
        start -= 1
    return edge - start >= CLUSTER_CHARACTERS_MAX


@settings(max_examples=100, deadline=None)
@given(documents(), st.sampled_from((SplitUnit.TOKENS, SplitUnit.CHARACTERS)), st.integers(16, 60), st.data())
def test_overlap_is_at_most_what_was_asked_for(
    document: document_pb2.Document, unit: SplitUnit, size: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, size // 2))
    source = SourceText(document)
    packer = Packer(source.text, count_tokens if unit is SplitUnit.TOKENS else None, size, overlap)
    spans = list(packer.spans(source.pieces))
    for (before_start, before_end), (start, end) in pairwise(spans):
        assert before_start < start
        assert before_end < end
        repeated = source.text[start:before_end]
        assert (count_tokens(repeated) if unit is SplitUnit.TOKENS else len(repeated)) <= overlap


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=12, max_size=60), st.integers(40, 80))
def test_prose_overlaps_by_about_what_was_asked_for(lengths: list[int], size: int) -> None:
    document = document_pb2.Document()
    document.elements.add(id="e1").text.text = " ".join("x" * length for length in lengths)
    source = SourceText(document)
    spans = list(Packer(source.text, None, size, 20).spans(source.pieces))
    for (_, before_end), (start, _) in pairwise(spans):
        assert 20 - 10 <= before_end - start <= 20, "whole words, the longest run of them"


@settings(max_examples=100, deadline=None)
@given(documents(), st.integers(16, 80))
def test_a_table_that_fits_is_in_one_chunk(document: document_pb2.Document, size: int) -> None:
    source = SourceText(document)
    texts = [chunk.text for chunk in split(document, SplitRequest(size, size // 2))]
    for piece in source.pieces:
        table = source.text[piece.start : piece.end]
        if piece.is_table and count_tokens(table) <= size:
            assert any(table in text for text in texts)
