"""Packs text into chunks of a bounded size, in tokens or characters, with overlap.

Whole elements are put together as long as they fit. What does not fit is cut at the best place that makes it fit: between
paragraphs, lines (rows of a table), sentences, words, at last between characters. A table that fits is never cut, and a heading
goes with what follows it. The overlap is the longest run of whole sentences, or else words, that is no longer than asked for
and leaves room for what is new in the chunk.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ingest_server.handlers.chunking.boundaries import LEVELS, begins_character, cuts, sentence_cuts
from ingest_server.handlers.chunking.source_text import Piece

CLUSTER_CHARACTERS_MAX = 64
"""Longer runs of combining marks are cut all the same: no script needs 30 (Unicode Standard Annex 15, stream-safe text)."""
TOKEN_CHARACTERS = 8
"""Characters looked back for each token of overlap: a word and the space behind it."""

Span = tuple[int, int]
"""(offset of the first character, offset after the last)"""


@dataclass(frozen=True, slots=True)
class Atom:
    """A part of the text that is not cut.

    Attributes:
        start: offset of its first character.
        end: offset after its last.
        size: in units.
        is_heading: whether it is one.
    """

    start: int
    end: int
    size: int
    is_heading: bool


class Packer:
    """Packs pieces of one text.

    Args:
        text: the whole text.
        count: tokens of a string; None to measure in characters.
        size_max: of a chunk. Only what cannot be cut, one character with its marks, may be larger.
        overlap_max: of what a chunk repeats from the one before; at most half of `size_max`.
    """

    def __init__(self, text: str, count: Callable[[str], int] | None, size_max: int, overlap_max: int) -> None:
        self._text = text
        self._count = count
        self._size_max = size_max
        self._overlap_max = overlap_max

    def spans(self, pieces: Iterable[Piece]) -> Iterator[Span]:
        """Chunks of pieces that follow one another, in order. The first begins and the last ends with them; white space at the
        edges is left out, nothing else."""
        waiting: list[Atom] = []
        lead, total = -1, 0
        for piece in pieces:
            for atom in self._atoms(piece):
                if waiting and self._grown(total, lead, waiting, atom) > self._size_max:
                    span, waiting = self._close(lead, waiting, atom)
                    yield span
                    lead = self._overlap(span, waiting)
                    total = self._size(lead, waiting)
                    if total > self._size_max:
                        lead, total = -1, self._size(-1, waiting)
                else:
                    waiting.append(atom)
                    total += atom.size
        while waiting:
            span, waiting = self._close(lead, waiting, None)
            yield span
            lead = self._overlap(span, waiting) if waiting else -1

    def _close(self, lead: int, waiting: list[Atom], following: Atom | None) -> tuple[Span, list[Atom]]:
        """The chunk of what waits, and what waits then: headings at its end, what fits no longer, and the atom that follows."""
        kept, rest = list(waiting), [] if following is None else [following]
        while following is not None and len(kept) > 1 and kept[-1].is_heading and not kept[0].is_heading:
            if self._size(-1, [kept[-1], *rest]) > self._size_max:
                break
            rest.insert(0, kept.pop())
        start = lead if lead >= 0 else kept[0].start
        # The tokens of parts need not add up in every tokenizer: what counts is the text.
        while len(kept) > 1 and self._measure(start, kept[-1].end) > self._size_max:
            rest.insert(0, kept.pop())
        return (start, kept[-1].end), rest

    def _grown(self, total: int, lead: int, waiting: list[Atom], atom: Atom) -> int:
        """Size of what waits, `total` tokens, and one more: a sum, so that a chunk of many parts costs no more than they do."""
        if self._count is None:
            return atom.end - (lead if lead >= 0 else waiting[0].start)
        return total + atom.size

    def _size(self, lead: int, atoms: list[Atom]) -> int:
        start = lead if lead >= 0 else atoms[0].start
        if self._count is None:
            return atoms[-1].end - start
        before = self._measure(lead, atoms[0].start) if lead >= 0 else 0
        return before + sum(atom.size for atom in atoms)

    def _measure(self, start: int, end: int) -> int:
        return end - start if self._count is None else self._count(self._text[start:end])

    def _overlap(self, span: Span, following: list[Atom]) -> int:
        """Where the chunk after `span` begins, so that it repeats its end; -1 if it repeats nothing."""
        start, end = span
        room = self._size_max - (following[-1].end - end if self._count is None else sum(atom.size for atom in following))
        allowed = min(self._overlap_max, room)
        if allowed <= 0:
            return -1
        look_back = allowed if self._count is None else allowed * TOKEN_CHARACTERS
        begin = max(start, end - look_back - 1)
        tail = self._text[begin:end]
        chosen = self._earliest(begin, sentence_cuts(tail), end, allowed)
        if chosen >= 0 and self._measure(chosen, end) * 2 >= allowed:
            return chosen
        words = self._earliest(begin, cuts(tail, 3), end, allowed)
        if words >= 0:
            return words
        # No place between words: text without spaces, of which a character is at most about one unit.
        for offset in range(max(start + 1, end - allowed), end):
            if begins_character(self._text, offset) and self._measure(offset, end) <= allowed:
                return offset
        return -1

    def _earliest(self, begin: int, offsets: list[int], end: int, allowed: int) -> int:
        """The first of the offsets from which the text up to `end` is within `allowed`; -1 if there is none."""
        index = bisect_left(offsets, True, key=lambda offset: self._measure(begin + offset, end) <= allowed)
        return begin + offsets[index] if index < len(offsets) else -1

    def _atoms(self, piece: Piece) -> Iterator[Atom]:
        size = self._measure(piece.start, piece.end)
        # Prose is cut so far that the overlap has room beside it; tables and headings are cut only if they must be.
        whole = piece.is_table or piece.is_heading
        size_max = self._size_max if whole else self._size_max - self._overlap_max
        if size <= size_max:
            yield Atom(piece.start, piece.end, size, piece.is_heading)
        else:
            yield from self._cut(piece.start, piece.end, 0, size_max, piece.is_heading)

    def _cut(self, start: int, end: int, level: int, size_max: int, is_heading: bool) -> Iterator[Atom]:
        """Parts of [start, end) that fit, cut at `level`; parts that are too large still are cut at the next."""
        if level == LEVELS:
            yield from self._hard_cut(start, end, size_max, is_heading)
            return
        offsets = cuts(self._text[start:end], level)
        first = start
        for last in (*(start + offset for offset in offsets), end):
            stop = first + len(self._text[first:last].rstrip())
            size = self._measure(first, stop)
            if size <= size_max:
                if stop > first:
                    yield Atom(first, stop, size, is_heading)
            else:
                yield from self._cut(first, stop, level + 1, size_max, is_heading)
            first = last

    def _hard_cut(self, start: int, end: int, size_max: int, is_heading: bool) -> Iterator[Atom]:
        """Parts of text that has no better place, of at most a quarter of the size, so that chunks are filled."""
        step = max(1, size_max // 4)
        while start < end:
            stop = min(start + step, end)
            limit = min(stop + CLUSTER_CHARACTERS_MAX, end)
            while stop < limit and not begins_character(self._text, stop):
                stop += 1
            size = self._measure(start, stop)
            if size > size_max and step > 1:
                step //= 2
                continue
            yield Atom(start, stop, size, is_heading)
            start = stop
