"""From a document and a request to chunks: groups the text by what is asked for, packs it, tells where each chunk came from."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from ingest.v1 import document_pb2
from ingest_server.domain.split_rules import HEADING_LEVEL_MAX, SplitRequest, SplitUnit
from ingest_server.handlers.chunking.boundaries import sentence_cuts
from ingest_server.handlers.chunking.packer import Packer, Span
from ingest_server.handlers.chunking.source_text import Piece, SourceText


def add_chunks(
    source: SourceText,
    request: SplitRequest,
    count_tokens: Callable[[str], int],
    target: document_pb2.Document,
    check: Callable[[], None],
) -> None:
    """Add the chunks of a text to a document, in order, with ids c1, c2, ….

    Args:
        source: the text.
        request: has no faults.
        count_tokens: of a string.
        target: the chunks are added to it.
        check: called for each chunk; may raise.
    """
    trail = HeadingTrail(source)
    text = source.text
    for start, end in chunk_spans(source, request, count_tokens):
        check()
        chunk = target.chunks.add()
        chunk.id = f"c{len(target.chunks)}"
        chunk.text = text[start:end]
        touched = source.touched(start, end)
        chunk.element_ids.extend([piece.element_id for piece in touched])
        chunk.pages.extend(sorted({piece.page for piece in touched if piece.page}))
        chunk.token_count = count_tokens(chunk.text)
        chunk.headings.extend(trail.at(start))


class HeadingTrail:
    """The headings above a place in the text. Asked for places in ascending order."""

    def __init__(self, source: SourceText) -> None:
        """Take the headings of `source`."""
        self._text = source.text
        self._waiting = deque(piece for piece in source.pieces if piece.is_heading)
        self._open: list[Piece] = []

    def at(self, offset: int) -> list[str]:
        """Headings that the text at `offset` stands under, outermost first. A heading that begins there is not among them."""
        while self._waiting and self._waiting[0].start < offset:
            heading = self._waiting.popleft()
            while self._open and self._open[-1].heading_level >= heading.heading_level:
                self._open.pop()
            self._open.append(heading)
        begins = self._waiting[0] if self._waiting and self._waiting[0].start == offset else None
        return [
            self._text[piece.start : piece.end]
            for piece in self._open
            if begins is None or piece.heading_level < begins.heading_level
        ]


def chunk_spans(source: SourceText, request: SplitRequest, count_tokens: Callable[[str], int]) -> Iterator[Span]:
    """Where the chunks stand in the text, in order; those of more than `tokens_max` tokens cut further, without overlap."""
    packer = Packer(source.text, count_tokens, request.tokens_max, 0)
    reached = 0
    for start, end in _spans(source, request, count_tokens):
        if request.tokens_max and count_tokens(source.text[start:end]) > request.tokens_max:
            inside = source.touched(start, end)
            parts = packer.spans(replace(piece, start=max(piece.start, start), end=min(piece.end, end)) for piece in inside)
            # Of windows that overlap, what both hold was given with the first.
            yield from (part for part in parts if part[1] > reached)
        else:
            yield start, end
        reached = end


def _spans(source: SourceText, request: SplitRequest, count_tokens: Callable[[str], int]) -> Iterator[Span]:
    unit, size, overlap = request.resolved_unit, request.resolved_size, request.chunk_overlap
    if unit is SplitUnit.PAGES:
        yield from _windows(_pages(source.pieces), size, overlap)
    elif unit is SplitUnit.HEADINGS:
        sections = _sections(source.pieces, request.heading_level or HEADING_LEVEL_MAX)
        yield from _windows(((section[0].start, section[-1].end) for section in sections), size, overlap)
    else:
        packer = Packer(source.text, count_tokens if unit is SplitUnit.TOKENS else None, size, overlap)
        for section in _sections(source.pieces, request.heading_level):
            if unit is SplitUnit.SENTENCES:
                yield from _windows(_sentences(source.text, section), size, overlap)
            else:
                yield from packer.spans(section)


def _windows(parts: Iterable[Span], size: int, overlap: int) -> Iterator[Span]:
    """`size` parts at a time, each window beginning with the last `overlap` parts of the one before."""
    window: list[Span] = []
    fresh = False
    for part in parts:
        if len(window) == size:
            yield window[0][0], window[-1][1]
            window = window[size - overlap :]
        window.append(part)
        fresh = True
    if fresh:
        yield window[0][0], window[-1][1]


def _pages(pieces: list[Piece]) -> Iterator[Span]:
    """One span for each page that has text. Elements without a page belong to the page before."""
    start = end = page = -1
    for piece in pieces:
        if start >= 0 and piece.page and piece.page != page:
            yield start, end
            start = -1
        start = piece.start if start < 0 else start
        end, page = piece.end, piece.page or page
    if start >= 0:
        yield start, end


def _sections(pieces: list[Piece], heading_level: int) -> Iterator[list[Piece]]:
    """Pieces from one heading of at most this level to the next; of level 0: all together. A heading that directly follows
    another one begins nothing, so no section is a bare heading but the last."""
    section: list[Piece] = []
    for piece in pieces:
        begins = piece.is_heading and min(piece.heading_level, HEADING_LEVEL_MAX) <= heading_level
        if begins and section and not section[-1].is_heading:
            yield section
            section = []
        section.append(piece)
    if section:
        yield section


def _sentences(text: str, pieces: Iterable[Piece]) -> Iterator[Span]:
    """Sentences of the pieces; a table is one."""
    for piece in pieces:
        offsets = [] if piece.is_table else sentence_cuts(text[piece.start : piece.end])
        first = piece.start
        for last in (*(piece.start + offset for offset in offsets), piece.end):
            stop = first + len(text[first:last].rstrip())
            if stop > first:
                yield first, stop
            first = last
