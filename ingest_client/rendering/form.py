"""What a form holds, as a table below the document: the page's own text has the labels of its fields, not what was filled in."""

from __future__ import annotations

from ingest.v1 import document_pb2

_HEADS = ("Field", "Value")
_MARKS = (document_pb2.FORM_FIELD_KIND_CHECKBOX, document_pb2.FORM_FIELD_KIND_RADIO_BUTTON)


def filled_form(document: document_pb2.Document) -> document_pb2.Element | None:
    """A table of the fields that hold something: what people are told the field is for, or else its name, and what it holds; of
    check boxes and radio buttons those that are checked. A field shown at several places stands once. None if all are empty."""
    rows: dict[tuple[str, str], None] = {}
    for field in document.form_fields:
        value = field.value if field.kind not in _MARKS else (field.value or "checked") if field.checked else ""
        if value.strip():
            rows.setdefault((field.label or field.name, value))
    if not rows:
        return None
    element = document_pb2.Element()
    table = element.table
    table.rows, table.columns = len(rows) + 1, len(_HEADS)
    for row, texts in enumerate((_HEADS, *rows)):
        for column, text in enumerate(texts):
            table.cells.add(row=row, column=column, row_span=1, column_span=1, text=text, header=row == 0)
    return element
