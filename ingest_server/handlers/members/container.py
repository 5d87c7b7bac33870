"""What readers of containers share: own content and members in, one document out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import islice

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.members.assemble import assembled
from ingest_server.handlers.members.division import MemberRange, MembersToDivide, measured, ranges_of_members
from ingest_server.handlers.members.inline import read_members
from ingest_server.handlers.members.member import Member
from ingest_server.handlers.members.nesting import Nesting, usual_limits
from ingest_server.handlers.reader import DocumentReader, ReadOptions
from ingest_server.handlers.source import Source


@dataclass(frozen=True, slots=True)
class Contents:
    """A container, open.

    Attributes:
        own: what it says itself, without its members.
        members: in order; found one by one. Iterating raises MemberFault if the container is damaged from there on.
        count: how many there are; 0 if that is not known before.
    """

    own: document_pb2.Document
    members: Iterable[Member]
    count: int = 0


class ContainerReader(DocumentReader):
    """Reads a format that holds other documents."""

    @abstractmethod
    def open(self, source: Source, options: ReadOptions, context: Context) -> AbstractContextManager[Contents]:
        """Open it: on entry its own content is read, but with `options.continued` not, and its members are not.

        Raises:
            HandlerFailure: DOCUMENT_MALFORMED: nothing of it can be read.
            Cancelled: the attempt was asked to stop.
        """

    def read(self, source: Source, options: ReadOptions, context: Context) -> document_pb2.Document:
        """Read it with its members, in this attempt. See `DocumentReader.read`."""
        data = self.read_serialized(source, replace(options, pages_per_part=0), context)
        assert isinstance(data, bytes), "without pages_per_part nothing is divided"
        return document_pb2.Document.FromString(data)

    def read_serialized(self, source: Source, options: ReadOptions, context: Context) -> bytes | MembersToDivide:
        """The same, serialized. With `pages_per_part` a large one may be to be divided; with 1, into single members. See
        `DocumentReader.read_serialized`."""
        if options.pages_per_part and (divided := self._divided(source, options, context)):
            return divided
        nesting = Nesting() if options.nesting is None else options.nesting.inside()
        with self.open(source, options, context) as contents:
            own = contents.own.SerializeToString()
            return assembled(own, read_members(contents.members, contents.count, options, context, nesting))

    def _divided(self, source: Source, options: ReadOptions, context: Context) -> MembersToDivide | None:
        """How it is divided; None if it is read at once."""
        with self.open(source, replace(options, continued=True), context) as contents:
            found = measured(contents.members, usual_limits())
        ranges = ranges_of_members(found.sizes, singly=options.pages_per_part == 1)
        return found if len(ranges) > 1 else None

    def read_range(self, source: Source, members: MemberRange, options: ReadOptions, context: Context) -> bytes:
        """Read some members. What is read of members that follow each other, one behind the other, and behind the container's own
        content, is the document of the whole.

        Raises:
            HandlerFailure, Cancelled: see `read`.
        """
        first, end = members
        with self.open(source, replace(options, continued=True), context) as contents:
            chosen = islice(contents.members, first, end)
            return assembled(b"", read_members(chosen, end - first, options, context, Nesting()))


def malformed(message: str) -> HandlerFailure:
    """The failure of a container of which nothing can be read."""
    return HandlerFailure(message, reason=Reason.DOCUMENT_MALFORMED, code=Code.INVALID_ARGUMENT, retryable=False)
