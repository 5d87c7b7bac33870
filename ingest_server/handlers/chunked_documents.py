"""Documents as the tasks after split take them: read from the input, walked with those inside them, and given back."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import DecodeError

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.interface import Context, HandlerFailure, Output
from ingest_server.handlers.results import DOCUMENT_MEDIA_TYPE


def read_chunked(context: Context, task: str) -> document_pb2.Document:
    """The input as a document that has been split.

    Args:
        context: of the attempt.
        task: name of the task that reads, for messages.

    Raises:
        HandlerFailure: MEDIA_TYPE_NOT_SUPPORTED: it is no Document; DOCUMENT_MALFORMED: it says so and is not; INVALID_OPTIONS:
            no split came before. None is retryable.
    """
    given = context.input
    media_type = given.media_type.partition(";")[0].strip().lower()
    if media_type != DOCUMENT_MEDIA_TYPE:
        what = f'of type "{media_type}"' if media_type else "without a media type"
        raise HandlerFailure(
            f"{task} takes a Document with chunks, not an input {what}. Put the tasks extract and split before {task}.",
            reason=Reason.MEDIA_TYPE_NOT_SUPPORTED,
            code=Code.UNIMPLEMENTED,
            retryable=False,
        )
    try:
        document = document_pb2.Document.FromString(given.read())
    except DecodeError as error:
        raise HandlerFailure(
            f"The input of {task} is declared as {DOCUMENT_MEDIA_TYPE}, but its {given.size_bytes} bytes are no Document.",
            reason=Reason.DOCUMENT_MALFORMED,
            code=Code.INVALID_ARGUMENT,
            retryable=False,
        ) from error
    # A document without text has no chunks after a split either: the tokenizer tells that there was one.
    if document.elements and not any(each.chunks or each.tokenizer for each in documents_of(document)):
        raise HandlerFailure(
            f"The document has elements but no chunks, so {task} has nothing to work on. Put the task split before {task}.",
            reason=Reason.INVALID_OPTIONS,
            code=Code.INVALID_ARGUMENT,
            retryable=False,
        )
    return document


def documents_of(document: document_pb2.Document) -> Iterator[document_pb2.Document]:
    """The document, then those inside it, each before its own: the order of reading. How deep they lie is bounded by protobuf's
    parser, which takes 100 messages inside one another."""
    waiting = [document]
    while waiting:
        each = waiting.pop()
        yield each
        waiting.extend(reversed(each.documents))


def invalid_options(problem: str) -> HandlerFailure:
    """The failure for options that break their rules."""
    return HandlerFailure(problem, reason=Reason.INVALID_OPTIONS, code=Code.INVALID_ARGUMENT, retryable=False)


def to_output(document: document_pb2.Document, context: Context) -> Output:
    """What the next task, or the client, is given."""
    return Output(data=document.SerializeToString(), media_type=DOCUMENT_MEDIA_TYPE, name=context.input.name)
