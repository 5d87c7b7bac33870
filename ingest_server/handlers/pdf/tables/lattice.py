"""The lattices that rulings make: groups of rulings that touch each other, and the cells into which each parts its area.

Cells are found from the places of the grid, not from crossings, as Nurminen ("Algorithmic Extraction of Data in Tables in PDF
Documents", 2013) does: two places of the grid are one cell where no ruling runs between them. So lines that end a little early
and crossings that are not drawn do no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ingest_server.handlers.elements import Box
from ingest_server.handlers.pdf.tables.rulings import Ruling, Rulings

TOUCH_POINTS = 3.0
"""Rulings that come so near to each other touch."""
EDGE_POINTS = 4.0
"""Edges of a grid are at least so far apart: no cell is smaller."""
RULES_MIN = 3
"""So many lines of the same length below each other show a table, though nothing parts its columns."""
FREE_MAX = 200
"""Lines looked at for that."""
COVERED_MIN = 0.6
"""Part of the border between two places that must be drawn to part them."""
PLACES_MAX = 20_000
"""Of a lattice; a page of the smallest print has 5,000."""

Block: TypeAlias = tuple[int, int, int, int]
"""(row, column, row span, column span)"""


@dataclass(frozen=True, slots=True)
class Lattice:
    """Rulings that touch each other.

    Attributes:
        xs, ys: edges of its columns and rows, ascending, at least two each.
        across, down: its rulings.
    """

    xs: Sequence[float]
    ys: Sequence[float]
    across: Sequence[Ruling]
    down: Sequence[Ruling]

    @property
    def box(self) -> Box:
        """Its outer edges."""
        return self.xs[0], self.ys[0], self.xs[-1], self.ys[-1]

    @property
    def has_columns(self) -> bool:
        """Whether it has more than one column."""
        return len(self.xs) > 2

    def blocks(self) -> list[Block]:
        """Its cells, row by row. Places that are joined to what is no rectangle stay apart."""
        rows, columns = len(self.ys) - 1, len(self.xs) - 1
        places = _Sets(rows * columns)
        for row in range(rows):
            top, bottom = self.ys[row], self.ys[row + 1]
            for column in range(columns):
                left, right = self.xs[column], self.xs[column + 1]
                place = row * columns + column
                if column + 1 < columns and not _covered(self.down, right, top, bottom):
                    places.join(place, place + 1)
                if row + 1 < rows and not _covered(self.across, bottom, left, right):
                    places.join(place, place + columns)
        return sorted(block for group in places.groups() for block in _rectangles(group, columns))


def lattices(rulings: Rulings) -> tuple[list[Lattice], list[Ruling]]:
    """The lattices of a page with more than one cell, from top to bottom; and the horizontal rulings that touch no vertical."""
    across, down = rulings.across, rulings.down
    sets = _Sets(len(across) + len(down))
    for number, one in enumerate(across):
        for index, other in enumerate(down, len(across)):
            if _touch(one, other):
                sets.join(number, index)
    found: list[Lattice] = []
    free: list[Ruling] = []
    for group in sets.groups():
        rows = [across[index] for index in group if index < len(across)]
        columns = [down[index - len(across)] for index in group if index >= len(across)]
        if rows and columns:
            xs = _edges([each.at for each in columns], [each.begin for each in rows], [each.end for each in rows])
            ys = _edges([each.at for each in rows], [each.begin for each in columns], [each.end for each in columns])
            if len(xs) > 1 and len(ys) > 1 and 1 < (len(xs) - 1) * (len(ys) - 1) <= PLACES_MAX:
                found.append(Lattice(xs, ys, rows, columns))
        free += rows if not columns else []
    return sorted(found, key=lambda each: (each.ys[0], each.xs[0])), sorted(free)


def ruled_off(free: Sequence[Ruling]) -> list[Box]:
    """Where at least `RULES_MIN` horizontal rulings of the same length stand below each other, from the first to the last.

    Args:
        free: rulings that touch no vertical one, from top to bottom.
    """
    groups: list[list[Ruling]] = []
    for ruling in free[:FREE_MAX]:
        for group in groups:
            if abs(ruling.begin - group[0].begin) <= TOUCH_POINTS and abs(ruling.end - group[0].end) <= TOUCH_POINTS:
                group.append(ruling)
                break
        else:
            groups.append([ruling])
    return [(group[0].begin, group[0].at, group[0].end, group[-1].at) for group in groups if len(group) >= RULES_MIN]


def _touch(across: Ruling, down: Ruling) -> bool:
    return (
        across.begin - TOUCH_POINTS <= down.at <= across.end + TOUCH_POINTS
        and down.begin - TOUCH_POINTS <= across.at <= down.end + TOUCH_POINTS
    )


def _edges(places: list[float], begins: list[float], ends: list[float]) -> list[float]:
    """Where rulings of one direction stand, and where those of the other reach beyond: a table may be open at its sides."""
    edges: list[float] = []
    for place in sorted(places):
        if not edges or place - edges[-1] >= EDGE_POINTS:
            edges.append(place)
    if min(begins) < edges[0] - EDGE_POINTS:
        edges.insert(0, min(begins))
    if max(ends) > edges[-1] + EDGE_POINTS:
        edges.append(max(ends))
    return edges


def _covered(rulings: Sequence[Ruling], at: float, begin: float, end: float) -> bool:
    """Whether rulings run along most of a border."""
    length = sum(
        max(min(ruling.end, end) - max(ruling.begin, begin), 0.0) for ruling in rulings if abs(ruling.at - at) < EDGE_POINTS
    )
    return length >= COVERED_MIN * (end - begin)


def _rectangles(group: Sequence[int], columns: int) -> list[Block]:
    """The block of a group of places; one for each place if they are no rectangle."""
    rows = [place // columns for place in group]
    across = [place % columns for place in group]
    row, column = min(rows), min(across)
    down, wide = max(rows) - row + 1, max(across) - column + 1
    if down * wide == len(group):
        return [(row, column, down, wide)]
    return [(place // columns, place % columns, 1, 1) for place in group]


class _Sets:
    """Disjoint sets of the numbers below `count`."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def join(self, one: int, other: int) -> None:
        """Make the sets of two numbers one."""
        self._parents[self._root(one)] = self._root(other)

    def groups(self) -> Iterable[list[int]]:
        """The sets, each ascending."""
        groups: dict[int, list[int]] = {}
        for number in range(len(self._parents)):
            groups.setdefault(self._root(number), []).append(number)
        return groups.values()

    def _root(self, number: int) -> int:
        parents = self._parents
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number
