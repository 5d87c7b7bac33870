"""The grid of a table: places and spans that lie, cells that collide, tables of holes."""

from __future__ import annotations

from collections import Counter

from hypothesis import given

from ingest.v1 import document_pb2
from ingest_client.rendering.grid import COVERED, GridCell, grid_of
from tests.unit.rendering.documents import table_of, tables


def drawn(table: document_pb2.TableElement) -> list[str]:
    """Rows as text: "." is a hole, "#" is covered."""
    return [",".join("." if cell is None else "#" if cell is COVERED else cell.text for cell in row) for row in grid_of(table)]


def table_with(*cells: tuple[int, int, int, int, str]) -> document_pb2.TableElement:
    table = document_pb2.TableElement()
    for row, column, row_span, column_span, text in cells:
        table.cells.add(row=row, column=column, row_span=row_span, column_span=column_span, text=text)
    return table


def test_counts_that_lie_cost_nothing() -> None:
    table = table_with((0, 0, 2**31 - 1, 2**31 - 1, "a"))
    table.rows = table.columns = 2**31 - 1
    assert drawn(table) == ["a"]


def test_cells_far_away_are_squeezed_together() -> None:
    assert drawn(table_with((2**31 - 1, 7, 1, 1, "c"), (0, 2**31 - 1, 1, 1, "b"), (0, 3, 9, 9, "a"))) == ["a,b", "c"]


def test_cells_of_one_place_are_joined() -> None:
    assert drawn(table_with((0, 0, 1, 1, "a"), (0, 0, 1, 1, "b"), (-1, -5, 1, 1, "c"))) == ["a\nb\nc"]


def test_spans_end_before_other_cells() -> None:
    assert drawn(table_with((0, 0, 2, 3, "a"), (0, 2, 1, 1, "b"), (1, 1, 1, 1, "c"))) == ["a,#,b", ".,c,."]


def test_spans_that_cross_share_nothing() -> None:
    table = table_with((0, 1, 3, 1, "down"), (1, 0, 1, 3, "right"), (2, 2, 1, 1, "end"))
    assert drawn(table) == [".,down,.", "right,#,.", ".,#,end"]
    spans = [cell.row_span * cell.column_span for row in grid_of(table) for cell in row if cell is not None]
    assert sum(spans) == sum(cell is not None for row in grid_of(table) for cell in row)


def test_holes_stay_holes() -> None:
    assert drawn(table_of("a,.,c", ".,.,.", ".,b,.").table) == ["a,.,c", ".,.,.", ".,b,."]
    assert grid_of(document_pb2.TableElement(rows=3, columns=3)) == []


@given(tables())
def test_nothing_is_lost_nothing_is_twice_and_spans_cover_what_they_say(element: document_pb2.Element) -> None:
    grid = grid_of(element.table)
    cells = [cell for row in grid for cell in row if isinstance(cell, GridCell) and cell is not COVERED]
    letters = Counter("".join(cell.text for cell in cells).replace("\n", ""))
    assert letters == Counter("".join(cell.text for cell in element.table.cells).replace("\n", ""))
    covered = sum(cell is COVERED for row in grid for cell in row)
    assert sum(cell.row_span * cell.column_span - 1 for cell in cells) == covered
    assert sum(map(len, grid)) <= 10_000 + 50 * len(element.table.cells)
