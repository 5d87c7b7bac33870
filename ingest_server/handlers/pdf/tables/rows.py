"""Rows of text: pieces at one height, the strips that stay empty between them, and lines that belong to one row of a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ingest_server.handlers.pdf.tables.grid import NUMBER
from ingest_server.handlers.pdf.tables.rulings import Ruling
from ingest_server.handlers.pdf.tables.words import Piece

SAME_HEIGHT_SIZES = 0.45
"""Pieces whose middles differ by less than so many font sizes stand in one row."""
LEADING_SIZES_MAX = 1.45
"""Lines of one cell are at most so many font sizes apart; single spacing is 1.2."""
LONG_CHARACTERS = 20
"""A cell with so many in a line is broken for want of room, not because something new begins."""
JUMP_SIZES = 0.2
"""Rows stand further apart than the lines of a cell by at least so many font sizes, if a table has cells of several lines."""


@dataclass(frozen=True, slots=True)
class Row:
    """Pieces at one height, from left to right."""

    pieces: Sequence[Piece]

    @property
    def top(self) -> float:
        """Upper edge of the highest."""
        return min(piece.top for piece in self.pieces)

    @property
    def bottom(self) -> float:
        """Lower edge of the lowest."""
        return max(piece.bottom for piece in self.pieces)

    @property
    def middle(self) -> float:
        """Half the height of the first."""
        return self.pieces[0].middle

    @property
    def size(self) -> float:
        """The largest font size, in points."""
        return max(piece.size for piece in self.pieces)


def rows_of(pieces: Iterable[Piece]) -> list[Row]:
    """Group pieces by height, from top to bottom."""
    groups: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda each: each.middle):
        if groups and piece.middle - groups[-1][0].middle < SAME_HEIGHT_SIZES * min(piece.size, groups[-1][0].size):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return [Row(sorted(group)) for group in groups]


Places = Sequence[Sequence[Sequence[Piece]]]
"""Row of text → column of the table → its pieces."""


def row_starts(rows: Sequence[Row], places: Places, across: Sequence[Ruling]) -> list[int]:
    """Which rows of text begin a row of the table.

    Args:
        rows: of text, from top to bottom.
        places: what they hold, column by column.
        across: horizontal rulings that run over most of the table's width.

    Returns:
        Their indexes, 0 among them.
    """
    cuts = [_is_ruled(above, below, across) for above, below in pairwise(rows)]
    if _lines_part_rows(cuts, places):
        return [0, *(index for index, cut in enumerate(cuts, 1) if cut)]
    steps = [(below.middle - above.middle) / below.size for above, below in pairwise(rows)]
    limit = _leading(steps, places)
    starts = [0]
    for index, (step, cut) in enumerate(zip(steps, cuts, strict=True), 1):
        goes_on = step <= limit if limit else step <= LEADING_SIZES_MAX and _continues(places, starts[-1], index)
        if cut or not goes_on:
            starts.append(index)
    return starts


def _is_ruled(above: Row, below: Row, across: Sequence[Ruling]) -> bool:
    """Whether a line runs between two rows."""
    return any(above.middle < ruling.at < below.middle for ruling in across)


def _lines_part_rows(cuts: Sequence[bool], places: Places) -> bool:
    """Whether there is a line after each row of the table, or a change of background."""
    count = sum(cuts) + 1
    if count < 3 or count < 0.25 * len(places):
        return False
    starts = [0, *(index for index, cut in enumerate(cuts, 1) if cut), len(places)]
    # Rows of text between two lines that are all full are rows of the table: lines stand after every fifth row.
    several = [(begin, end) for begin, end in pairwise(starts) if end - begin > 1]
    return not several or sum(_all_full(places[begin:end]) for begin, end in several) < 0.5 * len(several)


def _leading(steps: Sequence[float], places: Places) -> float:
    """The greatest step, in font sizes, between lines of one cell; 0 where steps do not tell."""
    ordered = sorted(steps)
    jumps = [below for below, above in pairwise(ordered) if below <= LEADING_SIZES_MAX and above - below >= JUMP_SIZES]
    if not jumps:
        return 0.0
    # Lines of cells beside each other, set in the middle of their row, are nearer than lines of one cell: the last jump counts.
    limit = jumps[-1]
    groups: list[list[int]] = [[0]]
    for index, step in enumerate(steps, 1):
        if step <= limit:
            groups[-1].append(index)
        else:
            groups.append([index])
    several = [group for group in groups if len(group) > 1]
    full = sum(_all_full([places[index] for index in group]) for group in several)
    return limit + JUMP_SIZES / 2 if full < 0.5 * len(several) else 0.0


def _all_full(lines: Places) -> bool:
    """Whether lines look like rows of their own: nearly all have text in the first column and in most others."""
    rich = sum(1 for line in lines if line[0] and 3 * sum(map(bool, line)) > 2 * len(line))
    return rich > 0.7 * len(lines)


def _continues(places: Places, start: int, index: int) -> bool:
    """Whether a line goes on with cells of the row that began at line `start`: nothing in the first column, and text only where
    that row has text which leaves no room for the next word."""
    line = places[index]
    filled = [column for column, pieces in enumerate(line) if pieces]
    above = places[index - 1]
    if not filled or line[0] or any(NUMBER.fullmatch(line[column][0].text) for column in filled):
        return False
    if not all(above[column] for column in filled):
        return False
    for column in filled:
        rights = [piece.right for each in places for piece in each[column]]
        lefts = [piece.left for each in places for piece in each[column]]
        next_word = line[column][0].words[0]
        if above[column][-1].right + (next_word.right - next_word.left) < max(rights) - 0.1 * (max(rights) - median(lefts)):
            continue
        before = above[column][-1].text
        if next_word.text[0].islower() or before[-1] in ",;-–" or len(before) >= LONG_CHARACTERS:
            return True
    return False
