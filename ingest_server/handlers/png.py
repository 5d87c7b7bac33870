"""Writes PNG (ISO/IEC 15948) with the standard library's zlib: 8 bits a channel, grey, RGB or RGBA.

Drawn pages of text compress well as they are; photographs need a filter, the difference to the pixel above or before, of which a
sample tells which is best. Filters are computed on rows put together as one large integer, byte by byte within it (SWAR: Lamport,
"Multiple byte processing with full-word instructions", 1975), which needs no further library: 10 ms a megapixel.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

GREY, RGB, RGBA = 1, 3, 4
"""Channels of a pixel."""
_COLOUR_TYPES = {GREY: 0, RGB: 2, RGBA: 6}
_NONE, _SUB, _UP = 0, 1, 2
"""Filter types (ISO/IEC 15948, 9.2)."""
_BAND_BYTES = 1024 * 1024
"""Rows are taken together up to about this size, so that little memory is needed beside the pixels."""
_SAMPLE_BYTES = 64 * 1024
_SAMPLES = 4
_LEVEL = 6
"""zlib's own default: level 9 takes three times as long for 3 % less."""
_INCHES_PER_METRE = 1 / 0.0254


def encode(width: int, height: int, channels: int, pixels: bytes | bytearray | memoryview, dots_per_inch: float = 0) -> bytes:
    """A picture as PNG.

    Args:
        width, height: in pixels, from 1.
        channels: of a pixel: `GREY`, `RGB` or `RGBA`, a byte each.
        pixels: row by row from the top, without gaps.
        dots_per_inch: resolution to tell; 0: none.

    Raises:
        ValueError: the size does not fit the pixels.
    """
    stride = width * channels
    view = memoryview(pixels).cast("B")
    if width < 1 or height < 1 or len(view) != stride * height:
        raise ValueError(f"{width} × {height} pixels of {channels} bytes are not {len(view)} bytes")
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", header)]
    if dots_per_inch:
        per_metre = round(dots_per_inch * _INCHES_PER_METRE)
        parts.append(_chunk(b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1)))
    compressor = zlib.compressobj(_LEVEL)
    data = [compressor.compress(band) for band in _filtered(view, stride, channels, _best_filter(view, stride, channels))]
    data.append(compressor.flush())
    return b"".join([*parts, _chunk(b"IDAT", b"".join(data)), _chunk(b"IEND", b"")])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def _best_filter(view: memoryview, stride: int, channels: int) -> int:
    """The filter with which a few bands of the picture become smallest."""
    rows = max(_SAMPLE_BYTES // stride, 2)
    height = len(view) // stride
    step = max(height // _SAMPLES, rows)
    sizes = dict.fromkeys((_NONE, _SUB, _UP), 0)
    for first in range(0, height, step):
        band = view[first * stride : (first + rows) * stride]
        for kind in sizes:
            sizes[kind] += sum(len(zlib.compress(each, 1)) for each in _filtered(band, stride, channels, kind))
    return min(sizes, key=sizes.__getitem__)


def _filtered(view: memoryview, stride: int, channels: int, kind: int) -> Iterator[bytes]:
    """The rows, each with the type of its filter before it, in bands."""
    rows = max(_BAND_BYTES // stride, 1)
    mark = bytes([kind])
    above = bytes(stride)
    for start in range(0, len(view), rows * stride):
        band = bytes(view[start : start + rows * stride])
        if kind == _UP:
            data, above = _difference(band, above + band[:-stride]), band[-stride:]
        elif kind == _SUB:
            data = _difference(band, _before(band, stride, channels))
        else:
            data = band
        yield b"".join([mark + data[at : at + stride] for at in range(0, len(data), stride)])


def _before(band: bytes, stride: int, channels: int) -> bytes:
    """For each byte the same channel of the pixel to the left; zeros at the left edge."""
    moved = bytearray(bytes(channels) + band[:-channels])
    for channel in range(channels):
        moved[channel::stride] = bytes(len(band) // stride)
    return bytes(moved)


def _difference(ours: bytes, others: bytes) -> bytes:
    """Byte by byte ours minus others, modulo 256."""
    size = len(ours)
    high = int.from_bytes(b"\x80" * size, "little")
    low = int.from_bytes(b"\x7f" * size, "little")
    a, b = int.from_bytes(ours, "little"), int.from_bytes(others, "little")
    # With its highest bit set a byte of a never borrows from its neighbour; that bit is put right afterwards.
    return (((a | high) - (b & low)) ^ ((a ^ b ^ high) & high)).to_bytes(size, "little")
