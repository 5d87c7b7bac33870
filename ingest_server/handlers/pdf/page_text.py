"""The lines of a page with their boxes and font sizes, in few calls of pdfium.

pdfium gives the text of a page in one call, with "\\r\\n" between lines. Where a line ended in a hyphen that divides a word it
puts U+FFFE (older versions U+0002) in place of both hyphen and line break. A call per character would cost as much as reading the
page; so three a line are made: the boxes of its first and last characters, and the font size of the last.
"""

from __future__ import annotations

import ctypes
import struct
from collections import deque
from collections.abc import Sequence
from itertools import accumulate, repeat
from operator import add
from typing import Any, NamedTuple, TypeAlias

from ingest_server.handlers.elements import Box
from ingest_server.handlers.pdf.accents import joined_accents, may_have_accents
from ingest_server.handlers.pdf.library import (
    Pointer,
    fast_char_index,
    fast_count_chars,
    fast_font_size,
    fast_get_text,
    fast_loose_box,
    fast_page_box,
    fast_rotation,
)

PAGE_CHARACTERS_MAX = 4_000_000
"""More than the densest real page (a plotted map, some 100,000) by far; bounds the memory one page may take."""

_BATCH = 512
"""Boxes read into one array at a time; a page of text has about 100."""

_FLOAT = struct.Struct("f")
_BOX = struct.Struct("4f")
_LINE_END = "\r\n"
_DIVIDED = "\ufffe"
_AFTER_LINE_END = (len(_LINE_END) + 1).__add__
_exhaust = deque[object](maxlen=0).extend
_SOFT_HYPHEN = "\xad"
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_LIGATURE_CHARACTERS = tuple(map(chr, _LIGATURES))
_CLEAN: dict[int, str | None] = {
    **dict.fromkeys((*range(9), 0x0B, *range(0x0E, 0x20), 0x7F, 0xAD, 0xFEFF, 0xFFFE, 0xFFFF), None),
    **_LIGATURES,
    0xA0: " ",
}
"""Control characters and soft hyphens go, ligatures become letters, a no-break space becomes a space."""


Values = Sequence[float]
Corners = tuple[Values, Values, Values, Values]
"""Lefts, tops, rights, bottoms, of equal length."""


Columns: TypeAlias = tuple[Values, Values, Values, Values, Values, Sequence[str], Sequence[bool]]
"""Lefts, tops, rights, bottoms, font sizes, texts, and whether the last word is divided, of lines: see `Line`."""

LineRow: TypeAlias = tuple[float, float, float, float, float, str, bool, int, int]
"""A `Line` as a plain tuple, for what every page goes through: 0.2 µs cheaper to make."""


class Line(NamedTuple):
    """A line of text on a page: in points, origin at the top left of the page as it is shown."""

    left: float
    top: float
    right: float
    bottom: float
    size: float
    """Font size in points."""
    text: str
    """Without the dividing hyphen."""
    divided: bool
    """Its last word is divided and goes on in the next line."""
    first: int
    """pdfium's index of its first character."""
    last: int
    """And of its last."""


class PageText:
    """The text of one page: made from a loaded text page. When that has been closed, only `columns` and `lines`
    may be called.

    Attributes:
        text: as pdfium gave it.
        texts, firsts, lasts: of the lines: their text, pdfium's index of their first and last character.
        truncated: the page has more than `PAGE_CHARACTERS_MAX` characters, the rest was not read.
        width, height: of the page as it is shown, in points.
        may_be_turned: a line may run otherwise than to the right; known when `columns` has been called.
    """

    def __init__(self, page: Pointer, text_page: Pointer, buffers: Buffers) -> None:
        """Read the text. `page` and `text_page` are pdfium's handles; `buffers` is used by one PageText at a time."""
        self.handle = text_page
        self.may_be_turned = False
        self._buffers = buffers
        count = fast_count_chars(text_page)
        self.truncated = count > PAGE_CHARACTERS_MAX
        if not 0 <= count <= PAGE_CHARACTERS_MAX:
            count = min(max(count, 0), PAGE_CHARACTERS_MAX)
        # The terminating zero is counted too.
        written = fast_get_text(text_page, 0, count, buffers.room(count)) - 1 if count else 0
        self.text = text = buffers.text(written) if written > 0 else ""
        plain_index = len(text) == written == count
        fast_page_box(page, buffers.slots[0])
        left, top, right, bottom = buffers.first_box()
        self._edges = (left, top, right, bottom)
        rotation: int = fast_rotation(page)
        self._rotation = rotation
        across, down = right - left, top - bottom
        self.width, self.height = (down, across) if rotation in (1, 3) else (across, down)

        texts, firsts, lasts, self._divided = _split(text)
        if not plain_index:
            firsts, lasts = self._char_indexes(firsts), self._char_indexes(lasts)
        if may_have_accents(text):
            texts = list(map(self._with_accents, texts, firsts, lasts))
        self.texts, self.firsts, self.lasts = texts, firsts, lasts
        self._edge_bytes = self._box_bytes(firsts + lasts)
        self._sizes: list[float] = list(map(fast_font_size, repeat(text_page), lasts))

    def extent(self, index: int) -> tuple[float, float]:
        """Left and right of line `index`, in the page's own space; of a line written from right to left, the other way round."""
        (left,) = _FLOAT.unpack_from(self._edge_bytes, 16 * index)
        (right,) = _FLOAT.unpack_from(self._edge_bytes, 16 * (len(self.texts) + index) + 8)
        return left, right

    def size(self, index: int) -> float:
        """Nominal font size of line `index`."""
        return self._sizes[index]

    def columns(self) -> Columns:
        """The lines' values, column by column, in pdfium's order: that of the page's drawing. Blank lines are left out. Makes no
        call of pdfium, so it may be called when the page has been closed."""
        count = len(self.texts)
        if not count:
            return [], [], [], [], [], [], []
        values = self._buffers.floats_of(self._edge_bytes)
        half = 4 * count
        # A line's box is that of its first and last characters together: joined first, as that leaves half the edges to turn.
        begins = values[:half:4]
        left: Values = [a if a < b else b for a, b in zip(begins, values[half::4], strict=True)]
        # Of nearly every line the first character stands farthest left; a turned page is looked at whatever its lines do.
        self.may_be_turned = self._rotation != 0 or tuple(left) != begins
        right: Values = [a if a > b else b for a, b in zip(values[2:half:4], values[half + 2 :: 4], strict=True)]
        firsts, lasts = values[1:half:4], values[half + 1 :: 4]
        lows, last_lows = values[3:half:4], values[half + 3 :: 4]
        if self._rotation == 0 and not self._edges[0]:
            edge = self._edges[1]
            top: Values = [edge - a if a > b else edge - b for a, b in zip(firsts, lasts, strict=True)]
            bottom: Values = [edge - a if a < b else edge - b for a, b in zip(lows, last_lows, strict=True)]
        else:
            tops = [a if a > b else b for a, b in zip(firsts, lasts, strict=True)]
            bottoms = [a if a < b else b for a, b in zip(lows, last_lows, strict=True)]
            left, top, right, bottom = self.shown(left, tops, right, bottoms)
        sizes = self._sizes
        odd = [
            index
            for index, size, low, high in zip(range(count), sizes, bottom, top, strict=True)
            if not 0.6 * size <= low - high <= 1.25 * size
        ]
        for index in odd:
            place = half + 4 * index
            _, (above,), _, (below,) = self.shown(*([value] for value in values[place : place + 4]))
            if bottom[index] - top[index] > right[index] - left[index]:
                self.may_be_turned = True
            sizes[index] = _line_size(sizes[index], bottom[index] - top[index], below - above, right[index] - left[index])
        return left, top, right, bottom, sizes, self.texts, self._divided

    def end_boxes(self) -> tuple[list[Box], list[Box]]:
        """Boxes of the first and of the last character of each line, on the page as it is shown. Makes no call of pdfium."""
        values = self._buffers.floats_of(self._edge_bytes)
        boxes: list[Box] = list(zip(*self.shown(*(values[edge::4] for edge in range(4))), strict=True))
        return boxes[: len(self.texts)], boxes[len(self.texts) :]

    def lines(self) -> list[LineRow]:
        """The same, line by line."""
        return self.rows(self.columns())

    def rows(self, columns: Columns) -> list[LineRow]:
        """The lines of which `columns` are the values."""
        return list(zip(*columns, self.firsts, self.lasts, strict=True))

    def boxes(self, indexes: list[int]) -> list[Box]:
        """Boxes of characters, by pdfium's index, on the page as it is shown. A character without a box has no extent."""
        values = self._box_values(indexes)
        return list(zip(*self.shown(*(values[edge::4] for edge in range(4))), strict=True))

    def _box_values(self, indexes: list[int]) -> Values:
        """Left, top, right and bottom of characters, one after the other, in the page's own space. Zeros where there is none."""
        return self._buffers.floats_of(self._box_bytes(indexes))

    def _box_bytes(self, indexes: list[int]) -> bytes:
        """The same as 32-bit floats: a tenth of the memory, which matters as pages wait for each other."""
        if len(indexes) <= _BATCH:
            return self._batch_bytes(indexes)
        return b"".join(self._batch_bytes(indexes[start : start + _BATCH]) for start in range(0, len(indexes), _BATCH))

    def _batch_bytes(self, indexes: list[int]) -> bytes:
        """The same for at most `_BATCH` characters."""
        buffers = self._buffers
        size = 16 * len(indexes)
        # pdfium leaves alone the box of a character that has none, and says so; to look at each answer costs more than this.
        ctypes.memset(buffers.address, 0, size)
        _exhaust(map(fast_loose_box, repeat(self.handle), indexes, buffers.slots))
        return buffers.bytes_of(size)

    def _with_accents(self, text: str, first: int, last: int) -> str:
        """A line with its accents joined, given pdfium's index of its first and last character."""
        if len(text) != last - first + 1:
            return text  # Characters were removed or expanded, so places do not tell indexes.
        return joined_accents(text, lambda places: self.boxes([first + place for place in places]))

    def raw(self, first: int, last: int) -> str:
        """What pdfium has from its character `first` to `last`: one UTF-16 unit or none, or two, for each."""
        count = last - first + 1
        written = fast_get_text(self.handle, first, count, self._buffers.room(count)) - 1
        return self._buffers.text(written) if written > 0 else ""

    def clean(self, first: int, last: int) -> str:
        """The same as text of an element: see `_CLEAN`, with accents joined."""
        text = self.raw(first, last)
        if may_have_accents(text):
            text = self._with_accents(text, first, last)
        return text.translate(_CLEAN).strip()

    def extents(self) -> tuple[list[float], list[float], list[float]]:
        """Where the lines begin and end, along the direction of text on the page as it is shown, but in the page's own space; and
        their nominal font sizes."""
        half = 4 * len(self.texts)
        along = 1 if self._rotation in (1, 3) else 0
        floats: Any = memoryview(self._edge_bytes).cast("f")
        return floats[along:half:4].tolist(), floats[half + 2 + along :: 4].tolist(), self._sizes

    def edges(self, indexes: list[int]) -> tuple[Values, Values]:
        """Where characters begin and end, in the same direction and space as `extents`."""
        values = self._box_values(indexes)
        along = 1 if self._rotation in (1, 3) else 0
        return values[along::4], values[along + 2 :: 4]

    def shown(self, lefts: Values, tops: Values, rights: Values, bottoms: Values) -> Corners:
        """Rectangles of the page's own space (origin at the bottom left) on the page as it is shown: turned, and y downwards."""
        left, top, right, bottom = self._edges
        if self._rotation == 1:
            lefts, tops, rights, bottoms = bottoms, rights, tops, lefts
            return (
                [y - bottom for y in lefts],
                [x - left for x in bottoms],
                [y - bottom for y in rights],
                [x - left for x in tops],
            )
        if self._rotation == 2:
            return (
                [right - x for x in rights],
                [y - bottom for y in bottoms],
                [right - x for x in lefts],
                [y - bottom for y in tops],
            )
        if self._rotation == 3:
            return [top - y for y in tops], [right - x for x in rights], [top - y for y in bottoms], [right - x for x in lefts]
        if left:
            lefts, rights = [x - left for x in lefts], [x - left for x in rights]
        return lefts, [top - y for y in tops], rights, [top - y for y in bottoms]

    @property
    def turned(self) -> bool:
        """Whether the page is shown turned."""
        return self._rotation != 0

    def _char_indexes(self, indexes: list[int]) -> list[int]:
        """pdfium's character indexes for indexes of `text`. They differ when characters have no Unicode value, or lie beyond the
        basic plane and so count twice in UTF-16."""
        if max(self.text, default="") > "\uffff":
            units = [0]
            for character in self.text:
                units.append(units[-1] + (2 if character > "\uffff" else 1))
            indexes = [units[index] for index in indexes]
        return [max(index, 0) for index in map(fast_char_index, repeat(self.handle), indexes)]


class Buffers:
    """Memory that pdfium writes into, kept from page to page."""

    def __init__(self) -> None:
        """Allocate for a usual page; grows with the largest page seen."""
        self._capacity = 0
        self._layouts: dict[int, struct.Struct] = {}
        floats = (ctypes.c_float * (4 * _BATCH))()
        self._floats = memoryview(floats).cast("B")
        self.address = ctypes.addressof(floats)
        self.slots = [ctypes.byref(floats, 16 * index) for index in range(_BATCH)]
        """Pointers to the four floats (left, top, right, bottom) of each box."""

    def first_box(self) -> tuple[float, ...]:
        """The first box written."""
        return _BOX.unpack_from(self._floats)

    def bytes_of(self, size: int) -> bytes:
        """The first `size` bytes of the boxes written."""
        return self._floats[:size].tobytes()

    def floats_of(self, data: bytes) -> tuple[float, ...]:
        """The 32-bit floats of which `data` consists."""
        if len(data) > 16 * _BATCH:
            return struct.unpack(f"{len(data) // 4}f", data)
        layout = self._layouts.get(len(data))
        if layout is None:
            layout = self._layouts[len(data)] = struct.Struct(f"{len(data) // 4}f")
        return layout.unpack(data)

    def room(self, count: int) -> Pointer:
        """Room for `count` UTF-16 units and a terminating zero; twice that, as characters may take two units each."""
        if 2 * count + 1 > self._capacity:
            self._capacity = max(4 * count, 16_384)
            units = (ctypes.c_ushort * self._capacity)()
            self._units = memoryview(units).cast("B")
            self._pointer = ctypes.byref(units)
        return self._pointer

    def text(self, units: int) -> str:
        """The first `units` UTF-16 units written. Halves of surrogate pairs become U+FFFD."""
        return str(self._units[: 2 * units], "utf-16-le", "replace")


def _split(text: str) -> tuple[list[str], list[int], list[int], list[bool]]:
    """Cut a page's text into lines: their clean texts, the text indexes of their first and last characters, and whether each ends
    in a divided word. Usual pages are done by whole-list operations only."""
    if "\x02" in text:
        text = text.replace("\x02", _DIVIDED)
    texts = text.split(_LINE_END)
    # The last character of line n: all lines up to it, and two characters for each line end before it.
    lasts = list(map(add, accumulate(map(len, texts)), range(-1, 2 * len(texts) - 1, 2)))
    firsts = [0, *map(_AFTER_LINE_END, lasts)]
    firsts.pop()
    divided = _cut_at_marks(texts, firsts, lasts) if _DIVIDED in text else [False] * len(texts)
    if not texts[-1]:
        for column in (texts, firsts, lasts, divided):
            column.pop()
    if all(texts) and list(map(str.strip, texts)) == texts and not _needs_cleaning(text, texts):
        return texts, firsts, lasts, divided
    return _cleaned(texts, firsts, divided)


def _cut_at_marks(texts: list[str], firsts: list[int], lasts: list[int]) -> list[bool]:
    """Cut lines at the marks of divided words, which stand for a hyphen and a line end. Returns whether each line now ends in a
    divided word."""
    divided = [False] * len(texts)
    marked = [index for index, text in enumerate(texts) if _DIVIDED in text]
    for index in reversed(marked):
        pieces = texts[index].split(_DIVIDED)
        ends = list(accumulate([len(piece) + 1 for piece in pieces], initial=firsts[index]))
        texts[index : index + 1] = pieces
        firsts[index : index + 1] = ends[:-1]
        lasts[index : index + 1] = [end - 2 for end in ends[1:]]
        divided[index : index + 1] = [*([True] * (len(pieces) - 1)), False]
    return divided


def _needs_cleaning(text: str, texts: list[str]) -> bool:
    """Whether the lines have characters that `_CLEAN` maps. Six times faster than a regular expression."""
    if not all(map(str.isprintable, texts)):
        return True
    return not text.isascii() and any(map(text.__contains__, _LIGATURE_CHARACTERS))


def _cleaned(texts: list[str], firsts: list[int], divided: list[bool]) -> tuple[list[str], list[int], list[int], list[bool]]:
    """Lines without blanks around them, without what `_CLEAN` removes, and without those that are blank."""
    rows = []
    for text, first, broken in zip(texts, firsts, divided, strict=True):
        visible = text.strip()
        clean = visible.translate(_CLEAN).strip()
        if clean:
            first += len(text) - len(text.lstrip())
            rows.append((clean, first, first + len(visible) - 1, broken or visible[-1] == _SOFT_HYPHEN))
    if not rows:
        return [], [], [], []
    clean_texts, clean_firsts, lasts, breaks = map(list, zip(*rows, strict=True))
    return clean_texts, clean_firsts, lasts, breaks


def _line_size(size: float, height: float, last_height: float, width: float) -> float:
    """Font size of a line, in points, whose box is higher or lower than usual for the nominal size of its last character.

    Args:
        size: nominal size of the last character, in the text's own space.
        height, width: of the line's box.
        last_height: of the box of the last character.
    """
    if 0.6 * size <= last_height <= 2.0 * size:
        # The last character is small: the number of a footnote. The first one is of the line's own size.
        return size * height / last_height if height <= 2.0 * size else size
    # A matrix scales the text: only the box tells, which is about 1.1 sizes high. One much higher than wide is of text that runs
    # up or down the page: its width counts.
    extent = width if height > 2.0 * width and height > 2.0 * size else height
    return extent / 1.1 if extent > 0 else size
