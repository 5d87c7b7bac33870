"""Builds the elements of a Document: ids e1, e2, … in the order in which they are added."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.v1 import document_pb2

PARAGRAPH = document_pb2.TEXT_ROLE_PARAGRAPH
HEADING = document_pb2.TEXT_ROLE_HEADING
LIST_ITEM = document_pb2.TEXT_ROLE_LIST_ITEM
CODE = document_pb2.TEXT_ROLE_CODE
QUOTE = document_pb2.TEXT_ROLE_QUOTE
NOTE = document_pb2.TEXT_ROLE_NOTE

HEADING_LEVEL_MAX = 6
"""As in HTML and Markdown; deeper headings are given this level."""

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in points, origin at the top left of the page as it is shown."""


class ElementBuilder:
    """Adds elements to a document.

    Fields are set one by one and not through constructors: that is what protobuf is fastest at (2.0 instead of 3.5 µs an
    element), and a page has a dozen.
    """

    def __init__(self, document: document_pb2.Document) -> None:
        """Add to `document`, which has no elements yet."""
        self._elements = document.elements
        self._count = 0

    @property
    def count(self) -> int:
        """Elements added so far."""
        return self._count

    def text(self, text: str, role: document_pb2.TextRole = PARAGRAPH, *, page: int = 0, level: int = 0) -> document_pb2.Element:
        """Add text.

        Args:
            text: not empty.
            role: what part it plays.
            page: from 1; 0 where there are no pages.
            level: of a heading, from 1; those beyond `HEADING_LEVEL_MAX` are set to it.

        Returns:
            The element; its role may still be changed.
        """
        element = self._add(page)
        kind = element.text
        kind.text = text
        kind.role = role
        if level:
            element.heading_level = level if level < HEADING_LEVEL_MAX else HEADING_LEVEL_MAX
        return element

    def table(self, rows: int, columns: int, cells: Sequence[Cell], *, caption: str = "", page: int = 0) -> document_pb2.Element:
        """Add a table of `rows` × `columns` with `cells` in reading order, on `page` (0 where there are no pages)."""
        element = self._add(page)
        table = element.table
        table.rows, table.columns, table.caption = rows, columns, caption
        for row, column, row_span, column_span, text, header in cells:
            cell = table.cells.add()
            cell.row, cell.column, cell.row_span, cell.column_span = row, column, row_span, column_span
            cell.text, cell.header = text, header
        return element

    def image(self, alt_text: str, *, page: int = 0) -> document_pb2.Element:
        """Add a picture of which only the alternative text is known, on `page` (0 where there are no pages)."""
        element = self._add(page)
        element.image.alt_text = alt_text
        return element

    def _add(self, page: int) -> document_pb2.Element:
        self._count += 1
        element = self._elements.add()
        element.id = f"e{self._count}"
        if page:
            element.page = page
        return element


Cell = tuple[int, int, int, int, str, bool]
"""(row from 0, column from 0, row span, column span, text, whether it is a header)"""
