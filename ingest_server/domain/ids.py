"""UUIDv7 by the hundred: identifiers ordered by time (RFC 9562, section 5.7), so that an index on them only grows at its end.

The 48-bit millisecond and the 12 bits of `rand_a` are one counter of 60 bits (section 6.2, method 1 with the counter allowed to
run ahead of the time, as its last paragraph permits): strictly increasing inside one source. The other 62 bits are random.
"""

from __future__ import annotations

import os
from hashlib import sha256
from struct import Struct, pack
from uuid import UUID

_ID = Struct("16s")
_WITH_VARIANT = bytes(0x80 | value & 0x3F for value in range(256))
"""A random byte → the same with the two bits of the variant."""


class IdentifierSource:
    """Makes identifiers in increasing order. Not for use by several threads at once."""

    def __init__(self) -> None:
        self._next = 0

    def take(self, count: int, now_us: int) -> list[bytes]:
        """Make `count` fresh 16-byte UUIDv7, ascending, of the time `now_us` or, where that is not enough, a little later."""
        first = max(self._next, (now_us // 1_000) << 12)
        self._next = first + count
        heads: list[int] = []
        for begin in range(first & ~0xFFF, first + count, 1 << 12):  # within one millisecond the upper halves are consecutive
            upper = ((begin >> 12) << 16) | 0x7000
            heads.extend(range(upper + max(first - begin, 0), upper + min(first + count - begin, 1 << 12)))
        # All ids lie one behind the other and are filled by column: what costs time is done once per column, not per id.
        upper_halves, lower_halves = pack(f">{count}Q", *heads), os.urandom(8 * count)
        ids = bytearray(16 * count)
        for column in range(8):
            ids[column::16] = upper_halves[column::8]
            ids[column + 8 :: 16] = lower_halves[column::8] if column else lower_halves[::8].translate(_WITH_VARIANT)
        return [data for (data,) in _ID.iter_unpack(ids)]


def part_id(job_id: bytes, attempt: int, index: int, head: bytes) -> bytes:
    """The 16-byte id of a part of a job's attempt: the same whenever the same part is asked for, as `head` tells. A UUIDv8 (RFC
    9562, section 5.8) whose first 48 bits are those of the job's id, so that an index keeps it near."""
    digest = sha256(job_id + attempt.to_bytes(4, "big") + index.to_bytes(4, "big") + head).digest()
    return job_id[:6] + bytes((0x80 | digest[0] & 0x0F, digest[1], 0x80 | digest[2] & 0x3F)) + digest[3:10]


def uuid_text(data: bytes) -> str:
    """16 bytes in the 36-character form, for messages to people. Where it has to be fast: `wire/uuid_text.py`."""
    return str(UUID(bytes=data))
