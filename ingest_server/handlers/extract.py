"""The extract task: a document of any supported format to typed text and tables."""

from __future__ import annotations

from dataclasses import dataclass

from ingest_server.domain.errors import Code, Reason
from ingest_server.domain.extract_rules import ContentScope, enum_fault
from ingest_server.handlers.decorator import handler
from ingest_server.handlers.interface import Context, HandlerFailure, Output
from ingest_server.handlers.reader import ReadOptions, load_all, supported_media_types
from ingest_server.handlers.reading import read_input
from ingest_server.handlers.results import DOCUMENT_MEDIA_TYPE

PAGE_MAX = 2**31 - 1
"""Largest page number that fits the field."""


@dataclass(frozen=True, slots=True)
class ExtractOptions:
    """Options of the task; the fields of `ingest.v1.ExtractTask`.

    Attributes:
        password: for an encrypted document; "": the empty password is tried.
        first_page: first page to read, from 1; 0 means from the start.
        last_page: last page to read, included; 0 means to the end.
        ocr_languages: languages of text in pictures, by tesseract's names; empty: English where it is installed.
        content: how much of a page of HTML; a `ContentScope`.
    """

    password: str = ""
    first_page: int = 0
    last_page: int = 0
    ocr_languages: tuple[str, ...] = ()
    content: int = ContentScope.UNSPECIFIED


def preload() -> None:
    """Load all readers and start pdfium, once, before workers are forked. No document is open at that time, so the forked
    workers may use it, each on one thread."""
    load_all()


@handler("extract", media_types=supported_media_types(), preload=preload)
def extract(context: Context, options: ExtractOptions) -> Output:
    """Turns a document into text, tables and images in reading order.

    Returns:
        A serialized `ingest.v1.Document`.

    Raises:
        HandlerFailure: INVALID_OPTIONS, DOCUMENT_MALFORMED, DOCUMENT_ENCRYPTED or MEDIA_TYPE_NOT_SUPPORTED; none retryable.
            STORAGE_FULL or ATTEMPT_TIMEOUT; both retryable.
        Cancelled: the attempt was asked to stop.
    """
    _check(options)
    context.check()
    if context.input.size_bytes == 0:
        raise HandlerFailure(
            "The document is empty (0 bytes). Send the file's content as data, or upload it as a blob.",
            reason=Reason.DOCUMENT_MALFORMED,
            code=Code.INVALID_ARGUMENT,
            retryable=False,
        )
    read_options = ReadOptions(
        password=options.password,
        first_page=options.first_page,
        last_page=options.last_page,
        ocr_languages=options.ocr_languages,
        content=options.content or ContentScope.MAIN,
    )
    return Output(data=read_input(context.input, read_options, context), media_type=DOCUMENT_MEDIA_TYPE)


def _check(options: ExtractOptions) -> None:
    """Refuse page ranges that no document has, and numbers that no enum has."""
    if fault := enum_fault(ContentScope, options.content):
        raise _invalid(f"content {fault}.")
    for field, value in (("first_page", options.first_page), ("last_page", options.last_page)):
        if not 0 <= value <= PAGE_MAX:
            raise _invalid(f"{field} is {value}; it must be between 0 (no limit) and {PAGE_MAX}.")
    if options.last_page and options.first_page > options.last_page:
        raise _invalid(f"first_page is {options.first_page}, after last_page {options.last_page}: no page lies between them.")


def _invalid(message: str) -> HandlerFailure:
    return HandlerFailure(message, reason=Reason.INVALID_OPTIONS, code=Code.INVALID_ARGUMENT, retryable=False)
