"""The target that is a database: a document with all that belongs to it goes in with one transaction."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from ingest.v1 import document_pb2
from ingest_server.domain.clock import Clock, SystemClock
from ingest_server.domain.store_target import StoreRules
from ingest_server.handlers.targets.failures import failure_of, unusable
from ingest_server.handlers.targets.folder import opened_folder, resolved
from ingest_server.handlers.targets.interface import Target, Writing
from ingest_server.handlers.targets.records import chunk_record, content_of, document_record, element_record
from ingest_server.handlers.targets.sqlite import schema
from ingest_server.handlers.targets.sqlite.database import Database
from ingest_server.handlers.targets.stored_documents import StoredDocument

ROWS_PER_CHECK = 256
"""Rows inserted between two looks at the flag of a cancel: a cancel undoes the transaction."""


class SqliteTarget(Target):
    """A database file.

    Args:
        path: absolute; made when it is written to, its folder too.
        rules: where writing is allowed.
        busy_seconds: longest wait for other writers.
        clock: tells the time of storing, and measures the wait.
    """

    def __init__(self, path: str, rules: StoreRules, *, busy_seconds: float, clock: Clock | None = None) -> None:
        self._path = path
        self._rules = rules
        self._busy_seconds = busy_seconds
        self._clock = clock or SystemClock()

    def write(self, documents: Sequence[StoredDocument], writing: Writing) -> None:
        """See `Target.write`."""
        real = self._file()
        vectors = _vectors(documents)
        database = Database(real, busy_seconds=self._busy_seconds, check=writing.check, clock=self._clock)
        with database, database.transaction():
            database.delete_document(documents[0].document_id)
            if vectors is not None:
                database.require_vectors(*vectors)
            numbers: dict[str, int] = {}
            for stored in documents:
                numbers[stored.document_id] = self._insert(database, stored, numbers.get(stored.parent_id), writing)

    def _file(self) -> str:
        """The file's path without links, its folder there. Raises HandlerFailure."""
        rules = self._rules.resolved()
        real = resolved(self._path, rules)
        if os.path.isdir(real):
            raise unusable(f"The target {self._path} is a folder, not a database: name a file, or a format of files.")
        try:
            with opened_folder(os.path.dirname(real), rules):
                return real
        except OSError as error:
            raise failure_of(error, self._path) from error

    def _insert(self, database: Database, stored: StoredDocument, parent: int | None, writing: Writing) -> int:
        record = document_record(stored)
        record["authors"], record["issues"] = _json(record["authors"]), _json(record["issues"])
        record["document_key"] = stored.key
        moment = datetime.fromtimestamp(self._clock.now_us() // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        values = {**record, "parent": parent, "job_id": writing.job_id, "store_time": moment}
        number: int = database.execute(schema.INSERT_DOCUMENT, values).get
        for position, element in enumerate(stored.document.elements):
            if position % ROWS_PER_CHECK == 0:
                writing.check()
            database.execute(schema.INSERT_ELEMENT, {"document": number, **_element_row(position, element)})
        for position, chunk in enumerate(stored.document.chunks):
            if position % ROWS_PER_CHECK == 0:
                writing.check()
            row = {"document": number, **_chunk_row(position, chunk)}
            chunk_number: int = database.execute(schema.INSERT_CHUNK, row).get
            if chunk.embedding:
                database.insert_vector(chunk_number, chunk.embedding)
        return number


def _vectors(documents: Sequence[StoredDocument]) -> tuple[int, str] | None:
    """Dimensions and model of the vectors; None where there are none. Raises HandlerFailure if they differ."""
    found = {
        (len(chunk.embedding), stored.document.embedding_model)
        for stored in documents
        for chunk in stored.document.chunks
        if chunk.embedding
    }
    if len(found) > 1:
        told = ", ".join(f"{dimensions} by {model or 'an unnamed model'}" for dimensions, model in sorted(found))
        raise unusable(f"The chunks of the document have vectors of different dimensions or models: {told}.")
    return found.pop() if found else None


def _element_row(position: int, element: document_pb2.Element) -> dict[str, Any]:
    record = element_record("", position, element)
    box, content = record["bounding_box"], content_of(element)
    record["bounding_box"] = None if box is None else _json(box)
    return {**record, "content": None if content is None else _json(content)}


def _chunk_row(position: int, chunk: document_pb2.Chunk) -> dict[str, Any]:
    record = chunk_record("", position, chunk)
    return {**record, **{name: _json(record[name]) for name in ("headings", "pages", "element_ids")}}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
