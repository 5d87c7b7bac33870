"""The language between server and worker: length, kind, body in MessagePack.

MessagePack through msgspec instead of `marshal`: as fast for these rows, and it reads bytes of a hostile sender without any risk
to the reader, checking the type of every value as it goes.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Annotated, Any, TypeAlias

import msgspec

HEADER = Struct("<IB")
"""(length of the body in bytes, `Kind`)"""
HEADER_BYTES = HEADER.size

Key: TypeAlias = tuple[int, int]
"""(seq, lease): names an attempt."""


class Kind(IntEnum):
    """What a frame says, and who says it on which of the two sockets."""

    JOBS = 1
    """Server, work: attempts to run, in order."""
    OUTCOMES = 2
    """Worker, work: attempts that ended."""
    RETURNED = 3
    """Worker, work: attempts that were not begun and are given back."""
    READY = 4
    """Worker, work: it can take frames. The first thing it says."""
    PROGRESS = 5
    """Worker, control: progress of running attempts."""
    CANCEL = 6
    """Server, control: set the flag of these attempts; tasks of async handlers are cancelled."""
    INTERRUPT = 7
    """Server, control: raise `Cancelled` in these attempts, wherever they are."""
    NUDGE = 8
    """Server, control: send the outcomes that wait; give back what was not begun if the present attempt has run longer than
    the microseconds in the body."""


class FrameError(Exception):
    """The other side does not keep to the language. It cannot be talked to any more."""


_encode = msgspec.msgpack.Encoder().encode
_Code = Annotated[int, msgspec.Meta(ge=0, le=7)]
_Keys = list[tuple[int, int]]

DECODERS: dict[int, msgspec.msgpack.Decoder[Any]] = {
    Kind.JOBS: msgspec.msgpack.Decoder(list[tuple[int, int, bytes, int, bytes, bytes, int, int, int]]),
    Kind.OUTCOMES: msgspec.msgpack.Decoder(list[tuple[int, int, _Code, bytes, bytes, bytes, bytes, str, int, int]]),
    Kind.RETURNED: msgspec.msgpack.Decoder(_Keys),
    Kind.READY: msgspec.msgpack.Decoder(int),
    Kind.PROGRESS: msgspec.msgpack.Decoder(list[tuple[int, int, bytes]]),
    Kind.CANCEL: msgspec.msgpack.Decoder(_Keys),
    Kind.INTERRUPT: msgspec.msgpack.Decoder(_Keys),
    Kind.NUDGE: msgspec.msgpack.Decoder(int),
}


def pack(kind: Kind, body: object) -> bytes:
    """A whole frame."""
    data = _encode(body)
    return HEADER.pack(len(data), kind) + data


def unpack(kind: int, data: bytes) -> Any:
    """The body of a frame, every value of the type that the kind prescribes. Raises FrameError."""
    try:
        return DECODERS[kind].decode(data)
    except (KeyError, msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise FrameError(f"a frame of kind {kind} with {len(data)} bytes cannot be read: {error}") from error


class FrameReader:
    """Cuts a stream of bytes into frames.

    Args:
        body_bytes_max: a larger body is a FrameError, told by the header, before the body is held; a kind that there is not, too.
    """

    def __init__(self, body_bytes_max: int) -> None:
        self._body_bytes_max = body_bytes_max
        self._rest = b""
        self._parts: list[bytes] = []
        self._wanted = 0

    @property
    def unfinished(self) -> bool:
        """Whether it holds the beginning of a frame."""
        return bool(self._wanted or self._rest)

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Take the next bytes; answer the frames they complete, as (kind, body). Raises FrameError."""
        if self._wanted:
            # In the middle of a large frame: gather without copying what is there at every step.
            self._parts.append(data)
            self._wanted -= len(data)
            if self._wanted > 0:
                return []
            data = b"".join(self._parts)
            self._parts, self._wanted, self._rest = [], 0, b""
        elif self._rest:
            data = self._rest + data
            self._rest = b""
        frames: list[tuple[int, bytes]] = []
        start, end = 0, len(data)
        while end - start >= HEADER_BYTES:
            size, kind = HEADER.unpack_from(data, start)
            if kind not in DECODERS:
                raise FrameError(f"a frame of kind {kind}, which does not exist")
            if size > self._body_bytes_max:
                raise FrameError(f"a frame of {size} bytes; at most {self._body_bytes_max} are allowed")
            stop = start + HEADER_BYTES + size
            if stop > end:
                self._parts, self._wanted = [data[start:]], stop - end
                return frames
            frames.append((kind, data[start + HEADER_BYTES : stop]))
            start = stop
        self._rest = data[start:]
        return frames
