"""Reads a table of an HTML tree into cells, with their spans (the algorithm of the HTML standard, 4.9.12, without its errors)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ingest_server.handlers.elements import Cell

SPAN_MAX = 1000
"""As in the HTML standard for columns; rows are bounded by the same."""
CELLS_MAX = 100_000
"""Cells read of one table."""

Table = tuple[int, int, list[Cell], str]
"""(rows, columns, cells in reading order, caption)"""

MARK = "\ue8f1"
"""Begins a mark: a private character, removed from the document before."""
LINE_END = f"{MARK}L"
"""Marks the end of a line within a cell."""

_GROUPS = frozenset(("thead", "tbody", "tfoot"))
_LINE_ENDS = re.compile(r"<(?:/(?i:p|div|li|dt|dd|h[1-6])\b|(?i:br)\b|(?i:pre)\b.*?</(?i:pre))", re.DOTALL)
_UNREAD = re.compile(r"<(?i:(script|style|template))\b.*?</(?i:\1)\s*>", re.DOTALL)


def with_line_ends(text: str, *, capitals: bool = False) -> str:
    """HTML in which lines end within tables with a mark, and without what is in them but is no text.

    The text of a node, as the library gives it, runs all together, script and style included; and looking at each node in a table
    of thousands takes too long, since the library finds each by searching from the first. So it is done to the source.

    Args:
        text: HTML.
        capitals: whether its tags are written in capitals.
    """
    table = "TABLE" if capitals else "table"
    return replaced(text, f"<{table}", f"</{table}>", lambda piece: _LINE_ENDS.sub(_marked, _UNREAD.sub("", piece)) + "</table>")


def replaced(text: str, begin: str, end: str, change: Callable[[str], str]) -> str:
    """Text in which each piece from `begin` to the next `end` is changed.

    Args:
        text: HTML.
        begin: where a piece begins.
        end: the first thing behind it.
        change: is given the piece with `begin` and without `end`, and gives what stands for both.
    """
    # A regular expression for the same looks at each "<" of the document, which takes longer than to parse it.
    parts: list[str] = []
    done, at = 0, text.find(begin)
    while at >= 0 and (stop := text.find(end, at)) >= 0:
        parts += (text[done:at], change(text[at:stop]))
        done = stop + len(end)
        at = text.find(begin, done)
    return "".join((*parts, text[done:])) if parts else text


def _marked(found: re.Match[str]) -> str:
    """A tag with the mark before it; of preformatted text, with one before each line end."""
    return (LINE_END + found.group()).replace("\n", f"{LINE_END}\n")


def unwrap_layout(tree: Any, table: Any, rows: list[Any]) -> bool:
    """Turn a table that only lays out the page into blocks. It says so, or it holds tables, or its only row holds blocks: columns
    of an index, code beside its line numbers. Returns whether it was one."""
    if table.getattr("role") != "presentation" and table.query_selector("table") is None and not _is_columns(table, rows):
        return False
    block = tree.create_element("div")
    for row in rows:
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


def _is_columns(table: Any, rows: list[Any]) -> bool:
    """Whether a table has one row, and in it what stands in no table of values: lists, code, headings, several paragraphs."""
    return (
        len(rows) == 1
        and table.query_selector("ul, ol, dl, pre, blockquote, h1, h2, h3, h4, h5, h6, p + p") is not None
        and table.query_selector("th, caption") is None
    )


def read_table(table: Any, rows: list[Any]) -> Table:
    """Cells of a table without tables inside, which has `rows`; of HTML that went through `with_line_ends`."""
    cells: list[Cell] = []
    taken: set[tuple[int, int]] = set()
    row_count = column_count = 0
    for row_index, row in enumerate(rows):
        column = 0
        for cell in _children(row):
            if cell.tag not in ("td", "th") or len(cells) >= CELLS_MAX:
                continue
            while (row_index, column) in taken:
                column += 1
            row_span, column_span = _span(cell, "rowspan"), _span(cell, "colspan")
            text = _lines(cell.text or "")
            cells.append((row_index, column, row_span, column_span, text, cell.tag == "th"))
            if row_span > 1:
                taken.update((below, beside) for below in range(row_index + 1, row_index + row_span)
                             for beside in range(column, column + column_span))  # fmt: skip
            column += column_span
        row_count = row_index + 1
        column_count = max(column_count, column)
    # A span may reach below the last row: the standard cuts it there.
    cells = [(row, column, min(down, row_count - row), across, text, header) for row, column, down, across, text, header in cells]
    return row_count, column_count, cells, _caption(table)


def _lines(text: str) -> str:
    """The text of a cell: white space is one space, lines are those that were marked, empty ones left out."""
    if LINE_END not in text:
        return " ".join(text.split())
    return "\n".join(line for line in (" ".join(part.split()) for part in text.split(LINE_END)) if line)


def _caption(table: Any) -> str:
    """The caption, without the link that only leads to itself."""
    caption = table.query_selector("caption")
    if caption is None:
        return ""
    for link in caption.query_selector_all("a.headerlink"):
        link.decompose()
    return " ".join((caption.text or "").replace(LINE_END, " ").split())


def rows_of(table: Any) -> list[Any]:
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
