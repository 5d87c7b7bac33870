"""Reads a table of an HTML tree into cells, with their spans (the algorithm of the HTML standard, 4.9.12, without its errors)."""

from __future__ import annotations

from typing import Any

from ingest_server.handlers.elements import Cell

SPAN_MAX = 1000
"""As in the HTML standard for columns; rows are bounded by the same."""
CELLS_MAX = 100_000
"""Cells read of one table."""

Table = tuple[int, int, list[Cell], str]
"""(rows, columns, cells in reading order, caption)"""

_GROUPS = frozenset(("thead", "tbody", "tfoot"))


def unwrap_layout(tree: Any, table: Any) -> bool:
    """Turn a table that only lays out the page (it holds tables, or says so) into blocks. Returns whether it was one."""
    if table.getattr("role") != "presentation" and table.query_selector("table") is None:
        return False
    block = tree.create_element("div")
    for row in _rows(table):
        for cell in _children(row):
            part = tree.create_element("div")
            child = cell.first_child
            while child is not None:
                following = child.next_sibling
                part.append_child(child)
                child = following
            block.append_child(part)
    table.replace_with(block)
    return True


def read_table(table: Any) -> Table:
    """Cells of a table without tables inside."""
    cells: list[Cell] = []
    taken: set[tuple[int, int]] = set()
    row_count = column_count = 0
    for row_index, row in enumerate(_rows(table)):
        column = 0
        for cell in _children(row):
            if cell.tag not in ("td", "th") or len(cells) >= CELLS_MAX:
                continue
            while (row_index, column) in taken:
                column += 1
            row_span, column_span = _span(cell, "rowspan"), _span(cell, "colspan")
            text = " ".join((cell.text or "").split())
            cells.append((row_index, column, row_span, column_span, text, cell.tag == "th"))
            if row_span > 1:
                taken.update((below, beside) for below in range(row_index + 1, row_index + row_span)
                             for beside in range(column, column + column_span))  # fmt: skip
            column += column_span
        row_count = row_index + 1
        column_count = max(column_count, column)
    # A span may reach below the last row: the standard cuts it there.
    cells = [(row, column, min(down, row_count - row), across, text, header) for row, column, down, across, text, header in cells]
    caption = table.query_selector("caption")
    return row_count, column_count, cells, " ".join(((caption.text if caption is not None else "") or "").split())


def _rows(table: Any) -> list[Any]:
    """Rows of a table, in order, groups or not."""
    rows = []
    for child in _children(table):
        if child.tag == "tr":
            rows.append(child)
        elif child.tag in _GROUPS:
            rows += [row for row in _children(child) if row.tag == "tr"]
    return rows


def _children(node: Any) -> list[Any]:
    """Element children. Collections of the library search anew at each step; siblings are followed instead."""
    children = []
    child = node.first_element_child
    while child is not None:
        children.append(child)
        child = child.next_element_sibling
    return children


def _span(cell: Any, name: str) -> int:
    """A span attribute; 1 where it is missing or nonsense."""
    value = (cell.getattr(name) or "").strip()
    return min(max(int(value), 1), SPAN_MAX) if value.isascii() and value.isdigit() and len(value) < 9 else 1
