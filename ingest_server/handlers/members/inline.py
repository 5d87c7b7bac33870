"""Reads the members of a container one after the other, in the attempt that reads the container."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ingest_server.handlers.inputs import MemoryInput, TemporaryInput
from ingest_server.handlers.interface import Context, HandlerFailure, Input
from ingest_server.handlers.members.assemble import Outcome, failed
from ingest_server.handlers.members.member import EMPTY, LEFT_OUT, UNREADABLE, Member, MemberFault
from ingest_server.handlers.members.nesting import Nesting, RoomSpent
from ingest_server.handlers.reader import ReadOptions
from ingest_server.handlers.reading import read_input
from ingest_server.handlers.source import WHOLE_BYTES_MAX
from ingest_server.handlers.unwrap import collected, usual_limits

_ENVIRONMENT = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EIO, errno.EROFS)
"""Errors of the machine, not of a document: the attempt fails and is tried again."""


def read_members(
    members: Iterable[Member], count: int, options: ReadOptions, context: Context, nesting: Nesting
) -> Iterator[Outcome]:
    """Read members, each as the task extract would, one at a time.

    Args:
        members: of one container, which is open.
        count: how many there are; 0 if that is not known. For the progress.
        options: of the container; pages are not chosen inside members.
        context: of the attempt. Progress counts members.
        nesting: the account on which the container draws.

    Yields:
        An outcome for each member, in order; after a limit of the whole or damage to the container one for all that are left.

    Raises:
        HandlerFailure: a retryable one, such as STORAGE_FULL. All others are outcomes.
        Cancelled: the attempt was asked to stop.
    """
    last = ""
    done = 0
    try:
        for member in members:
            context.check()
            nesting.take_member()
            outcome = _outcome(member, options, context, nesting)
            if outcome.document is not None:
                nesting.take_document(len(outcome.document))
            yield outcome
            last, done = member.name, done + 1
            context.progress(done, max(count, done), "members")
    except (RoomSpent, MemberFault) as end:
        after = f'after "{last}" ' if last else ""
        what = "the container" if isinstance(end, MemberFault) else "the rest is left out:"
        yield Outcome("", reason=LEFT_OUT, message=f"The members {after}were not read: {what} {end}.")


def _outcome(member: Member, options: ReadOptions, context: Context, nesting: Nesting) -> Outcome:
    """Read one member. Whatever is wrong with it is its outcome, and no harm to the others."""
    inner = MemberContext(context)
    try:
        chosen = replace(options, first_page=0, last_page=0, nesting=nesting, pages_per_part=0, continued=False)
        if member.read is not None:
            return Outcome(member.name, member.read(chosen, inner))
        limits = replace(usual_limits(), expanded_bytes_max=nesting.limits.member_bytes_max)
        given = member_input(member, context, nesting)
        try:
            if not given.size_bytes:
                return failed(member.name, EMPTY, "is empty (0 bytes)", {})
            inner.input = given
            document = read_input(given, chosen, inner, limits, nesting.take_bytes)
            assert isinstance(document, bytes), "without pages_per_part nothing is divided"
            return Outcome(member.name, document)
        finally:
            given.close()
    except MemberFault as fault:
        return failed(member.name, fault.reason, fault.message, {})
    except HandlerFailure as failure:
        if failure.retryable:
            raise
        return failed(member.name, failure.reason, failure.message, failure.metadata)
    except (RoomSpent, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _ENVIRONMENT:
            raise
        context.log.warning("a member of the document could not be read: %s", error, exc_info=True)
        return failed(member.name, UNREADABLE, f"its reader failed ({type(error).__name__}: {error})", {})


def member_input(member: Member, context: Context, nesting: Nesting) -> MemoryInput | TemporaryInput:
    """A member's bytes as an input of their own: in memory, or in a temporary file if they are many. The caller closes it.

    Raises:
        MemberFault: it cannot be had, or is too large.
        RoomSpent: a limit of the whole is reached.
        HandlerFailure: STORAGE_FULL, retryable.
        Cancelled: the attempt was asked to stop.
    """
    return collected(bounded_pieces(member, context, nesting), member.media_type, member.name, WHOLE_BYTES_MAX)


def bounded_pieces(member: Member, context: Context, nesting: Nesting) -> Iterator[bytes]:
    """A member's pieces as long as they keep within the limits. Raises as `member_input`."""
    limits = nesting.limits
    size_bytes = 0
    for piece in member.pieces():
        context.check()
        size_bytes += len(piece)
        nesting.take_bytes(len(piece))
        if size_bytes > limits.member_bytes_max:
            raise MemberFault(UNREADABLE, f"has more than {limits.member_bytes_max:,} bytes unpacked")
        if member.packed_bytes and size_bytes > max(limits.ratio_free_bytes, limits.ratio_max * member.packed_bytes):
            raise MemberFault(
                UNREADABLE,
                f"unpacks to more than {limits.ratio_max} times its {member.packed_bytes:,} bytes, as only bombs do",
            )
        yield piece


class MemberContext(Context):
    """The context of the attempt, with a member as its input. Progress is the container's to tell."""

    def __init__(self, outer: Context) -> None:
        """Take over from `outer`."""
        self._outer = outer
        self.job_id = outer.job_id
        self.attempt = outer.attempt
        self.log: logging.Logger = outer.log
        self.input: Input = outer.input

    def progress(self, completed_units: int, total_units: int = 0, unit: str = "", message: str = "") -> None:
        """Nothing: pages of a member are no measure of the whole."""

    @property
    def cancelled(self) -> bool:
        """See `Context.cancelled`."""
        return self._outer.cancelled

    def check(self) -> None:
        """See `Context.check`."""
        self._outer.check()

    def remaining_seconds(self) -> float:
        """See `Context.remaining_seconds`."""
        return self._outer.remaining_seconds()
