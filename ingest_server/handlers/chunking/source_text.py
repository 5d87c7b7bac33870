"""The text of a document as one string, and which element each part of it came from."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from ingest.v1 import document_pb2

ELEMENT_SEPARATOR = "\n\n"


@dataclass(frozen=True, slots=True)
class Piece:
    """One element's part of the text.

    Attributes:
        start: offset of its first character.
        end: offset after its last.
        element_id: of the element.
        page: it begins on; 0 where there are none.
        heading_level: of a heading; 0 for all else.
        is_heading: whether it is one; its level may be unknown.
        is_table: whether it is a table.
    """

    start: int
    end: int
    element_id: str
    page: int
    heading_level: int
    is_heading: bool
    is_table: bool


class SourceText:
    """The text of a document: of all elements that have any, in reading order, a blank line between them.

    Attributes:
        text: all of it.
        pieces: one for each element with text, in order.
    """

    def __init__(self, document: document_pb2.Document) -> None:
        """Take the text of `document`."""
        parts: list[str] = []
        self.pieces: list[Piece] = []
        offset = 0
        for element in document.elements:
            kind = element.WhichOneof("kind")
            text = element_text(element)
            if not text:
                continue
            end = offset + len(text)
            heading = kind == "text" and (element.heading_level > 0 or element.text.role == document_pb2.TEXT_ROLE_HEADING)
            level = element.heading_level or (1 if heading else 0)
            self.pieces.append(Piece(offset, end, element.id, element.page, level, heading, kind == "table"))
            parts.append(text)
            offset = end + len(ELEMENT_SEPARATOR)
        self.text = ELEMENT_SEPARATOR.join(parts)
        self._starts = [piece.start for piece in self.pieces]
        self._ends = [piece.end for piece in self.pieces]

    def touched(self, start: int, end: int) -> list[Piece]:
        """The pieces of which characters lie in [start, end)."""
        return self.pieces[bisect_right(self._ends, start) : bisect_left(self._starts, end)]


def element_text(element: document_pb2.Element) -> str:
    """The text of an element without blanks around it: a table row by row, a picture by its alternative text."""
    kind = element.WhichOneof("kind")
    if kind == "text":
        text = element.text.text
    elif kind == "table":
        text = _table_text(element.table)
    else:
        text = element.image.alt_text if kind == "image" else ""
    return text.strip()


def _table_text(table: document_pb2.TableElement) -> str:
    """Caption, then row by row, cells apart by tabs; positions that a span covers are empty. Breaks inside a cell become spaces:
    a line is a row."""
    rows: dict[int, dict[int, str]] = {}
    for cell in table.cells:
        rows.setdefault(cell.row, {})[cell.column] = " ".join(cell.text.split())
    lines = [table.caption] if table.caption else []
    for _, row in sorted(rows.items()):
        lines.append("\t".join(row.get(column, "") for column in range(max(row) + 1)))
    return "\n".join(lines)
