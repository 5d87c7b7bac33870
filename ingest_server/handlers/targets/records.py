"""Documents, elements and chunks as flat records: what JSON lines and Parquet hold, with the same names in both."""

from __future__ import annotations

import base64
from typing import Any

from ingest.v1 import document_pb2
from ingest_server.handlers.chunking.source_text import element_text
from ingest_server.handlers.targets.stored_documents import StoredDocument

_ROLE_PREFIX = len("TEXT_ROLE_")


def document_record(stored: StoredDocument) -> dict[str, Any]:
    """What is known of the document itself."""
    document = stored.document
    return {
        "document_id": stored.document_id,
        "parent_id": stored.parent_id or None,
        "document_key": stored.key or None,
        "name": stored.name,
        "title": document.title,
        "authors": list(document.authors),
        "language": document.language,
        "media_type": document.media_type,
        "sha256": document.sha256,
        "page_count": document.page_count,
        "create_time": document.create_time.ToJsonString() if document.HasField("create_time") else None,
        "tokenizer": document.tokenizer,
        "embedding_model": document.embedding_model,
        "issues": [{"page": each.page, "reason": each.reason, "message": each.message} for each in document.issues],
    }


def element_record(document_id: str, position: int, element: document_pb2.Element) -> dict[str, Any]:
    """An element. `position` counts from 0; `text` is that of a table too, a line a row; pixels of pictures are left out."""
    kind = element.WhichOneof("kind") or ""
    box = element.bounding_box
    return {
        "document_id": document_id,
        "position": position,
        "element_id": element.id,
        "page": element.page,
        "kind": kind,
        "role": text_role(element) if kind == "text" else None,
        "heading_level": element.heading_level,
        "bounding_box": [box.left, box.top, box.right, box.bottom] if element.HasField("bounding_box") else None,
        "text": element_text(element),
    }


def chunk_record(document_id: str, position: int, chunk: document_pb2.Chunk) -> dict[str, Any]:
    """A chunk without its vector."""
    return {
        "document_id": document_id,
        "position": position,
        "chunk_id": chunk.id,
        "pages": list(chunk.pages),
        "headings": list(chunk.headings),
        "element_ids": list(chunk.element_ids),
        "token_count": chunk.token_count,
        "text": chunk.text,
    }


def vector_of(chunk: document_pb2.Chunk) -> list[float] | None:
    """The vector of a chunk as numbers with the nine digits that tell a float32 exactly; None if it has none."""
    return [float(f"{value:.9g}") for value in chunk.embedding] or None


def content_of(element: document_pb2.Element) -> dict[str, Any] | None:
    """What an element has beyond its text: the cells of a table, the properties of a picture; None for text."""
    if element.HasField("table"):
        table = element.table
        cells = [
            {
                "row": cell.row,
                "column": cell.column,
                "row_span": cell.row_span,
                "column_span": cell.column_span,
                "text": cell.text,
                "header": cell.header,
            }
            for cell in table.cells
        ]
        return {"rows": table.rows, "columns": table.columns, "caption": table.caption, "cells": cells}
    if element.HasField("image"):
        image = element.image
        properties: dict[str, Any] = {
            "media_type": image.media_type,
            "width_pixels": image.width_pixels,
            "height_pixels": image.height_pixels,
            "alt_text": image.alt_text,
        }
        return {**properties, "data": base64.b64encode(image.data).decode()} if image.data else properties
    return None


def text_role(element: document_pb2.Element) -> str:
    """The role of a text in lower case, such as "list_item"; "unspecified" for one that is not known here."""
    try:
        return document_pb2.TextRole.Name(element.text.role)[_ROLE_PREFIX:].lower()
    except ValueError:
        return "unspecified"
