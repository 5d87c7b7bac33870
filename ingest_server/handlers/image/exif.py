"""How a picture is to be turned, as Exif tells it (CIPA DC-008, Exif 2.32: 4.5.2, 4.6.4): a TIFF directory with a tag for it."""

from __future__ import annotations

import struct

ENTRIES_MAX = 1_000
"""Entries of the directory looked at. Cameras write some dozen."""
_ORIENTATION, _SHORT = 0x0112, 3
_ENTRY_BYTES = 12


def orientation_of(data: bytes) -> int:
    """The orientation that the first directory tells, 1 to 8; 1 where it tells none, or is damaged: then nobody knows better."""
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(data[:4])
    if order is None:
        return 1
    try:
        (offset,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, offset)
        for start in range(offset + 2, offset + 2 + min(count, ENTRIES_MAX) * _ENTRY_BYTES, _ENTRY_BYTES):
            tag, kind, amount, value = struct.unpack_from(order + "HHIH", data, start)
            if (tag, kind, amount) == (_ORIENTATION, _SHORT, 1):
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
