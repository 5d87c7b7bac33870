"""Documents of many pages, read in parts: who divides them, reads a part, and joins the parts again.

A part is a range of pages, read as a job of its own: on any worker, tried again alone. A part that failed once, because it killed
its worker, ran out of time or out of memory, is divided into single pages, so that only the page which is to blame is lost: it
becomes an entry of `Document.issues`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import msgspec

from ingest_server.domain.errors import Code, Failure, Reason
from ingest_server.handlers.decorator import handler
from ingest_server.handlers.extract_options import ExtractOptions
from ingest_server.handlers.interface import Context, HandlerFailure, Output
from ingest_server.handlers.parts import PARTS_MAX, Part, PartResult, Split
from ingest_server.handlers.reader import PagedReader, PageRange, reader_for
from ingest_server.handlers.source import Source
from ingest_server.handlers.unwrap import unwrapped

HANDLER = "extract.pages"
PAGES_MEDIA_TYPE = "application/vnd.ingest.pages"
"""Of a part's result, which only the reader that made it can read."""


@dataclass(frozen=True, slots=True)
class PagesOptions:
    """What a part is told.

    Attributes:
        document: the options of the whole.
        media_type: of the document: decides the reader.
        first_page, last_page: to read, from 1, both included.
        continued: pages before these are read by others, so what belongs to no page is left to them.
    """

    document: ExtractOptions
    media_type: str
    first_page: int
    last_page: int
    continued: bool


class _State(msgspec.Struct, array_like=True, frozen=True):
    """What the merge is told: where the first part begins, and `about`, which is put in front of the document. Where the others
    begin is told by their units: thousands of ranges would be more than a state may have."""

    media_type: str
    first_page: int
    about: bytes


def ranges_of(first: int, last: int, pages_per_part: int) -> list[PageRange]:
    """Pages `first` … `last` in ranges of so many, more where there would be more than `PARTS_MAX` ranges."""
    size = max(pages_per_part, -(-(last - first + 1) // PARTS_MAX))
    return [(start, min(start + size - 1, last)) for start in range(first, last + 1, size)]


def division(
    ranges: Sequence[PageRange], options: ExtractOptions, media_type: str, *, about: bytes = b"", continued: bool = False
) -> Split:
    """A document, or a part of one, in parts.

    Args:
        ranges: of pages, in order.
        options: of the document.
        media_type: that decides its reader.
        about: serialized fields of the Document that the reader does not fill.
        continued: see `PagesOptions`.
    """
    document = asdict(options)
    parts = [
        Part(
            {
                "document": document, "media_type": media_type, "first_page": first, "last_page": last,
                "continued": continued or index > 0,
            },
            units=last - first + 1,
        )
        for index, (first, last) in enumerate(ranges)
    ]  # fmt: skip
    state = msgspec.msgpack.encode(_State(media_type, ranges[0][0], about))
    return Split(HANDLER, parts, unit="page", state=state)


def merge_pages(context: Context, options: PagesOptions, state: bytes, results: Sequence[PartResult]) -> Output:
    """Makes one part of several."""
    reader, given = _opened(state)
    return Output(data=reader.join_pages(list(_parts(reader, given, results, context))), media_type=PAGES_MEDIA_TYPE)


@handler(HANDLER, internal=True, merge=merge_pages)
def extract_pages(context: Context, options: PagesOptions) -> Output | Split:
    """Reads some pages of a document.

    Raises:
        HandlerFailure, Cancelled: see `extract`.
    """
    if options.last_page > options.first_page and (context.crash_count or context.attempt > 1):
        single = ranges_of(options.first_page, options.last_page, 1)
        return division(single, options.document, options.media_type, continued=options.continued)
    reader = _paged(options.media_type)
    asked = options.document.read_options(options.first_page, options.last_page, continued=options.continued)
    with unwrapped(Source(context.input), context) as (source, _):
        return Output(data=reader.read_pages(source, asked, context), media_type=PAGES_MEDIA_TYPE)


def whole(context: Context, state: bytes, results: Sequence[PartResult]) -> bytes:
    """The serialized Document that parts make.

    Raises:
        HandlerFailure: no part could be read; as the first of them failed.
    """
    if all(result.failure is not None for result in results):
        raise raised(results[0].failure)
    reader, given = _opened(state)
    return given.about + reader.finish_pages(reader.join_pages(list(_parts(reader, given, results, context))))


def _parts(reader: PagedReader, given: _State, results: Sequence[PartResult], context: Context) -> Iterator[bytes]:
    first = given.first_page
    for result in results:
        context.check()
        following = first + result.units
        yield result.read() if result.failure is None else reader.unread_pages(first, following - 1, result.failure)
        first = following


def _opened(state: bytes) -> tuple[PagedReader, _State]:
    given = msgspec.msgpack.decode(state, type=_State)
    return _paged(given.media_type), given


def _paged(media_type: str) -> PagedReader:
    reader = reader_for(media_type)
    if not isinstance(reader, PagedReader):
        raise HandlerFailure(f'a document of type "{media_type}" has no pages', reason=Reason.INTERNAL, code=Code.INTERNAL)
    return reader


def raised(failure: Failure | None) -> HandlerFailure:
    """The failure of a part as one of the whole."""
    assert failure is not None, "asked only of parts that failed"
    return HandlerFailure(
        failure.message, reason=failure.reason, code=failure.code, retryable=failure.retryable, metadata=failure.metadata
    )
