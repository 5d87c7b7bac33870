"""How documents with chunks are shown: one line of JSON for each chunk."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from ingest.v1 import document_pb2

CHUNKS_EXTENSION = ".chunks.jsonl"


def has_chunks(document: document_pb2.Document) -> bool:
    """Whether the document or one inside it has chunks, or had some that were dropped."""
    return bool(document.chunks or document.dropped_chunks) or any(map(has_chunks, document.documents))


def chunk_records(document: document_pb2.Document, name: str) -> list[dict[str, Any]]:
    """The chunks, each with the name of its input, if it has one, and with where it came from. Those of documents inside follow,
    under the name of the input and of the document in it: "mail.eml/report.pdf"."""
    place = {"name": name} if name else {}
    records = [
        {
            **place,
            "id": chunk.id,
            "pages": list(chunk.pages),
            "element_ids": list(chunk.element_ids),
            "headings": list(chunk.headings),
            "token_count": chunk.token_count,
            "text": chunk.text,
            **({"embedding": [_short(number) for number in chunk.embedding]} if chunk.embedding else {}),
        }
        for chunk in document.chunks
    ]
    for inner in document.documents:
        records += chunk_records(inner, f"{name}/{inner.name}" if name and inner.name else name or inner.name)
    return records


def chunk_lines(document: document_pb2.Document, name: str) -> str:
    """The same as JSON Lines, without a line break at the end."""
    return "\n".join(json.dumps(record, ensure_ascii=False) for record in chunk_records(document, name))


def chunks_kept(document: document_pb2.Document) -> int:
    """How many chunks the document and those inside it have."""
    return len(document.chunks) + sum(map(chunks_kept, document.documents))


def _short(number: float) -> float:
    """A 32-bit float in eight digits: as a double it would show sixteen, half of them noise."""
    return float(f"{number:.8g}")


def dropped_counts(document: document_pb2.Document) -> dict[str, int]:
    """How many chunks each rule has dropped, in the document and those inside it, most first."""
    return dict(_dropped(document).most_common())


def _dropped(document: document_pb2.Document) -> Counter[str]:
    counts = Counter(each.rule for each in document.dropped_chunks)
    for inner in document.documents:
        counts += _dropped(inner)
    return counts
