"""The extract task: a document of any supported format to typed text and tables."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.decorator import handler
from ingest_server.handlers.extract_options import PAGES_PER_PART, ExtractOptions
from ingest_server.handlers.interface import Context, HandlerFailure, Output
from ingest_server.handlers.member_parts import is_of_members, member_division, whole_container
from ingest_server.handlers.members.division import MembersToDivide
from ingest_server.handlers.page_parts import division, ranges_of, whole
from ingest_server.handlers.parts import PartResult, Split
from ingest_server.handlers.reader import load_all, supported_media_types
from ingest_server.handlers.reading import Divisible, read_input
from ingest_server.handlers.results import DOCUMENT_MEDIA_TYPE


def preload() -> None:
    """Load all readers and start pdfium, once, before workers are forked. No document is open at that time, so the forked
    workers may use it, each on one thread."""
    load_all()


def merge(context: Context, options: ExtractOptions, state: bytes, results: Sequence[PartResult]) -> Output:
    """Makes the document of its parts."""
    if is_of_members(state):
        return _output(whole_container(context, options, state, results), options)
    return _output(whole(context, state, results), options)


@handler("extract", media_types=supported_media_types(), preload=preload, merge=merge)
def extract(context: Context, options: ExtractOptions) -> Output | Split:
    """Turns a document into text, tables and images in reading order.

    Returns:
        A serialized `ingest.v1.Document`, or the parts in which a document of many pages or members is read.

    Raises:
        HandlerFailure: INVALID_OPTIONS, DOCUMENT_MALFORMED, DOCUMENT_ENCRYPTED, DOCUMENT_PARTIAL or MEDIA_TYPE_NOT_SUPPORTED;
            none retryable. STORAGE_FULL or ATTEMPT_TIMEOUT; both retryable.
        Cancelled: the attempt was asked to stop.
    """
    options.check()
    context.check()
    if context.input.size_bytes == 0:
        raise HandlerFailure(
            "The document is empty (0 bytes). Send the file's content as data, or upload it as a blob.",
            reason=Reason.DOCUMENT_MALFORMED,
            code=Code.INVALID_ARGUMENT,
            retryable=False,
        )
    # What has killed a worker before is read page by page: then only the page that does it is lost.
    pages_per_part = 1 if context.crash_count else options.pages_per_part or PAGES_PER_PART
    asked = options.read_options(options.first_page, options.last_page, pages_per_part=pages_per_part)
    document = read_input(context.input, asked, context)
    if isinstance(document, Divisible):
        pages = document.content
        if isinstance(pages, MembersToDivide):
            return member_division(document, pages, options, singly=pages_per_part == 1)
        pages_per_part = options.pages_per_part or PAGES_PER_PART
        ranges = ranges_of(pages.first_page, pages.last_page, pages_per_part if pages.count > pages_per_part else 1)
        return division(ranges, options, document.media_type, about=document.about)
    return _output(document, options)


def _output(document: bytes, options: ExtractOptions) -> Output:
    if options.fail_on_partial and (issues := document_pb2.Document.FromString(document).issues):
        first = issues[0]
        where = f"page {first.page}: " if first.page else ""
        raise HandlerFailure(
            f"{len(issues)} parts of the document could not be read, and fail_on_partial is set; the first: "
            f"{where}{first.reason}, {first.message}",
            reason=Reason.DOCUMENT_PARTIAL,
            code=Code.DATA_LOSS,
            retryable=False,
            metadata={"issues": str(len(issues)), "page": str(first.page), "issue_reason": first.reason},
        )
    return Output(data=document, media_type=DOCUMENT_MEDIA_TYPE)
