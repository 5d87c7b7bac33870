"""Puts the lines of a page into reading order, where the order of drawing is not it.

The method is the recursive XY cut (Nagy and Seth, 1984) with the cuts chosen the other way round: gutters first, then the lines
that cross them, because in pages of text columns are the stronger structure. Lines that cross a gutter (titles, wide figures'
captions) divide the page into bands; in each band the left side is read before the right side.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import le

from ingest_server.handlers.pdf.page_text import Line, LineRow

GUTTER_SIZES = 0.7
"""A gutter is at least so many font sizes wide."""
CROSSING_PART = 0.34
"""At most this part of the lines may cross a gutter."""
SIDE_LINES_MIN = 3
"""On either side of a gutter there are at least so many lines."""
LINES_MAX = 1500
"""Pages with more lines stay as they are drawn: the search takes quadratic time, and no page for reading has more than 400."""
DEPTH_MAX = 6
"""Gutters within gutters: newspapers have eight columns, found by halving in three steps."""


def drawn_in_order(rows: Sequence[LineRow]) -> bool:
    """Whether the lines come from top to bottom, and where one stands higher than the one before, to the right of it: the next
    column. False if a header was drawn last, columns were drawn from right to left, or the order is wild."""
    tops = [row[1] for row in rows]
    if all(map(le, tops, tops[1:])) or len(rows) > LINES_MAX:
        return True
    lines = list(map(Line._make, rows))
    previous = lines[0]
    for line in lines:
        if line.top < previous.top - previous.size and line.left < previous.right and not _next_column(lines, previous, line):
            return False
        previous = line
    return True


def _next_column(lines: list[Line], previous: Line, line: Line) -> bool:
    """Whether `line` begins a column right of all lines that stand at its height."""
    middle = (line.top + line.bottom) / 2
    return line.left > previous.left + 2 * line.size and all(
        other.right <= line.left or other is line
        for other in lines
        if other.top < middle < other.bottom and other.left < line.left
    )


def in_reading_order(lines: Sequence[LineRow], depth: int = 0) -> list[LineRow]:
    """The same lines, in the order in which people read them.

    Args:
        lines: of a page, or of a part of it, in any order.
        depth: of the recursion.

    Returns:
        A new list: band by band, in each band column by column, in each column from top to bottom.
    """
    ordered = sorted(map(Line._make, lines), key=lambda line: (line.top, line.left))
    gutter = _gutter(ordered) if depth < DEPTH_MAX and len(ordered) <= LINES_MAX else None
    if gutter is None:
        return _rows(ordered)
    result: list[LineRow] = []
    left: list[Line] = []
    right: list[Line] = []
    for line in ordered:
        if line.right <= gutter:
            left.append(line)
        elif line.left >= gutter:
            right.append(line)
        else:
            result += in_reading_order(left, depth + 1) + in_reading_order(right, depth + 1)
            left, right = [], []
            result.append(line)
    return result + in_reading_order(left, depth + 1) + in_reading_order(right, depth + 1)


def _gutter(lines: list[Line]) -> float | None:
    """Where fewest lines cross, with enough lines beside it that share their height with lines of the other side."""
    if len(lines) < 2 * SIDE_LINES_MIN:
        return None
    sizes = sorted(line.size for line in lines)
    least = GUTTER_SIZES * sizes[len(sizes) // 2]
    best: tuple[int, float, float] | None = None
    for left in sorted({line.left for line in lines}):
        crossing = sum(1 for line in lines if line.left < left - least and line.right > left - least)
        if crossing > CROSSING_PART * len(lines):
            continue
        before = [line for line in lines if line.right <= left - least]
        behind = [line for line in lines if line.left >= left]
        if len(before) < SIDE_LINES_MIN or len(behind) < SIDE_LINES_MIN or not _side_by_side(before, behind):
            continue
        candidate = (crossing, -float(min(len(before), len(behind))), left - least / 2)
        if best is None or candidate < best:
            best = candidate
    return best[2] if best else None


def _side_by_side(before: list[Line], behind: list[Line]) -> bool:
    """Whether the two sides share most of the height of the lower one; otherwise they stand one above the other."""
    top = max(min(line.top for line in before), min(line.top for line in behind))
    bottom = min(max(line.bottom for line in before), max(line.bottom for line in behind))
    shorter = min(max(line.bottom for line in side) - min(line.top for line in side) for side in (before, behind))
    return bottom - top > 0.5 * shorter


def _rows(ordered: list[Line]) -> list[LineRow]:
    """Lines sorted by top, with those that stand in one row from left to right."""
    result: list[Line] = []
    row: list[Line] = []
    for line in ordered:
        if row and line.top > (row[0].top + row[0].bottom) / 2:
            result += sorted(row, key=lambda each: each.left)
            row = []
        row.append(line)
    return [*result, *sorted(row, key=lambda each: each.left)]
