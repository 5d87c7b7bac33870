"""A Document and the documents in it (attachments, members of archives), each with the identity it has in a target."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.v1 import document_pb2

ID_HEX_DIGITS = 32
"""128 bits: no two keys meet by chance."""


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """One document on its way to a target.

    Attributes:
        document_id: the same whenever the same document is stored: hexadecimal digits, and for those inside others the place
            behind them, such as "…/2/1".
        parent_id: of the one it lies in; "" for that of the job.
        key: as the job gave it; "" if it gave none.
        name: for people.
        document: itself.
    """

    document_id: str
    parent_id: str
    key: str
    name: str
    document: document_pb2.Document


def document_id_of(document: document_pb2.Document, name: str, key: str) -> str:
    """The identity of a job's document: that of its key, or else of its file's digest and name together."""
    what = f"key\n{key}" if key else f"file\n{document.sha256}\n{name}"
    return hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()[:ID_HEX_DIGITS]


def stored_documents(document: document_pb2.Document, name: str, key: str) -> Iterator[StoredDocument]:
    """The document and all inside it, each after the one it lies in. How deep they lie is bounded by the parser: 100 levels."""
    waiting = [StoredDocument(document_id_of(document, name, key), "", key, name, document)]
    while waiting:
        present = waiting.pop()
        yield present
        for index, inner in reversed(list(enumerate(present.document.documents, start=1))):
            inner_name = inner.name or inner.title
            waiting.append(StoredDocument(f"{present.document_id}/{index}", present.document_id, key, inner_name, inner))
