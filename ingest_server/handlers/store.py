"""The task store: writes a Document to where the operator allows, and passes it on unchanged."""

from __future__ import annotations

import os
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Reason
from ingest_server.domain.store_target import (
    DOCUMENT_KEY_BYTES_MAX,
    StoreFormat,
    StoreRules,
    StoreTarget,
    parse_store_target,
)
from ingest_server.handlers.decorator import handler
from ingest_server.handlers.interface import Context, HandlerFailure, Output
from ingest_server.handlers.operator import OperatorSettings, operator_settings
from ingest_server.handlers.results import DOCUMENT_MEDIA_TYPE
from ingest_server.handlers.s3.client import S3Client
from ingest_server.handlers.s3.service import service_of
from ingest_server.handlers.targets.files import FilesTarget, file_format
from ingest_server.handlers.targets.folder import FolderPlace
from ingest_server.handlers.targets.interface import Place, Target, Writing
from ingest_server.handlers.targets.s3_place import S3Place
from ingest_server.handlers.targets.stored_documents import stored_documents


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Options of the task; the fields of `ingest.v1.StoreTask`.

    Attributes:
        target_uri: where to write.
        format: a value of StoreFormat.
        document_key: which document this is in the target; "": its digest and name tell.
    """

    target_uri: str
    format: int = 0
    document_key: str = ""


@handler("store", media_types=(DOCUMENT_MEDIA_TYPE,))
def store(context: Context, options: StoreOptions) -> Output:
    """Writes a document with its chunks and vectors to a database, a folder or S3.

    Returns:
        The document as it came, with what was written as metadata: "store.target", "store.document_id", "store.documents" and
        "store.chunks".

    Raises:
        HandlerFailure: INVALID_OPTIONS, MEDIA_TYPE_NOT_SUPPORTED, DOCUMENT_MALFORMED, NOT_SUPPORTED (no place is allowed, or a
            library is missing) or STORE_TARGET_UNUSABLE, none retryable; STORE_TARGET_UNAVAILABLE or STORAGE_FULL, both
            retryable.
        Cancelled: the attempt was asked to stop; the target was not changed.
    """
    settings = operator_settings()
    rules = StoreRules(settings.store_targets, closed=(settings.data_dir,) if settings.data_dir else ())
    target = _target(options, rules)
    context.check()
    data = context.input.read()
    documents = list(stored_documents(_document(context, data), context.input.name, options.document_key))
    target_writer(target, rules, settings).write(documents, Writing(context.job_id, context.check))
    chunk_count = sum(len(stored.document.chunks) for stored in documents)
    told = f"{_counted(len(documents), 'document')} with {_counted(chunk_count, 'chunk')} written to {target}"
    context.progress(len(documents), len(documents), unit="document", message=told)
    return Output(
        data=data,
        media_type=DOCUMENT_MEDIA_TYPE,
        name=context.input.name,
        metadata={
            **context.input.metadata,
            "store.target": str(target),
            "store.document_id": documents[0].document_id,
            "store.documents": str(len(documents)),
            "store.chunks": str(chunk_count),
        },
    )


def _target(options: StoreOptions, rules: StoreRules) -> StoreTarget:
    """The target, allowed. The server has asked the same before it took the job; settings may have changed since."""
    if not rules.enabled:
        raise HandlerFailure(
            "This server lets no job write anywhere: its operator has named no place in store_targets.",
            reason=Reason.NOT_SUPPORTED,
            code=Code.UNIMPLEMENTED,
            retryable=False,
        )
    try:
        target = parse_store_target(options.target_uri, options.format)
        rules.check(target)
    except ValueError as error:
        raise _failure(f"target_uri {error}", Reason.INVALID_OPTIONS) from error
    if len(options.document_key.encode()) > DOCUMENT_KEY_BYTES_MAX:
        raise _failure(f"document_key must have at most {DOCUMENT_KEY_BYTES_MAX:,} bytes", Reason.INVALID_OPTIONS)
    return target


def _document(context: Context, data: bytes) -> document_pb2.Document:
    given = context.input.media_type.partition(";")[0].strip().lower()
    if given != DOCUMENT_MEDIA_TYPE:
        raise HandlerFailure(
            f"store takes a Document, not {given or 'an input of unknown type'}. Put the task extract before store.",
            reason=Reason.MEDIA_TYPE_NOT_SUPPORTED,
            code=Code.UNIMPLEMENTED,
            retryable=False,
        )
    try:
        return document_pb2.Document.FromString(data)
    except DecodeError as error:
        message = f"The input of store is declared as {DOCUMENT_MEDIA_TYPE}, but its {len(data)} bytes are no Document."
        raise _failure(message, Reason.DOCUMENT_MALFORMED) from error


def target_writer(target: StoreTarget, rules: StoreRules, settings: OperatorSettings) -> Target:
    """What writes to a target. Nothing is opened yet."""
    if target.format is StoreFormat.SQLITE:
        from ingest_server.handlers.targets.sqlite.target import SqliteTarget

        return SqliteTarget(target.path, rules, busy_seconds=settings.store_busy_seconds)
    place: Place
    if target.address is not None:
        client = S3Client(service_of(settings, os.environ), idle_seconds=settings.s3_idle_seconds)
        place = S3Place(client, target.address)
    else:
        place = FolderPlace(target.path, rules)
    return FilesTarget(place, file_format(target.format), str(target))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _failure(message: str, reason: Reason) -> HandlerFailure:
    return HandlerFailure(message, reason=reason, code=Code.INVALID_ARGUMENT, retryable=False)
