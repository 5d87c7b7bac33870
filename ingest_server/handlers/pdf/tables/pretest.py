"""Tells in 2 % of a page's time whether it may have a table; nearly no page of a book has one.

A table shows in one of two ways. It has lines drawn around its cells: a few of the page's objects, taken at even steps, tell, as
a ruled table has more lines than fit between two steps. Or its columns stand apart, so that its lines are wider than text of so
many characters is; then the words of these lines are looked at, and there must be two near each other with gaps at one place.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import pairwise, repeat
from math import inf
from operator import mul, sub
from typing import TypeAlias

import pypdfium2.raw as raw

from ingest_server.handlers.pdf.library import Pointer, count_objects, fast_function, pointer
from ingest_server.handlers.pdf.page_text import LineRow, PageText
from ingest_server.handlers.pdf.tables.words import GAP_SIZES

Gap: TypeAlias = tuple[float, float]

OBJECT_STEP = 5
"""Of so many objects of a page one is looked at. Odd, as backgrounds and texts of cells may take turns."""
OBJECTS_SAMPLED_MAX = 100
"""On pages with more than 500 objects the steps are wider."""
LINES_MIN = 2
"""A table has at least so many lines of text."""
SPARSE_SIZES = 0.6
"""A line is sparse if it is as wide as its characters at so many font sizes each, and a gap. Text takes 0.40 to 0.55 font sizes a
character, the usual fixed width 0.6."""
SHORT_CHARACTERS, SHORT_SIZES, SHORT_FACTOR = 50, 0.5, 1.08
"""In a short line a narrower gap shows: its characters count as those of the page, times a factor, but not less than so much."""
SPACES_MAX = 80
"""Of a line, looked at."""
LINES_BETWEEN_MAX = 4
"""Lines between two sparse ones of a table: rows that have text in one column only."""
SPARSE_LINES_MAX = 400
"""Looked at. Where hundreds have no gap in common, there is no table."""

fast_object = fast_function(raw.FPDFPage_GetObject, ctypes.c_void_p)
fast_type = fast_function(raw.FPDFPageObj_GetType, ctypes.c_int)
_DRAWN = frozenset((raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_FORM))


def has_drawings(page: Pointer) -> bool:
    """Whether one of a few objects of a page, at even steps, is a path, or a form, which may hold some."""
    count: int = count_objects(page)
    step = max(OBJECT_STEP, count // OBJECTS_SAMPLED_MAX | 1)
    return not _DRAWN.isdisjoint(map(fast_type, map(pointer, map(fast_object, repeat(page), range(0, count, step)))))


def has_columns(page: PageText) -> bool:
    """Whether two lines near each other have gaps at one place."""
    sparse = _sparse_pairs(page)
    if len(sparse) > len(page.texts) // 2:
        # Font sizes may be scaled by a matrix: `columns` puts them right.
        page.columns()
        sparse = _sparse_pairs(page)
    before: tuple[int, list[Gap]] = (0, [])
    for index in sparse[:SPARSE_LINES_MAX]:
        gaps = _gaps(page, index)
        if gaps and before[1] and index - before[0] <= LINES_BETWEEN_MAX and _share(gaps, before[1], page.size(index)):
            return True
        if gaps:
            before = index, gaps
    return False


def _sparse_pairs(page: PageText) -> list[int]:
    """Sparse lines with spaces, of which the one before or behind is near in the order of lines."""
    begins, ends, sizes = page.extents()
    texts = page.texts
    widths = list(map(abs, map(sub, ends, begins)))
    lengths = list(map(len, texts))
    usual = sum(widths) / (sum(map(mul, sizes, lengths)) or 1.0)
    least = min(max(SHORT_FACTOR * usual, SHORT_SIZES), SPARSE_SIZES)
    sparse = [
        index
        for index, (width, size, length) in enumerate(zip(widths, sizes, lengths, strict=True))
        if width > size * (least * length + GAP_SIZES)
        and (length < SHORT_CHARACTERS or width > size * (SPARSE_SIZES * length + GAP_SIZES))
        and " " in texts[index]
    ]
    if len(sparse) < LINES_MIN:
        return []
    near = [behind - before <= LINES_BETWEEN_MAX for before, behind in pairwise(sparse)]
    return [index for index, before, behind in zip(sparse, (False, *near), (*near, False), strict=False) if before or behind]


def _gaps(page: PageText, index: int) -> list[Gap]:
    """Wide gaps at the spaces of a line."""
    text, first = page.texts[index], page.firsts[index]
    if len(text) != page.lasts[index] - first + 1:
        return [(-inf, inf)]  # Characters were removed or expanded: anything may be.
    spaces = [first + place for place, character in enumerate(text) if character == " "][:SPACES_MAX]
    begins, ends = page.edges([place + beside for place in spaces for beside in (-1, 1)])
    least = GAP_SIZES * page.size(index)
    # On pages that are turned, text may run against the axis.
    lows, highs = list(map(min, begins, ends)), list(map(max, begins, ends))
    between = [
        (high, behind) if high <= behind else (behind_high, low)
        for low, high, behind, behind_high in zip(lows[::2], highs[::2], lows[1::2], highs[1::2], strict=True)
    ]
    return [(left, right) for left, right in between if right - left >= least]


def _share(gaps: list[Gap], others: list[Gap], size: float) -> bool:
    """Whether two lines have gaps at one place."""
    least = 0.5 * size
    return any(min(one[1], other[1]) - max(one[0], other[0]) > least for one in gaps for other in others)


def stand_beside(lines: Sequence[LineRow]) -> bool:
    """Whether some line stands beside the one before it: cells drawn one by one."""
    before = lines[0]
    for line in lines:
        if line[1] < before[3] - 0.5 * line[4] and line is not before:
            return True
        before = line
    return False
