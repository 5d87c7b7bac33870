"""A document as plain text."""

from __future__ import annotations

from ingest.v1 import document_pb2
from ingest_client.rendering.cleaning import clean, one_line, with_pages
from ingest_client.rendering.grid import grid_of
from ingest_client.rendering.sections import sections


def plain_text(document: document_pb2.Document, *, page_marks: bool = False) -> str:
    """Text of all elements in reading order, a blank line between them; tables row by row, cells apart by tabs.

    Pictures contribute their alternative text. Control characters but tab and line feed are left out. With `page_marks` every
    page begins with a line such as `[page 3]`. Documents inside follow, each under its name. Ends without a line break.
    """
    parts: list[str] = []
    for section in sections(document):
        parts.append(section.heading)
        for page, element in with_pages(section.document):
            if page and page_marks:
                parts.append(f"[page {page}]")
            kind = element.WhichOneof("kind")
            if kind == "text":
                parts.append(clean(element.text.text).strip("\n"))
            elif kind == "table":
                parts.append(_table_text(element.table))
            elif kind == "image":
                parts.append(one_line(element.image.alt_text))
    return "\n\n".join(part for part in parts if part.strip())


def _table_text(table: document_pb2.TableElement) -> str:
    """A grid; holes and positions that a span covers stay empty."""
    rows = (("" if cell is None else one_line(cell.text) for cell in row) for row in grid_of(table))
    lines = ["\t".join(row).rstrip("\t") for row in rows]
    return "\n".join(filter(None, [one_line(table.caption), *lines]))
