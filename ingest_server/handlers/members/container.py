"""What readers of containers share: own content and members in, one document out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.members.assemble import assembled
from ingest_server.handlers.members.inline import read_members
from ingest_server.handlers.members.member import Member
from ingest_server.handlers.members.nesting import Nesting
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
        """Open it: on entry its own content is read, its members are not.

        Raises:
            HandlerFailure: DOCUMENT_MALFORMED: nothing of it can be read.
            Cancelled: the attempt was asked to stop.
        """

    def read(self, source: Source, options: ReadOptions, context: Context) -> document_pb2.Document:
        """Read it with its members, in this attempt. See `DocumentReader.read`."""
        return document_pb2.Document.FromString(self.read_serialized(source, options, context))

    def read_serialized(self, source: Source, options: ReadOptions, context: Context) -> bytes:
        """The same, serialized. See `DocumentReader.read_serialized`."""
        nesting = Nesting() if options.nesting is None else options.nesting.inside()
        with self.open(source, options, context) as contents:
            own = contents.own.SerializeToString()
            return assembled(own, read_members(contents.members, contents.count, options, context, nesting))


def malformed(message: str) -> HandlerFailure:
    """The failure of a container of which nothing can be read."""
    return HandlerFailure(message, reason=Reason.DOCUMENT_MALFORMED, code=Code.INVALID_ARGUMENT, retryable=False)
