"""Gathers the horizontal and vertical lines that a page draws: strokes, thin rectangles, edges of frames and of backgrounds.

What is white or not drawn at all is left out. A page with more paths than `PATHS_MAX` is a drawing and has no rulings here: the
work is bounded whatever the page holds.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, repeat
from math import isfinite
from typing import Any, NamedTuple, TypeAlias

import pypdfium2.raw as raw

from ingest_server.handlers.pdf.library import Pointer, count_objects, fast_function, pointer
from ingest_server.handlers.pdf.page_text import PageText

OBJECTS_MAX = 20_000
"""Looked at on a page, those in forms included."""
PATHS_MAX = 3_000
"""Paths looked at. A table of 500 cells whose every border is a path of its own has 2,000; maps have more than 10,000."""
SIMPLE_SEGMENTS_MAX = 5
"""Of a line or a rectangle."""
COMPLEX_SEGMENTS_MAX = 1_000
"""Of all other paths of a page together; if there are more, they are drawings, and left out."""
RULINGS_MAX = 500
"""Of either direction, when those in one line are joined. More are a drawing."""
DEPTH_MAX = 4
"""Forms within forms."""
THIN_POINTS = 3.0
"""A filled rectangle at most so high or wide is a line."""
SLANT_POINTS = 0.7
"""What is that little off the horizontal or vertical still is so."""
LENGTH_POINTS_MIN = 4.0
"""Shorter lines are parts of drawings, or dashes."""
JOIN_POINTS = 3.0
"""Lines in one line with at most that between them are one."""
SAME_POINTS = 2.0
"""Lines at most so far apart are one: both sides of a border, double lines, edges of backgrounds that touch."""
WHITE_MIN = 250
"""From this on all three colours of a filling are white to the eye."""
COORDINATE_MAX = 100_000.0
"""PDF pages have at most 14,400 points."""

Corner: TypeAlias = tuple[float, float]
Matrix: TypeAlias = tuple[float, float, float, float, float, float]
_IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class Ruling(NamedTuple):
    """A line: horizontal (`at` is y, `begin` and `end` are x) or vertical (the other way round). In points, as shown."""

    at: float
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Rulings:
    """The lines of a page, joined, in order of `at`."""

    across: Sequence[Ruling]
    down: Sequence[Ruling]


NO_RULINGS = Rulings((), ())


PATH, FORM = raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_FORM
DRAWN = frozenset((PATH, FORM))

_object_at = fast_function(raw.FPDFPage_GetObject, ctypes.c_void_p)
_type_of = fast_function(raw.FPDFPageObj_GetType, ctypes.c_int)
_segment_count = fast_function(raw.FPDFPath_CountSegments, ctypes.c_int)
_segment_at = fast_function(raw.FPDFPath_GetPathSegment, ctypes.c_void_p)
_segment_type = fast_function(raw.FPDFPathSegment_GetType, ctypes.c_int)
_point_of = fast_function(raw.FPDFPathSegment_GetPoint, ctypes.c_int)
_closes = fast_function(raw.FPDFPathSegment_GetClose, ctypes.c_int)
_draw_mode = fast_function(raw.FPDFPath_GetDrawMode, ctypes.c_int)
_fill_colour = fast_function(raw.FPDFPageObj_GetFillColor, ctypes.c_int)
_stroke_colour = fast_function(raw.FPDFPageObj_GetStrokeColor, ctypes.c_int)
_matrix_of = fast_function(raw.FPDFPageObj_GetMatrix, ctypes.c_int)

# What these calls write into.
_MODES, _COLOUR, _POINT, _MATRIX = (ctypes.c_int * 2)(), (ctypes.c_uint * 4)(), (ctypes.c_float * 2)(), raw.FS_MATRIX()
_MODE_SLOTS = ctypes.byref(_MODES), ctypes.byref(_MODES, 4)
_COLOUR_SLOTS = tuple(ctypes.byref(_COLOUR, 4 * part) for part in range(4))
_POINT_SLOTS = ctypes.byref(_POINT), ctypes.byref(_POINT, 4)
_MATRIX_SLOT = ctypes.byref(_MATRIX)


def object_types(page: Pointer, places: range) -> list[int]:
    """What some of an open page's objects are, 0.4 µs each: `FPDF_PAGEOBJ_PATH` and so on."""
    return list(map(_type_of, map(pointer, map(_object_at, repeat(page), places))))


class _TooMany(Exception):
    """The page is a drawing."""


def rulings_of(page_address: int, page: PageText) -> Rulings:
    """The rulings of an open page.

    Args:
        page_address: of pdfium's FPDF_PAGE.
        page: its text, which knows how it is turned.
    """
    try:
        strokes = list(_Gatherer(ctypes.cast(page_address, raw.FPDF_PAGE), page.width * page.height).strokes())
    except _TooMany:
        return NO_RULINGS
    lefts, tops, rights, bottoms = page.shown(*([stroke[edge] for stroke in strokes] for edge in range(4)))
    across: list[Ruling] = []
    down: list[Ruling] = []
    for left, top, right, bottom in zip(lefts, tops, rights, bottoms, strict=True):
        if right - left >= bottom - top:
            across.append(Ruling((top + bottom) / 2, left, right))
        else:
            down.append(Ruling((left + right) / 2, top, bottom))
    joined = Rulings(_joined(across), _joined(down))
    return NO_RULINGS if max(len(joined.across), len(joined.down)) > RULINGS_MAX else joined


def _joined(rulings: list[Ruling]) -> list[Ruling]:
    """Rulings of one direction, those in one line joined where they touch, dashes left out."""
    result: list[Ruling] = []
    rulings.sort()
    start = 0
    while start < len(rulings):
        end = start + 1
        while (
            end < len(rulings)
            and rulings[end].at - rulings[end - 1].at <= SAME_POINTS / 2
            and (rulings[end].at - rulings[start].at <= SAME_POINTS)
        ):
            end += 1
        at = sum(ruling.at for ruling in rulings[start:end]) / (end - start)
        begin = reached = 0.0
        for number, ruling in enumerate(sorted(rulings[start:end], key=lambda each: each.begin)):
            if number and ruling.begin <= reached + JOIN_POINTS:
                reached = max(reached, ruling.end)
                continue
            if reached - begin >= LENGTH_POINTS_MIN:
                result.append(Ruling(at, begin, reached))
            begin, reached = ruling.begin, ruling.end
        if reached - begin >= LENGTH_POINTS_MIN:
            result.append(Ruling(at, begin, reached))
        start = end
    return result


class _Gatherer:
    """Goes through the objects of one page."""

    def __init__(self, page: Any, area: float) -> None:
        self._page = page
        self._area = area
        self._objects = self._paths = self._complex_segments = 0

    def strokes(self) -> Iterator[tuple[float, float, float, float]]:
        """Left, top, right, bottom of each line, in the page's own space. Raises _TooMany."""
        page = pointer(ctypes.cast(self._page, ctypes.c_void_p).value or 0)
        count: int = count_objects(page)
        if count > OBJECTS_MAX:
            raise _TooMany
        drawn = [index for index, kind in enumerate(object_types(page, range(count))) if kind in DRAWN]
        if len(drawn) > PATHS_MAX:
            raise _TooMany
        # Looked at before the first is gone through: drawings have many.
        paths = (pointer(_object_at(page, index)) for index in drawn)
        self._complex_segments = sum(count for count in map(_segment_count, paths) if count > SIMPLE_SEGMENTS_MAX)
        if self._complex_segments <= COMPLEX_SEGMENTS_MAX:
            self._complex_segments = 0
        for index in drawn:
            yield from self._object(raw.FPDFPage_GetObject(self._page, index), _IDENTITY, 0)

    def _object(self, item: Any, outer: Matrix, depth: int) -> Iterator[tuple[float, float, float, float]]:
        self._objects += 1
        if self._objects > OBJECTS_MAX:
            raise _TooMany
        kind = raw.FPDFPageObj_GetType(item)
        if kind == PATH:
            self._paths += 1
            if self._paths > PATHS_MAX:
                raise _TooMany
            yield from self._path(item, outer)
        elif kind == FORM and depth < DEPTH_MAX:
            matrix = _times(_matrix(pointer(ctypes.cast(item, ctypes.c_void_p).value or 0)), outer)
            for index in range(raw.FPDFFormObj_CountObjects(item)):
                yield from self._object(raw.FPDFFormObj_GetObject(item, index), matrix, depth + 1)

    def _path(self, item: Any, outer: Matrix) -> Iterator[tuple[float, float, float, float]]:
        path = pointer(ctypes.cast(item, ctypes.c_void_p).value or 0)
        count = _segment_count(path)
        if count > SIMPLE_SEGMENTS_MAX:
            self._complex_segments += count
            if self._complex_segments > COMPLEX_SEGMENTS_MAX:
                return
        _draw_mode(path, *_MODE_SLOTS)
        filled = _MODES[0] != raw.FPDF_FILLMODE_NONE and _is_seen(path, _fill_colour)
        drawn = bool(_MODES[1]) and _is_seen(path, _stroke_colour)
        if not filled and not drawn:
            return
        for corners in _figures(path, count, _times(_matrix(path), outer)):
            yield from _edges(corners, drawn, self._area)


def _figures(path: Pointer, count: int, matrix: Matrix) -> Iterator[list[Corner]]:
    """The figures of straight lines of which a path of `count` segments consists; those with curves only up to the curve."""
    a, b, c, d, e, f = matrix
    point, (x_slot, y_slot) = _POINT, _POINT_SLOTS
    corners: list[Corner] = []
    for segment in map(pointer, map(_segment_at, repeat(path), range(count))):
        _point_of(segment, x_slot, y_slot)
        x, y = point
        corner = (a * x + c * y + e, b * x + d * y + f)
        if not (isfinite(corner[0]) and isfinite(corner[1]) and max(map(abs, corner)) < COORDINATE_MAX):
            return
        if _segment_type(segment) != raw.FPDF_SEGMENT_LINETO:
            if corners:
                yield corners
            corners = []
        corners.append(corner)
        if len(corners) > 1 and corner != corners[0] and _closes(segment):
            corners.append(corners[0])
    if corners:
        yield corners


def _edges(corners: list[Corner], drawn: bool, area: float) -> Iterator[tuple[float, float, float, float]]:
    """The lines that a figure shows: one for a thin rectangle, four for another, each side of what is stroked."""
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    left, right, low, high = min(xs), max(xs), min(ys), max(ys)
    if min(right - left, high - low) <= THIN_POINTS and len(corners) >= 4:
        middle_x, middle_y = (left + right) / 2, (low + high) / 2
        if right - left >= high - low:
            yield left, middle_y, right, middle_y
        else:
            yield middle_x, high, middle_x, low
        return
    if not drawn:
        # Backgrounds: rectangles only, and not that of the page.
        if len(corners) not in (4, 5) or (right - left) * (high - low) > BACKGROUND_PART_MAX * area:
            return
        corners = corners if corners[0] == corners[-1] else [*corners, corners[0]]
        if any(_slants(one, other) for one, other in pairwise(corners)):
            return
    for (x, y), (u, v) in pairwise(corners):
        if not _slants((x, y), (u, v)):
            yield min(x, u), max(y, v), max(x, u), min(y, v)


BACKGROUND_PART_MAX = 0.9
"""A filled rectangle that covers more of the page is the page's background."""


def _slants(one: Corner, other: Corner) -> bool:
    return abs(one[0] - other[0]) > SLANT_POINTS and abs(one[1] - other[1]) > SLANT_POINTS


def _is_seen(path: Pointer, ask: Callable[..., int]) -> bool:
    """Whether a colour, asked for by the function given, is neither white nor transparent. True where there is none to ask."""
    if not ask(path, *_COLOUR_SLOTS):
        return True
    red, green, blue, alpha = _COLOUR
    return alpha > 0 and min(red, green, blue) < WHITE_MIN


def _matrix(item: Pointer) -> Matrix:
    if not _matrix_of(item, _MATRIX_SLOT):
        return _IDENTITY
    return _MATRIX.a, _MATRIX.b, _MATRIX.c, _MATRIX.d, _MATRIX.e, _MATRIX.f


def _times(inner: Matrix, outer: Matrix) -> Matrix:
    """The matrix that does what `inner` does, and then what `outer` does."""
    a, b, c, d, e, f = inner
    p, q, r, s, t, u = outer
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u
