"""Documents as Parquet: the folders `documents`, `elements` and `chunks`, each with one file per job's document.

Each folder is a data set that readers of Parquet open whole. pyarrow is loaded when the first document is written, because it
takes a tenth of a second and 60 MB that no other format needs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, BinaryIO

import msgspec

from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.targets.file_names import file_name
from ingest_server.handlers.targets.interface import Writing
from ingest_server.handlers.targets.records import chunk_record, content_of, document_record, element_record
from ingest_server.handlers.targets.stored_documents import StoredDocument

ROWS_PER_BATCH = 1_000
"""Rows held as Python objects at a time."""
_MEDIA_TYPE = "application/vnd.apache.parquet"
INSTALL = 'pip install "ingest[parquet]"'


@cache
def _library() -> tuple[Any, Any, dict[str, Any]]:
    """pyarrow, its module for Parquet, and the three schemas."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise HandlerFailure(
            f"Parquet is written by pyarrow, which is not installed on the server: {INSTALL}",
            reason=Reason.NOT_SUPPORTED,
            code=Code.UNIMPLEMENTED,
            retryable=False,
            metadata={"install": INSTALL},
        ) from error
    text, whole, texts = pyarrow.string(), pyarrow.int32(), pyarrow.list_(pyarrow.string())
    issue = pyarrow.struct([("page", whole), ("reason", text), ("message", text)])
    schemas = {
        "documents": [
            *((name, text) for name in ("document_id", "parent_id", "document_key", "name", "title")),
            ("authors", texts),
            *((name, text) for name in ("language", "media_type", "sha256")),
            ("page_count", whole),
            *((name, text) for name in ("create_time", "tokenizer", "embedding_model")),
            ("issues", pyarrow.list_(issue)),
        ],
        "elements": [
            ("document_id", text),
            ("position", whole),
            ("element_id", text),
            ("page", whole),
            ("kind", text),
            ("role", text),
            ("heading_level", whole),
            ("bounding_box", pyarrow.list_(pyarrow.float64())),
            ("text", text),
            ("content", text),
        ],
        "chunks": [
            ("document_id", text),
            ("position", whole),
            ("chunk_id", text),
            ("pages", pyarrow.list_(whole)),
            ("headings", texts),
            ("element_ids", texts),
            ("token_count", whole),
            ("text", text),
            ("embedding", pyarrow.list_(pyarrow.float32())),
        ],
    }
    return pyarrow, pyarrow.parquet, {name: pyarrow.schema(fields) for name, fields in schemas.items()}


def parquet_files(documents: Sequence[StoredDocument], writing: Writing) -> Iterator[tuple[str, str, Callable[[BinaryIO], None]]]:
    """Three files for all documents of a job; that in `documents` comes last, so whoever finds it there finds the others."""
    first = documents[0]
    base = file_name(first.key or first.name, first.document_id, ".parquet")
    tables = {"elements": _elements(documents), "chunks": _chunks(documents), "documents": map(document_record, documents)}
    for name, rows in tables.items():

        def write(file: BinaryIO, name: str = name, rows: Iterator[dict[str, Any]] = rows) -> None:
            _write(file, name, rows, writing)

        yield f"{name}/{base}", _MEDIA_TYPE, write


def _write(file: BinaryIO, name: str, rows: Iterator[dict[str, Any]], writing: Writing) -> None:
    pyarrow, parquet, schemas = _library()
    schema = schemas[name]
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while batch := list(itertools.islice(rows, ROWS_PER_BATCH)):
            writing.check()
            writer.write_batch(pyarrow.RecordBatch.from_pylist(batch, schema=schema))


def _elements(documents: Sequence[StoredDocument]) -> Iterator[dict[str, Any]]:
    for stored in documents:
        for position, element in enumerate(stored.document.elements):
            content = content_of(element)
            yield {
                **element_record(stored.document_id, position, element),
                "content": None if content is None else msgspec.json.encode(content).decode(),
            }


def _chunks(documents: Sequence[StoredDocument]) -> Iterator[dict[str, Any]]:
    for stored in documents:
        for position, chunk in enumerate(stored.document.chunks):
            yield {**chunk_record(stored.document_id, position, chunk), "embedding": list(chunk.embedding) or None}
