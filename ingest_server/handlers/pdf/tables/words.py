"""The words of a page with their boxes, and the pieces of lines that wide gaps part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple

from ingest_server.handlers.pdf.page_text import LineRow, PageText

GAP_SIZES = 0.8
"""A gap at least so many font sizes wide parts a line. Spaces are 0.2 … 0.6 wide, also in justified text; LaTeX leaves 1.2
between the columns of a table."""
BESIDE_SIZES = 0.7
"""Words of one line have their middles at most so many font sizes apart; raised and lowered ones 0.4."""
JUSTIFIED_SIZES_MAX = 1.6
"""Spaces of justified text are hardly wider, in font sizes, even in narrow columns."""
EQUAL_SIZES = 0.08
"""By how many font sizes they may differ within a line."""
WORDS_MAX = 200
"""Of a line. One with more is not taken apart."""

_WORD = re.compile(r"\S+")


class Word(NamedTuple):
    """A word, in points, on the page as it is shown."""

    left: float
    top: float
    right: float
    bottom: float
    size: float
    """Font size in points."""
    text: str
    line: int
    """Which of the lines it stands in."""
    first: int
    """pdfium's index of its first character."""
    last: int
    """And of its last."""
    divided: bool
    """It goes on in the next line, where a hyphen divides it."""

    @property
    def middle(self) -> float:
        """Half its height."""
        return (self.top + self.bottom) / 2


class Piece(NamedTuple):
    """Words of one line without a wide gap between them."""

    left: float
    top: float
    right: float
    bottom: float
    size: float
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        """Its words, with spaces."""
        return " ".join(word.text for word in self.words)

    @property
    def middle(self) -> float:
        """Half its height."""
        return (self.top + self.bottom) / 2


def words_of(page: PageText, index: int, line: LineRow) -> list[Word]:
    """The words of a line, in the order of the text: two boxes each are asked for.

    Args:
        page: still open.
        index: of the line.
        line: its values.

    Returns:
        One word of all the text where its characters cannot be told apart.
    """
    left, top, right, bottom, size, text, divided, first, last = line
    # As many characters as pdfium has: what was cleaned, if anything, was put in place of another.
    whole = len(text) == last - first + 1
    raw = text if whole else page.raw(first, last)
    spans = [match.span() for match in _WORD.finditer(raw)]
    if len(raw) != last - first + 1 or not 0 < len(spans) <= WORDS_MAX:
        return [Word(left, top, right, bottom, size, text, index, first, last, divided)]
    boxes = page.boxes([first + place for begin, end in spans for place in (begin, end - 1)])
    found = []
    for (begin, end), one, other in zip(spans, boxes[::2], boxes[1::2], strict=True):
        # Text may run from right to left.
        if one[0] > other[2]:
            one, other = other, one
        if one[0] < left - size or other[2] > right + size:
            # A character without a box has its zeros anywhere.
            return [Word(left, top, right, bottom, size, text, index, first, last, divided)]
        clean = raw[begin:end] if whole else page.clean(first + begin, first + end - 1)
        if clean:
            high, low = one[1] if one[1] < other[1] else other[1], one[3] if one[3] > other[3] else other[3]
            found.append(Word(one[0], high, other[2], low, size, clean, index, first + begin, first + end - 1, False))
    if divided and found:
        found[-1] = found[-1]._replace(divided=True)
    return found


def pieces_of(words: Iterable[Word], least_sizes: float = GAP_SIZES) -> list[Piece]:
    """The pieces of one line, from left to right; pdfium has lines that stand one below the other as one at times.

    Args:
        words: of the line, in the order of the text.
        least_sizes: width of a gap that parts, in font sizes.
    """
    lines: list[list[Word]] = []
    for word in words:
        if lines and abs(word.middle - lines[-1][-1].middle) < BESIDE_SIZES * word.size:
            lines[-1].append(word)
        else:
            lines.append([word])
    groups: list[list[Word]] = []
    for line in lines:
        reached = -inf
        line.sort()
        room = [behind.left - word.right for word, behind in pairwise(line)]
        if is_justified(room, line[0].size, "".join([word.text for word in line])):
            groups.append(line)
            continue
        for word in line:
            if word.left - reached < least_sizes * word.size:
                groups[-1].append(word)
                reached = max(reached, word.right)
            else:
                groups.append([word])
                reached = word.right
    return [piece(group) for group in groups]


def is_justified(room: Sequence[float], size: float, text: str) -> bool:
    """Whether a line is text that was spaced out to fill its column: all its spaces are as wide, and most of it is letters.

    Args:
        room: the widths of its spaces.
        size: its font size.
        text: its characters.
    """
    if len(room) < 2 or max(room) > JUSTIFIED_SIZES_MAX * size or max(room) - min(room) > EQUAL_SIZES * size:
        return False
    return 10 * sum(map(str.isalpha, text)) > 8 * len(text)


def piece(words: Sequence[Word]) -> Piece:
    """One piece of some words, from left to right; at least one."""
    if len(words) == 1:
        return Piece(*words[0][:5], tuple(words))
    lefts, tops, rights, bottoms, sizes, *_ = zip(*words, strict=True)
    return Piece(min(lefts), min(tops), max(rights), max(bottoms), max(sizes), tuple(words))
