"""A table: its cells, whether its first rows are a header, and its form as an element in the protobuf wire format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ingest.v1 import document_pb2
from ingest_server.handlers.elements import Box
from ingest_server.handlers.pdf.hyphens import joined
from ingest_server.handlers.pdf.tables.words import Word
from ingest_server.handlers.table_bytes import HEADER_CHARACTERS_MAX

NUMBER = re.compile(r"[-+−–±(]?[$€£¥]?\s*[-+−–]?\d[\d.,'’\s]*(?:[eE][-+]?\d+)?\s*[%€$£)]?\*{0,3}")
"""What the body of a table holds and its header does not."""


class Cell(NamedTuple):
    """A cell with text."""

    row: int
    column: int
    row_span: int
    column_span: int
    text: str


class Table(NamedTuple):
    """A table of a page.

    Attributes:
        box: where it stands.
        rows, columns: how many.
        cells: those with text, row by row.
        header_rows: rows from the top that are headers.
        words: all that stand in it.
    """

    box: Box
    rows: int
    columns: int
    cells: Sequence[Cell]
    header_rows: int
    words: Sequence[Word]


def text_of(words: Iterable[Word], page_text: str) -> str:
    """The text of a cell: its words line by line, from left to right, divided ones joined.

    Args:
        words: in any order.
        page_text: of the page, which tells whether a divided word has a hyphen of its own.
    """
    lines: list[list[Word]] = []
    for word in sorted(words, key=lambda each: each.bottom):
        # Small and raised words stand in the line of those beside them.
        if lines and word.middle < max(each.bottom for each in lines[-1]) - 0.2 * word.size:
            lines[-1].append(word)
        else:
            lines.append([word])
    text, divided = "", False
    for line in lines:
        line.sort()
        piece = " ".join(word.text for word in line)
        text = joined(text, piece, page_text) if divided else f"{text} {piece}" if text else piece
        divided = line[-1].divided
    return text + "-" if divided else text


def header_rows(rows: int, columns: int, cells: Sequence[Cell], ruled_off: int = 0) -> int:
    """How many rows from the top name the columns.

    Args:
        rows, columns, cells: of the table.
        ruled_off: rows above a line that stands out; 0 for none.

    Returns:
        0 where the first row is like the others: with a number in it, with too few names, or with the same name twice.
    """
    if rows < 2:
        return 0
    if 0 < ruled_off < rows and ruled_off <= HEADER_ROWS_MAX:
        return ruled_off
    first = [cell for cell in cells if cell.row == 0]
    covered = sum(cell.column_span for cell in first)
    names = [cell.text for cell in first]
    # The corner over the first column, which names the rows, may be empty.
    if covered < max(columns - 1, 1) or len(set(names)) < len(names):
        return 0
    if any(len(name) > HEADER_CHARACTERS_MAX or NUMBER.fullmatch(name) for name in names):
        return 0
    down = max(cell.row_span for cell in first)
    split = any(cell.column_span > 1 for cell in first)
    return min(max(down, 2 if split else 1), rows - 1, HEADER_ROWS_MAX)


HEADER_ROWS_MAX = 3
"""Rows of a header: of groups, names and units."""


def as_entry(table: Table, number: int, page: int) -> bytes:
    """The table as an entry of `Document.elements`.

    Args:
        table: found on the page.
        number: its id is "e" and this.
        page: from 1.
    """
    document = document_pb2.Document()
    element = document.elements.add(id=f"e{number}", page=page)
    box = element.bounding_box
    box.left, box.top, box.right, box.bottom = table.box
    made = element.table
    made.rows, made.columns = table.rows, table.columns
    for row, column, down, across, text in table.cells:
        header = row < table.header_rows
        made.cells.add(row=row, column=column, row_span=down, column_span=across, text=text, header=header)
    return document.SerializeToString()


def box_of(words: Sequence[Word]) -> Box:
    """The box around some words, at least one."""
    return (
        min(word.left for word in words),
        min(word.top for word in words),
        max(word.right for word in words),
        max(word.bottom for word in words),
    )
