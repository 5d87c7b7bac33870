"""Puts the cells of a table into a grid in which every position is a cell, a hole, or covered by a span."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingest.v1 import document_pb2

_POSITIONS_PER_CELL = 50
_POSITIONS_FREE = 10_000
"""A grid may have so many positions for every cell, and so many in any case. Sheets and tables of real documents fill at least a
tenth of their positions; a cell at row and column two thousand million shall not take the memory of such a table."""


@dataclass(slots=True)
class GridCell:
    """A cell, its spans cut to the grid. `header` as in the table."""

    text: str
    header: bool = False
    row_span: int = 1
    column_span: int = 1


COVERED = GridCell("", row_span=0, column_span=0)
"""Stands where a span of another cell is."""

Row = list[GridCell | None]
"""One row: a cell, None for a hole, COVERED under a span. All rows of a grid are equally long, but those of a squeezed one."""


def grid_of(table: document_pb2.TableElement) -> list[Row]:
    """The table as rows of positions.

    Counts and places in the table are not trusted. Every text is in the grid once: cells that claim the same place are joined
    by a line feed, spans end before other cells and at the edge, places before the first count as the first. The grid ends with
    the last row and column in which a cell begins. A table with far more holes than cells is squeezed: rows without cells and
    holes are left out, and spans are forgotten.

    Returns:
        The rows from top to bottom; none for a table without cells.
    """
    rows = max((cell.row for cell in table.cells), default=-1) + 1
    columns = max((cell.column for cell in table.cells), default=-1) + 1
    if not table.cells:
        return []
    if max(rows, 1) * max(columns, 1) > _POSITIONS_FREE + _POSITIONS_PER_CELL * len(table.cells):
        return _squeezed(table.cells)
    grid: list[Row] = [[None] * max(columns, 1) for _ in range(max(rows, 1))]
    spanning: list[tuple[int, int, document_pb2.TableCell]] = []
    for cell in table.cells:
        row, column = max(cell.row, 0), max(cell.column, 0)
        there = grid[row][column]
        if there is not None:
            there.text = f"{there.text}\n{cell.text}"
            continue
        grid[row][column] = GridCell(cell.text, cell.header)
        if cell.row_span > 1 or cell.column_span > 1:
            spanning.append((row, column, cell))
    for row, column, cell in spanning:
        _cover(grid, row, column, cell)
    return grid


def is_header(row: Sequence[GridCell | None]) -> bool:
    """Whether the row heads a table: it has a header with a text, and nothing with a text that is none."""
    texts = [cell for cell in row if cell is not None and cell.text.strip()]
    return bool(texts) and all(cell.header for cell in texts)


def _cover(grid: list[Row], row: int, column: int, cell: document_pb2.TableCell) -> None:
    """Stretch the cell at `row`, `column` as far as its spans and free positions go: first to the right, then down."""
    owner = grid[row][column]
    if owner is None or owner is COVERED:
        return
    right = column + 1
    while right < min(column + cell.column_span, len(grid[row])) and grid[row][right] is None:
        right += 1
    below = row + 1
    while below < min(row + cell.row_span, len(grid)) and all(each is None for each in grid[below][column:right]):
        below += 1
    for number in range(row, below):
        grid[number][column:right] = [COVERED] * (right - column)
    grid[row][column] = owner
    owner.row_span, owner.column_span = below - row, right - column


def _squeezed(cells: Iterable[document_pb2.TableCell]) -> list[Row]:
    """Rows that have cells, these side by side, ordered by row and column."""
    rows: dict[int, Row] = {}
    for cell in sorted(cells, key=lambda each: (each.row, each.column)):
        rows.setdefault(cell.row, []).append(GridCell(cell.text, cell.header))
    return list(rows.values())
