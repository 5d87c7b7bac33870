"""Finds gutters: lines that pdfium joined across columns, because a program had drawn the columns row by row.

Text set column by column comes from pdfium in the right order. Only where pieces of several columns share a baseline and were
drawn one after the other does pdfium make one line of them. That shows in a few sampled lines: their text objects leave a wide
gap, at the same place in each. Only then are all lines looked at, and cut.
"""

from __future__ import annotations

import ctypes

from ingest_server.handlers.pdf.library import fast_count_rects, fast_rect
from ingest_server.handlers.pdf.page_text import Line, LineRow, PageText

PROBED_LINES = 8
"""How far to look for a wide line for a probe."""
SAMPLED_LINES = 8
"""Lines looked at when one of the two probes shows a gap."""
RECTS_PER_LINE_MAX = 40
"""Text objects looked at in a line: a line set word by word has about 15."""
GAP_SIZES = 0.9
"""A gutter is at least so many font sizes wide. Spaces of justified text are 0.2 … 0.6."""
WIDE_PART = 0.45
"""A line that spans two columns is at least this part of the page wide."""
COLUMN_LINES_MIN = 4
"""Fewer lines than this beside each other are no columns."""
COLUMN_PART_MIN = 0.15
"""A column is at least this part of the page wide: numbers of a table of contents and terms of a glossary are narrower."""
SPACES_MAX = 80
"""Spaces of a line looked at for the gutter; a line that spans a page has about 15, a dotted one has hundreds."""
COLUMN_CHARACTERS_MIN = 14
"""Mean characters of a line on either side. Page numbers of a table of contents and cells of tables are shorter."""

Gap = tuple[float, float]
"""(left, right) of an empty strip."""


def may_have_gutter(page: PageText) -> bool:
    """Whether it is worth looking for a gutter: one of two wide lines, from the first and the second half of the page, has a gap.
    Nearly every page is done with after these two."""
    count = len(page.texts)
    if count < COLUMN_LINES_MIN:
        return False
    if page.turned:
        return True
    least = page.width * WIDE_PART
    for start in (count // 3, 2 * count // 3):
        for index in range(start, min(start + PROBED_LINES, count)):
            left, right = page.extent(index)
            if right - left >= least:
                if _has_gap(page, index, left, right):
                    return True
                break
    return False


def cut_at_gutters(page: PageText, lines: list[LineRow]) -> tuple[list[LineRow], bool]:
    """Cut lines that run across a gutter.

    Args:
        page: the page's text.
        lines: its lines.

    Returns:
        The lines, cut where there is a gutter; whether any was cut. Up to three gutters (four columns) are found.
    """
    cut_any = False
    for _ in range(3):
        gutter = _common_gap(page, _wide_lines(page, lines))
        if gutter is None:
            break
        parted = _cut(page, lines, gutter)
        if parted is None:
            break
        lines, cut_any = parted, True
    return lines, cut_any


def _wide_lines(page: PageText, lines: list[LineRow]) -> list[LineRow]:
    """The lines that may span columns; none if they are too few."""
    least = page.width * WIDE_PART
    wide = [line for line in lines if line[2] - line[0] >= least]
    return wide if len(wide) >= COLUMN_LINES_MIN else []


def _common_gap(page: PageText, wide: list[LineRow]) -> Gap | None:
    """The widest strip that is empty in two thirds of some lines taken from all over the page; None if there is none."""
    step = max(len(wide) // SAMPLED_LINES, 1)
    sample = wide[step // 2 :: step][:SAMPLED_LINES]
    gaps = [gap for line in sample for gap in _gaps(page, line)]
    needed = max((2 * len(sample) + 2) // 3, COLUMN_LINES_MIN - 1)
    best: Gap | None = None
    for left, right in gaps:
        middle = (left + right) / 2
        shared = [gap for gap in gaps if gap[0] < middle < gap[1]]
        if len(shared) >= needed:
            # Ragged lines leave gaps of many widths: the part common to all is the gutter.
            strip = (max(gap[0] for gap in shared), min(gap[1] for gap in shared))
            if strip[1] > strip[0] and (best is None or strip[1] - strip[0] > best[1] - best[0]):
                best = strip
    return best


_EDGES = (ctypes.c_double * 4)()
_SLOTS = tuple(ctypes.byref(_EDGES, 8 * index) for index in range(4))


def _has_gap(page: PageText, index: int, left: float, right: float) -> bool:
    """Whether line `index` has a gap as wide as a gutter: a glance at its text objects in the order of drawing, nearly always
    left to right, in the page's own space."""
    handle = page.handle
    first = page.firsts[index]
    count = fast_count_rects(handle, first, page.lasts[index] - first + 1)
    if count < 2:
        return False
    least = GAP_SIZES * page.size(index)
    width = COLUMN_PART_MIN * page.width
    left, right = left + width, right - width
    reached = 1e9
    edges, slots = _EDGES, _SLOTS
    for number in range(count if count < RECTS_PER_LINE_MAX else RECTS_PER_LINE_MAX):
        fast_rect(handle, number, *slots)
        begin = edges[0]
        if begin - reached >= least and reached > left and begin < right:
            return True
        reached = edges[2]
    return False


def _gaps(page: PageText, line: LineRow) -> list[Gap]:
    """Wide gaps between the text objects of a line, from left to right."""
    handle = page.handle
    count = fast_count_rects(handle, line[7], line[8] - line[7] + 1)
    if count < 2:
        return []
    rectangles = []
    for index in range(count if count < RECTS_PER_LINE_MAX else RECTS_PER_LINE_MAX):
        fast_rect(handle, index, *_SLOTS)
        rectangles.append(_EDGES[:])
    lefts, _, rights, _ = page.shown(*map(list, zip(*rectangles, strict=True)))
    least = GAP_SIZES * line[4]
    width = COLUMN_PART_MIN * page.width
    first, last = line[0] + width, line[2] - width
    gaps = []
    reached = rights[0]
    for left, right in sorted(zip(lefts, rights, strict=True)):
        if left - reached >= least and reached > first and left < last:
            gaps.append((reached, left))
        if right > reached:
            reached = right
    return gaps


def _cut(page: PageText, lines: list[LineRow], gutter: Gap) -> list[LineRow] | None:
    """Cut the lines that leave the gutter empty. None if what is on either side does not look like columns."""
    result: list[LineRow] = []
    sides: list[tuple[int, int]] = []
    crossing = 0
    middle = (gutter[0] + gutter[1]) / 2
    for line in map(Line._make, lines):
        if not line.left < middle < line.right:
            result.append(line)
            continue
        crossing += 1
        place = _place_of_gutter(page, line, middle)
        if place is None:
            result.append(line)
            continue
        parts = _parts(page, line, place)
        result += parts
        sides.append((len(parts[0].text), len(parts[-1].text)))
    count = len(sides)
    if count < COLUMN_LINES_MIN or 2 * count < crossing:
        return None
    if any(sum(side) < COLUMN_CHARACTERS_MIN * count for side in zip(*sides, strict=True)):
        return None
    return result


def _place_of_gutter(page: PageText, line: Line, middle: float) -> int | None:
    """Offset, in the line's text, of the space that lies on the gutter; None if characters are in its way."""
    text = line.text
    if len(text) != line.last - line.first + 1:
        return None  # Characters were removed or expanded, so offsets do not tell indexes.
    spaces = [offset for offset, character in enumerate(text) if character == " " and 0 < offset < len(text) - 1]
    if len(spaces) > SPACES_MAX:
        return None
    before = page.boxes([line.first + offset - 1 for offset in spaces])
    after = page.boxes([line.first + offset + 1 for offset in spaces])
    for offset, left_box, right_box in zip(spaces, before, after, strict=True):
        if left_box[2] <= middle <= right_box[0]:
            return offset
    return None


def _parts(page: PageText, line: Line, place: int) -> tuple[Line, Line]:
    """The two lines that `line` becomes when cut at the space at offset `place`."""
    left_text, right_text = line.text[:place].rstrip(), line.text[place:].lstrip()
    left_last = line.first + len(left_text) - 1
    right_first = line.last - len(right_text) + 1
    left_end, right_start = page.boxes([left_last, right_first])
    left = line._replace(right=left_end[2], text=left_text, last=left_last, divided=False)
    right = line._replace(left=right_start[0], text=right_text, first=right_first)
    return left, right
