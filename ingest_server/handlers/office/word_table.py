"""Puts the cells of a word processing table into a grid: spans over columns, merges over rows, header rows, deleted rows."""

from __future__ import annotations

from ingest_server.handlers.elements import Cell
from ingest_server.handlers.office.xml_events import PartFault

CELLS_MAX = 100_000
"""Cells of one table; as in web pages."""
SPAN_MAX = 1_000
"""Columns that a cell may span, or that may lie before a row's first cell. Word itself has at most 63 columns."""


class WordTable:
    """A table under way, row by row.

    Attributes:
        first_row_heads: whether the first row is a header by the table's look and style.
        page: of its first text; 0 while there is none.
    """

    def __init__(self) -> None:
        self.first_row_heads = False
        self.page = 0
        self._cells: list[list[int | str | bool]] = []
        self._row = -1
        self._row_start = 0
        self._column = 0
        self._columns = 0
        self._row_heads = False
        self._row_deleted = False
        self._merges: dict[int, int] = {}
        self._merges_below: dict[int, int] = {}

    def begin_row(self) -> None:
        """The cells that follow are of the next row."""
        self._row += 1
        self._row_start = len(self._cells)
        self._column = 0
        self._row_heads = self._row == 0 and self.first_row_heads
        self._row_deleted = False
        self._merges_below = {}

    def head_row(self) -> None:
        """The row under way is repeated on every page: a header."""
        self._row_heads = True

    def delete_row(self) -> None:
        """The row under way is marked as deleted."""
        self._row_deleted = True

    def skip_columns(self, count: int) -> None:
        """The row under way begins after `count` columns."""
        self._column += min(max(count, 0), SPAN_MAX)

    def add(self, text: str, span: int, merge: str) -> None:
        """Add a cell.

        Args:
            text: its text.
            span: columns it spans, from 1 to `SPAN_MAX`.
            merge: "restart": cells below may continue it; "continue": it continues the one above; "": neither.

        Raises:
            PartFault: the table has too many cells.
        """
        if self._row < 0:
            self.begin_row()
        above = self._merges.get(self._column) if merge == "continue" else None
        if above is not None:
            cell = self._cells[above]
            if not self._row_deleted:
                cell[2] = self._row - int(cell[0]) + 1
            # What a continued cell holds is not shown.
            self._merges_below[self._column] = above
        else:
            if len(self._cells) >= CELLS_MAX:
                raise PartFault(f"has a table of more than {CELLS_MAX} cells")
            if merge:
                self._merges_below[self._column] = len(self._cells)
            self._cells.append([self._row, self._column, 1, span, text, self._row_heads])
        self._column += span

    def end_row(self) -> None:
        """The row under way is complete."""
        if self._row_deleted:
            del self._cells[self._row_start :]
            self._row -= 1
            return
        self._columns = max(self._columns, self._column)
        self._merges = self._merges_below

    def grid(self) -> tuple[int, int, list[Cell]]:
        """Rows, columns, and the cells in reading order."""
        cells: list[Cell] = [tuple(cell) for cell in self._cells]  # type: ignore[misc]  # made as such in `add`
        return self._row + 1, self._columns, cells
