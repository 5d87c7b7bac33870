"""Targets that are folders: each document has files of its own, so that workers never write to one file at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, TypeAlias

import msgspec
from google.protobuf import json_format

from ingest_server.domain.store_target import StoreFormat
from ingest_server.handlers.s3.errors import S3Error
from ingest_server.handlers.targets.failures import failure_of
from ingest_server.handlers.targets.file_names import file_name
from ingest_server.handlers.targets.interface import Place, Target, Writing
from ingest_server.handlers.targets.records import chunk_record, content_of, document_record, element_record, vector_of
from ingest_server.handlers.targets.stored_documents import StoredDocument

RECORDS_PER_CHECK = 256
"""Records written between two looks at the flag of a cancel."""

File: TypeAlias = tuple[str, str, Callable[[BinaryIO], None]]
"""(relative name, media type, what writes its content)"""
FileFormat: TypeAlias = Callable[[Sequence[StoredDocument], Writing], Iterator[File]]
"""Turns a job's documents into files."""

_encoder = msgspec.json.Encoder()


class FilesTarget(Target):
    """A folder that takes each document in files of its own.

    Args:
        place: the folder.
        form: what the files are.
        shown: the target, for people.
    """

    def __init__(self, place: Place, form: FileFormat, shown: str) -> None:
        self._place = place
        self._form = form
        self._shown = shown

    def write(self, documents: Sequence[StoredDocument], writing: Writing) -> None:
        """See `Target.write`."""
        try:
            for name, media_type, write in self._form(documents, writing):
                writing.check()
                self._place.put(name, media_type, write, writing)
        except (OSError, S3Error) as error:
            raise failure_of(error, self._shown) from error


def json_lines(documents: Sequence[StoredDocument], writing: Writing) -> Iterator[File]:
    """One file of JSON lines for all documents of a job."""

    def write(file: BinaryIO) -> None:
        for count, record in enumerate(_records(documents)):
            if count % RECORDS_PER_CHECK == 0:
                writing.check()
            file.write(_encoder.encode(record) + b"\n")

    first = documents[0]
    yield file_name(first.key or first.name, first.document_id, ".jsonl"), "application/jsonl", write


def _records(documents: Sequence[StoredDocument]) -> Iterator[dict[str, object]]:
    for stored in documents:
        yield {"type": "document", **document_record(stored)}
        for position, element in enumerate(stored.document.elements):
            record = {"type": "element", **element_record(stored.document_id, position, element)}
            content = content_of(element)
            yield record if content is None else {**record, element.WhichOneof("kind") or "": content}
        for position, chunk in enumerate(stored.document.chunks):
            yield {"type": "chunk", **chunk_record(stored.document_id, position, chunk), "embedding": vector_of(chunk)}


def json_document(documents: Sequence[StoredDocument], writing: Writing) -> Iterator[File]:
    """One file with the job's document in protobuf's JSON; those inside it are part of it."""

    def write(file: BinaryIO) -> None:
        text = json_format.MessageToJson(documents[0].document, indent=2, ensure_ascii=False)
        file.write(text.encode("utf-8", "surrogatepass") + b"\n")

    first = documents[0]
    yield file_name(first.key or first.name, first.document_id, ".json"), "application/json", write


def file_format(chosen: StoreFormat) -> FileFormat:
    """What writes a format of files. Raises HandlerFailure (NOT_SUPPORTED) where a library for it is not installed."""
    if chosen is StoreFormat.PARQUET:
        from ingest_server.handlers.targets.parquet import parquet_files

        return parquet_files
    return json_lines if chosen is StoreFormat.JSONL else json_document
