"""The split task: a document's text to chunks for search, each with its source elements, pages, headings and token count."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Reason
from ingest_server.domain.split_rules import SplitRequest
from ingest_server.handlers.chunked_documents import documents_of
from ingest_server.handlers.chunking.chunker import add_chunks
from ingest_server.handlers.chunking.source_text import SourceText
from ingest_server.handlers.chunking.token_estimate import TOKENIZER_NAME, count_tokens
from ingest_server.handlers.decorator import handler
from ingest_server.handlers.encoding import decode
from ingest_server.handlers.interface import Context, HandlerFailure, Output
from ingest_server.handlers.results import DOCUMENT_MEDIA_TYPE
from ingest_server.handlers.source import Source


@handler("split", media_types=(DOCUMENT_MEDIA_TYPE, "text/plain", "text/markdown"))
def split(context: Context, options: SplitRequest) -> Output:
    """Cuts a document into chunks for search; plain text is one element.

    Documents inside it are cut each by itself: no chunk is of two files, and ids are unique in one document.

    Returns:
        The serialized `ingest.v1.Document`, with chunks in place of those it had.

    Raises:
        HandlerFailure: INVALID_OPTIONS; MEDIA_TYPE_NOT_SUPPORTED for what is neither a Document nor text; DOCUMENT_MALFORMED for
            a Document that cannot be read. None is retryable.
        Cancelled: the attempt was asked to stop.
    """
    for field, problem in options.faults():
        raise _failure(f"{field} {problem}", Reason.INVALID_OPTIONS)
    context.check()
    if context.input.media_type.partition(";")[0].strip().lower() == DOCUMENT_MEDIA_TYPE:
        document = _read(context.input.read())
    else:
        document = _of_text(Source(context.input))
    for each in documents_of(document):
        for field in ("chunks", "dropped_chunks", "embedding_model", "embedding_dimensions"):
            each.ClearField(field)
        each.tokenizer = TOKENIZER_NAME
        add_chunks(SourceText(each), options, count_tokens, each, context.check)
    return Output(data=document.SerializeToString(), media_type=DOCUMENT_MEDIA_TYPE, name=context.input.name)


def _read(data: bytes) -> document_pb2.Document:
    try:
        return document_pb2.Document.FromString(data)
    except DecodeError as error:
        message = f"The input of split is declared as {DOCUMENT_MEDIA_TYPE}, but its {len(data)} bytes are no Document."
        raise _failure(message, Reason.DOCUMENT_MALFORMED) from error


def _of_text(source: Source) -> document_pb2.Document:
    """A document of one element: the whole text, its line ends made alike."""
    decision = source.media_type
    document = document_pb2.Document(media_type=decision.media_type, media_type_source=decision.source, sha256=source.sha256())
    if not source.size_bytes:
        return document
    if not decision.media_type.startswith("text/") or decision.media_type == "text/html":
        what = f'of type "{decision.media_type}"' if decision.media_type else "whose type neither bytes nor name tell"
        raise _failure(
            f"split takes a Document or plain text, not an input {what}. Put the task extract before split.",
            Reason.MEDIA_TYPE_NOT_SUPPORTED,
        )
    text, _ = decode(source.data(), decision.charset)
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if text:
        element = document.elements.add()
        element.id = "e1"
        element.text.text = text
        element.text.role = document_pb2.TEXT_ROLE_PARAGRAPH
    return document


def _failure(message: str, reason: Reason) -> HandlerFailure:
    code = Code.UNIMPLEMENTED if reason is Reason.MEDIA_TYPE_NOT_SUPPORTED else Code.INVALID_ARGUMENT
    return HandlerFailure(message, reason=reason, code=code, retryable=False)
