"""Tells in 2 % of a page's time whether it may have a table; nearly no page of a book has one.

A table shows in one of two ways. It has lines drawn around its cells: a few of the page's objects, taken at even steps, tell, as
a ruled table has more lines than fit between two steps. Or its columns stand apart, so that its lines are wider than text of so
many characters is; then the words of these lines are looked at, and there must be two near each other with gaps at one place.
"""

from __future__ import annotations

from itertools import pairwise
from math import inf
from operator import mul, sub
from statistics import median
from typing import TypeAlias

from ingest_server.handlers.pdf.library import Pointer, count_objects
from ingest_server.handlers.pdf.page_text import PageText
from ingest_server.handlers.pdf.tables.prose import TERMS_PART, is_sentence
from ingest_server.handlers.pdf.tables.rulings import FORM, PATH, object_types
from ingest_server.handlers.pdf.tables.words import GAP_SIZES, is_justified

Gap: TypeAlias = tuple[float, float, int, bool]
"""(where it begins, where it ends, place of its space in the line's text, whether it is one of spaces of fixed width)"""

OBJECT_STEP = 7
"""Of so many objects of a page one is looked at. Odd, as backgrounds and texts of cells may take turns."""
OBJECTS_SAMPLED_MAX = 100
"""On pages with more than 500 objects the steps are wider."""
OBJECTS_ALL_MAX = 30
"""Where there are no more, all are looked at."""
NEIGHBOURS, PATHS_TOGETHER, PATHS_LOOKED_AT = 4, 3, 4
"""Around a path so many objects on either side are looked at, and so many of these must be paths: a rule below a page's head or
above its footnotes stands alone. That many paths are looked at so."""
LINES_MIN = 2
"""A table has at least so many lines of text."""
SPARSE_SIZES = 0.6
"""A line is sparse if it is as wide as its characters at so many font sizes each, and a gap. Text takes 0.40 to 0.55 font sizes a
character, the usual fixed width 0.6."""
SHORT_CHARACTERS, SHORT_SIZES, SHORT_FACTOR = 50, 0.5, 1.08
"""In a short line a narrower gap shows: its characters count as those of the page, times a factor, but not less than so much."""
TYPED_SIZES, TYPED_TOLERANCE = (0.6, 0.525), 0.006
"""Fixed widths: the usual one and that of TeX's typewriter font; and by how much they may be missed."""
SINGLE_SPACED_SIZES = 1.32
"""Lines of program text are at most so many font sizes apart, mostly 1.2."""
EDGE_LINES_MIN = 8
"""On a page with more lines the first and the last one do not count: they are its head and foot."""
SPACES_MAX = 80
"""Of a line, looked at."""
ROWS_MIN = 3
"""Lines with one gap that show columns; two of lines with several."""
LINES_BETWEEN_MAX = 4
"""Lines between two sparse ones of a table: rows that have text in one column only."""
SPARSE_LINES_MAX = 400
"""Looked at. Where hundreds have no gap in common, there is no table."""


def has_drawings(page: Pointer) -> bool:
    """Whether some of a few objects of a page, at even steps, are paths with others near them, or forms, which may hold some."""
    count: int = count_objects(page)
    if count <= OBJECTS_ALL_MAX:
        types = object_types(page, range(count))
        return types.count(PATH) >= PATHS_TOGETHER or FORM in types
    step = OBJECT_STEP if count <= OBJECT_STEP * OBJECTS_SAMPLED_MAX else count // OBJECTS_SAMPLED_MAX | 1
    places = range(0, count, step)
    types = object_types(page, places)
    if FORM in types:
        return True
    if PATH not in types:
        return False
    found = [place for place, kind in zip(places, types, strict=True) if kind == PATH]
    return any(
        object_types(page, range(max(place - NEIGHBOURS, 0), min(place + NEIGHBOURS + 1, count))).count(PATH) >= PATHS_TOGETHER
        for place in found[:PATHS_LOOKED_AT]
    )


def lines_in_columns(page: PageText) -> list[int]:
    """Indexes of lines that have gaps at one place with others near them, ascending."""
    sparse = _sparse_pairs(page)
    if len(sparse) > len(page.texts) // 2:
        # Font sizes may be scaled by a matrix: `columns` puts them right.
        page.columns()
        sparse = _sparse_pairs(page)
    found: dict[int, list[Gap]] = {}
    several = False
    before: tuple[int, list[Gap]] = (0, [])
    for index in sparse[:SPARSE_LINES_MAX]:
        gaps = _gaps(page, index)
        if not gaps:
            continue
        if before[1] and index - before[0] <= LINES_BETWEEN_MAX and _share(gaps, before[1], page.size(index)):
            found[before[0]] = before[1]
            found[index] = gaps
            several = several or len(gaps) > 1 < len(before[1])
        before = index, gaps
    if len(found) < ROWS_MIN and not several:
        return []
    return [] if _are_terms(page.texts, found) or _are_typed(page, found) else list(found)


def _are_typed(page: PageText, found: dict[int, list[Gap]]) -> bool:
    """Whether lines are program text: single spaced, with gaps of spaces between characters of fixed width only."""
    if not all(gap[3] for gaps in found.values() for gap in gaps):
        return False
    bottoms = page.columns()[3]
    steps = [(bottoms[low] - bottoms[high]) / page.size(low) for high, low in pairwise(found) if low == high + 1]
    return not steps or median(steps) < SINGLE_SPACED_SIZES


def _are_terms(texts: list[str], found: dict[int, list[Gap]]) -> bool:
    """Whether lines are terms and what they mean: one gap in each, and sentences behind most of them, or the same behind all, as
    behind the names of functions in a manual."""
    if any(len(gaps) > 1 for gaps in found.values()):
        return False
    tails = [texts[index][gaps[0][2] + 1 :] for index, gaps in found.items()]
    return len(set(tails)) == 1 or sum(map(is_sentence, tails)) >= TERMS_PART * len(tails)


def _sparse_pairs(page: PageText) -> list[int]:
    """Sparse lines with spaces, of which the one before or behind is near in the order of lines."""
    begins, ends, sizes = page.extents()
    texts = page.texts
    widths = list(map(sub, ends, begins))
    if min(widths) < 0:
        # A page that is turned, or text from right to left.
        widths = list(map(abs, widths))
    lengths = list(map(len, texts))
    usual = sum(widths) / (sum(map(mul, sizes, lengths)) or 1.0)
    least = min(max(SHORT_FACTOR * usual, SHORT_SIZES), SPARSE_SIZES)
    edges = (0, len(texts) - 1) if len(texts) > EDGE_LINES_MIN else ()
    sparse = [
        index
        for index, (width, size, length) in enumerate(zip(widths, sizes, lengths, strict=True))
        if width > size * (least * length + GAP_SIZES)
        and (length < SHORT_CHARACTERS or width > size * (SPARSE_SIZES * length + GAP_SIZES))
        and " " in texts[index]
        # Typewritten text without gaps; the head and the foot of the page.
        and min(abs(width / (size * length) - typed) for typed in TYPED_SIZES) > TYPED_TOLERANCE
        and index not in edges
    ]
    if len(sparse) < LINES_MIN:
        return []
    near = [behind - before <= LINES_BETWEEN_MAX for before, behind in pairwise(sparse)]
    return [index for index, before, behind in zip(sparse, (False, *near), (*near, False), strict=False) if before or behind]


def _gaps(page: PageText, index: int) -> list[Gap]:
    """Wide gaps at the spaces of a line."""
    text, first = page.texts[index], page.firsts[index]
    if len(text) != page.lasts[index] - first + 1:
        return [(-inf, inf, 0, False)]  # Characters were removed or expanded: anything may be.
    spaces = [place for place, character in enumerate(text) if character == " "][:SPACES_MAX]
    begins, ends = page.edges([first + place + beside for place in spaces for beside in (-1, 1)])
    least = GAP_SIZES * page.size(index)
    # On pages that are turned, text may run against the axis.
    lows, highs = list(map(min, begins, ends)), list(map(max, begins, ends))
    between = [
        (high, low_behind) if high <= low_behind else (high_behind, low)
        for low, high, low_behind, high_behind in zip(lows[::2], highs[::2], lows[1::2], highs[1::2], strict=True)
    ]
    if is_justified([right - left for left, right in between], page.size(index), text.replace(" ", "")):
        return []
    return [
        (left, right, place, _is_typed(high - low, high_behind - low_behind, right - left))
        for (left, right), place, low, high, low_behind, high_behind in zip(
            between, spaces, lows[::2], highs[::2], lows[1::2], highs[1::2], strict=True
        )
        if right - left >= least
    ]


def _is_typed(width: float, other: float, gap: float) -> bool:
    """Whether a gap is one of spaces between characters of fixed width: program text."""
    if abs(width - other) > 0.01 * width or width <= 0:
        return False
    spaces = gap / width
    # What a character takes differs a little from its width, by rounding.
    return abs(spaces - round(spaces)) < 0.04 + 0.004 * spaces


def _share(gaps: list[Gap], others: list[Gap], size: float) -> bool:
    """Whether two lines have gaps at one place."""
    least = 0.5 * size
    return any(min(one[1], other[1]) - max(one[0], other[0]) > least for one in gaps for other in others)
