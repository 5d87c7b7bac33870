"""Unpacks the text of Outlook's messages ([MS-OXRTFCP]).

LZFu is a sliding window of 4,096 bytes, which begins with common words of RTF.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

_COMPRESSED, _PLAIN = b"LZFu", b"MELA"
_WINDOW_BYTES = 4_096
_CHECK_EVERY = 64 * 1024
_INITIAL = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans SerifSymbolArial"
    rb"Times New RomanCourier{\colortbl\red0\green0\blue0" + b"\r\n" + rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
"""What the window holds at the beginning (2.1.2.1)."""


def decompressed(data: bytes, check: Callable[[], None]) -> bytes:
    """The RTF in a compressed body. What is cut off ends there: sizes and sums in the header are not trusted, and the output is
    at most nine times the input.

    Args:
        data: with its header of 16 bytes.
        check: called every 64 KB; may raise.

    Raises:
        ValueError: it has no such header.
    """
    if len(data) < 16:
        raise ValueError(f"it has {len(data)} bytes, and its header alone has 16")
    compressed_bytes, raw_bytes, kind = struct.unpack_from("<II4s", data)
    if kind == _PLAIN:
        return data[16 : 16 + raw_bytes]
    if kind != _COMPRESSED:
        raise ValueError(f"its type is {kind!r}, neither {_COMPRESSED!r} nor {_PLAIN!r}")
    return _expanded(data, 16, min(len(data), compressed_bytes + 4), check)


def _expanded(data: bytes, place: int, end: int, check: Callable[[], None]) -> bytes:
    """Runs of eight tokens, each run after a byte of flags: 0 a byte as it is, 1 a reference, 12 bits offset, 4 bits length."""
    window = bytearray(_INITIAL.ljust(_WINDOW_BYTES, b"\x00"))
    write = len(_INITIAL)
    out = bytearray()
    checked = 0
    while place < end:
        if len(out) - checked >= _CHECK_EVERY:
            check()
            checked = len(out)
        flags = data[place]
        place += 1
        for bit in range(8):
            if place >= end:
                break
            if not flags >> bit & 1:
                byte = data[place]
                place += 1
                out.append(byte)
                window[write] = byte
                write = (write + 1) % _WINDOW_BYTES
                continue
            reference = int.from_bytes(data[place : place + 2], "big")
            place += 2
            offset = reference >> 4
            if offset == write:
                return bytes(out)
            for _ in range((reference & 0xF) + 2):
                byte = window[offset]
                offset = (offset + 1) % _WINDOW_BYTES
                out.append(byte)
                window[write] = byte
                write = (write + 1) % _WINDOW_BYTES
    return bytes(out)
