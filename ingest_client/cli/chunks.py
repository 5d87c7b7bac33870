"""How documents with chunks are shown: one line of JSON for each chunk."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from ingest.v1 import document_pb2

CHUNKS_EXTENSION = ".chunks.jsonl"


def chunk_records(document: document_pb2.Document, name: str) -> list[dict[str, Any]]:
    """The chunks, each with the name of its input, if it has one, and with where it came from."""
    place = {"name": name} if name else {}
    return [
        {
            **place,
            "id": chunk.id,
            "pages": list(chunk.pages),
            "element_ids": list(chunk.element_ids),
            "headings": list(chunk.headings),
            "token_count": chunk.token_count,
            "text": chunk.text,
        }
        for chunk in document.chunks
    ]


def chunk_lines(document: document_pb2.Document, name: str) -> str:
    """The same as JSON Lines, without a line break at the end."""
    return "\n".join(json.dumps(record, ensure_ascii=False) for record in chunk_records(document, name))


def dropped_counts(document: document_pb2.Document) -> dict[str, int]:
    """How many chunks each rule has dropped, most first."""
    return dict(Counter(each.rule for each in document.dropped_chunks).most_common())
