"""Plain text of a `Document`."""

from __future__ import annotations

from ingest.v1 import document_pb2

DOCUMENT_MEDIA_TYPE = "application/vnd.ingest.document+proto"


def document_text(document: document_pb2.Document) -> str:
    """Text of all elements in reading order, a blank line between them; tables row by row, cells apart by tabs.

    Pictures contribute their alternative text. Ends without a line break.
    """
    parts: list[str] = []
    for element in document.elements:
        kind = element.WhichOneof("kind")
        if kind == "text":
            parts.append(element.text.text)
        elif kind == "table":
            parts.append(_table_text(element.table))
        elif kind == "image":
            parts.append(element.image.alt_text)
    return "\n\n".join(part for part in parts if part)


def _table_text(table: document_pb2.TableElement) -> str:
    """A grid; positions that a span covers stay empty. Rows are as many as cells name, so a wrong count loses nothing."""
    rows: dict[int, dict[int, str]] = {}
    for cell in table.cells:
        rows.setdefault(cell.row, {})[cell.column] = cell.text.replace("\n", " ")
    lines = [table.caption] if table.caption else []
    for _, row in sorted(rows.items()):
        lines.append("\t".join(row.get(column, "") for column in range(max(row) + 1)))
    return "\n".join(lines)
