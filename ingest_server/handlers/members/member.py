"""One thing inside a container: its name, its bytes, and why it cannot be had."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from ingest_server.handlers.interface import Context
from ingest_server.handlers.reader import ReadOptions

NAME_BYTES_MAX = 1_024
"""As document.proto promises it."""
PIECE_BYTES = 256 * 1024
"""At most so many bytes are in a piece of a member."""

UNREADABLE = "MEMBER_UNREADABLE"
NOT_SUPPORTED = "MEMBER_NOT_SUPPORTED"
ENCRYPTED = "MEMBER_ENCRYPTED"
EMPTY = "MEMBER_EMPTY"
TOO_DEEP = "MEMBER_TOO_DEEP"
LEFT_OUT = "MEMBERS_LEFT_OUT"
"""Reasons of issues, as document.proto lists them. LEFT_OUT is for all members after a place."""

_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, those that turn the direction of writing (and so hide a suffix), and what UTF-8 does not have."""
_DRIVE = re.compile(r"[A-Za-z]:(?=[\\/]|$)")


class MemberFault(Exception):
    """A member cannot be had.

    Args:
        reason: one of the reasons above.
        message: what is wrong with it; a sentence without its subject: "is damaged".
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a container that is open.

    Attributes:
        name: its label; see `label`.
        pieces: its bytes from the beginning, in pieces of at most `PIECE_BYTES`, checked against the container's own sums at the
            end where it has any. Raises MemberFault. Nothing bounds how many there are: who asks counts.
        media_type: as the container declares it; "" if it does not.
        size_bytes: as the container claims, which may be wrong; -1 if it does not.
        packed_bytes: that it takes in the container; 0 if the container packs nothing.
        read: set if it has no bytes of its own, but is read in place, as a message inside an Outlook message is: gives its
            serialized Document. Such members cannot be handed on.
    """

    name: str
    pieces: Callable[[], Iterator[bytes]]
    media_type: str = ""
    size_bytes: int = -1
    packed_bytes: int = 0
    read: Callable[[ReadOptions, Context], bytes] | None = None


def faulty(name: str, reason: str, message: str) -> Member:
    """A member of which is known beforehand that it cannot be had."""

    def pieces() -> NoReturn:
        raise MemberFault(reason, message)

    return Member(name, pieces, size_bytes=0)


def label(name: str) -> str:
    """A name as it is told: a relative path without "..", in "/", without control characters, of bounded length. Nothing is ever
    written under it, but those who read it may do so."""
    name = _STEERING.sub("", name[-4 * NAME_BYTES_MAX :])
    name = _DRIVE.sub("", name, count=1) if _DRIVE.match(name) else name
    segments = [segment for segment in name.replace("\\", "/").split("/") if segment.strip() not in ("", ".", "..")]
    data = "/".join(segments).encode()
    if len(data) <= NAME_BYTES_MAX:
        return data.decode()
    return data[-NAME_BYTES_MAX:].decode("utf-8", "ignore").lstrip("/")  # the end tells what it is
