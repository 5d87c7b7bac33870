"""Containers of many members, read in parts: who divides them, reads a part, and joins the parts again.

A part is a range of members of the same input, read as a job of its own: on any worker, tried again alone. A part that failed
once is divided into single members, so that only the one which is to blame is lost: it becomes an entry of `Document.issues`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice

import msgspec

from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.decorator import handler
from ingest_server.handlers.extract_options import ExtractOptions
from ingest_server.handlers.interface import Context, HandlerFailure, Output
from ingest_server.handlers.members.assemble import Outcome, assembled, failed
from ingest_server.handlers.members.container import ContainerReader
from ingest_server.handlers.members.division import MemberRange, MembersToDivide, ranges_of_members
from ingest_server.handlers.members.member import LEFT_OUT, MemberFault
from ingest_server.handlers.members.nesting import usual_limits
from ingest_server.handlers.page_parts import raised
from ingest_server.handlers.parts import Part, PartResult, Split
from ingest_server.handlers.reader import reader_for
from ingest_server.handlers.reading import Divisible
from ingest_server.handlers.source import Source
from ingest_server.handlers.unwrap import unwrapped

HANDLER = "extract.members"
MEMBERS_MEDIA_TYPE = "application/vnd.ingest.members"
"""Of a part's result: a Document that has the documents and issues of its members only."""
_MARK = b"members:"
"""Before the state of a division into members, so that it is told from one into pages."""


@dataclass(frozen=True, slots=True)
class MembersOptions:
    """What a part is told.

    Attributes:
        document: the options of the whole.
        media_type: of the container: decides the reader.
        first: number of the first member to read, from 0.
        end: number after the last.
    """

    document: ExtractOptions
    media_type: str
    first: int
    end: int


class _State(msgspec.Struct, array_like=True, frozen=True):
    """What the merge is told: `about` is put in front of the document, `left_out` is why members after the last part are not
    read."""

    media_type: str
    ranges: list[tuple[int, int]]
    about: bytes
    left_out: str


def is_of_members(state: bytes) -> bool:
    """Whether a state is that of a division into members."""
    return state.startswith(_MARK)


def member_division(document: Divisible, members: MembersToDivide, options: ExtractOptions, *, singly: bool) -> Split:
    """A container in parts.

    Args:
        document: what is known of it.
        members: of it.
        options: of the task.
        singly: each member is a part, since one of them may have killed a worker.
    """
    ranges = ranges_of_members(members.sizes, wrapped=document.wrapped, singly=singly)
    return _division(ranges, options, document.media_type, document.about, members.left_out)


def _division(
    ranges: Sequence[MemberRange], options: ExtractOptions, media_type: str, about: bytes = b"", left_out: str = ""
) -> Split:
    document = asdict(options)
    parts = [
        Part({"document": document, "media_type": media_type, "first": first, "end": end}, units=end - first)
        for first, end in ranges
    ]
    # Of single members the ranges need not be told: there can be more of them than a state holds.
    told = [] if all(end == first + 1 for first, end in ranges) and ranges[0][0] == 0 else list(ranges)
    state = _State(media_type, told, about, left_out)
    return Split(HANDLER, parts, unit="members", state=_MARK + msgspec.msgpack.encode(state))


def merge_members(context: Context, options: MembersOptions, state: bytes, results: Sequence[PartResult]) -> Output:
    """Makes one part of several."""
    return Output(data=b"".join(_joined(context, state, results)), media_type=MEMBERS_MEDIA_TYPE)


@handler(HANDLER, internal=True, merge=merge_members)
def extract_members(context: Context, options: MembersOptions) -> Output | Split:
    """Reads some members of a container.

    Raises:
        HandlerFailure, Cancelled: see `extract`.
    """
    if options.end > options.first + 1 and (context.crash_count or context.attempt > 1):
        single = [(number, number + 1) for number in range(options.first, options.end)]
        return _division(single, options.document, options.media_type)
    reader = _container_reader(options.media_type)
    asked = options.document.read_options(0, 0)
    with unwrapped(Source(context.input), context) as (source, _):
        data = reader.read_range(source, (options.first, options.end), asked, context)
    return Output(data=data, media_type=MEMBERS_MEDIA_TYPE)


def whole_container(context: Context, options: ExtractOptions, state: bytes, results: Sequence[PartResult]) -> bytes:
    """The serialized Document that parts make: the container's own content is read here.

    Raises:
        HandlerFailure: no part could be read; as the first of them failed.
    """
    if all(result.failure is not None for result in results):
        raise raised(results[0].failure)
    given = _state(state)
    with unwrapped(Source(context.input), context) as (source, _):
        asked = options.read_options(0, 0)
        with _container_reader(given.media_type).open(source, asked, context) as contents:
            own = contents.own.SerializeToString()
    return b"".join((given.about, own, *_joined(context, state, results)))


def _joined(context: Context, state: bytes, results: Sequence[PartResult]) -> Iterator[bytes]:
    """The parts one behind the other, with an issue for each that failed; up to the limit of the whole."""
    given = _state(state)
    ranges = given.ranges or [(number, number + 1) for number in range(len(results))]
    names = _names(context, given.media_type, [each for each, result in zip(ranges, results, strict=True) if result.failure])
    room_bytes = usual_limits().document_bytes_max
    for (first, end), result in zip(ranges, results, strict=True):
        context.check()
        if result.failure is not None:
            failure = result.failure
            told = [
                failed(names.get(number, ""), failure.reason, failure.message, failure.metadata) for number in range(first, end)
            ]
            yield assembled(b"", told)
            continue
        room_bytes -= result.size_bytes
        if room_bytes < 0:
            yield _left_out(f"what is read of the members of one document may have {usual_limits().document_bytes_max:,} bytes")
            return
        yield result.read()
    if given.left_out:
        yield _left_out(given.left_out)


def _left_out(why: str) -> bytes:
    return assembled(b"", [Outcome("", reason=LEFT_OUT, message=f"Further members were not read: {why}.")])


def _names(context: Context, media_type: str, ranges: Sequence[MemberRange]) -> dict[int, str]:
    """Names of members by their numbers. Without ranges the container is not opened."""
    names: dict[int, str] = {}
    if not ranges:
        return names
    end = max(end for _, end in ranges)
    try:
        with unwrapped(Source(context.input), context) as (source, _):
            asked = ExtractOptions().read_options(0, 0, continued=True)
            with _container_reader(media_type).open(source, asked, context) as contents:
                for number, member in enumerate(islice(contents.members, end)):
                    names[number] = member.name
    except MemberFault:
        pass  # beyond it nothing has a name
    return names


def _state(state: bytes) -> _State:
    return msgspec.msgpack.decode(state[len(_MARK) :], type=_State)


def _container_reader(media_type: str) -> ContainerReader:
    reader = reader_for(media_type)
    if not isinstance(reader, ContainerReader):
        raise HandlerFailure(f'a document of type "{media_type}" has no members', reason=Reason.INTERNAL, code=Code.INTERNAL)
    return reader
