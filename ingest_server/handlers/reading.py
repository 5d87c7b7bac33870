"""Reads an input as the document it is: unwrapped, by the reader of its type, with what is known of every document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ingest.v1 import document_pb2
from ingest_server.handlers.interface import Context, Input
from ingest_server.handlers.members.division import MembersToDivide
from ingest_server.handlers.reader import PagesToDivide, ReadOptions, reader_for
from ingest_server.handlers.source import Source
from ingest_server.handlers.unwrap import UnwrapLimits, unwrapped


@dataclass(frozen=True, slots=True)
class Divisible:
    """A document that is to be read in parts.

    Attributes:
        content: the pages that were asked for, or the members that there are.
        media_type: that decides its reader.
        about: serialized fields of the Document that are known already.
        wrapped: whether it is compressed as a whole.
    """

    content: PagesToDivide | MembersToDivide
    media_type: str
    about: bytes
    wrapped: bool


def read_input(
    given: Input,
    options: ReadOptions,
    context: Context,
    limits: UnwrapLimits | None = None,
    spend: Callable[[int], None] | None = None,
) -> bytes | Divisible:
    """Read a document.

    Args:
        given: not empty.
        options: what to read of it.
        context: of the attempt.
        limits: of its wrappers; None for the usual ones.
        spend: told of every piece that comes out of a wrapper, in bytes; what it raises ends the reading.

    Returns:
        A serialized `ingest.v1.Document`; `Divisible` only for options with `pages_per_part`.

    Raises:
        HandlerFailure, Cancelled: see `extract`.
    """
    source = Source(given)
    with unwrapped(source, context, limits, spend) as (inside, wrappers):
        decision = inside.media_type
        document = reader_for(decision.media_type).read_serialized(inside, options, context)
    about = document_pb2.Document(
        media_type=decision.media_type, media_type_source=decision.source, sha256=source.sha256(), wrappers=wrappers
    ).SerializeToString()
    if not isinstance(document, bytes):
        return Divisible(document, decision.media_type, about, bool(wrappers))
    # Messages one behind the other are one message.
    return about + document
