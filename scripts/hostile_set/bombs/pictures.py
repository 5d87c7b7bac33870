"""Pictures of one pixel that claim ten gigapixels, and formats that go round in circles."""

from __future__ import annotations

import struct
import zlib

from scripts.hostile_set.bombs.compression import zeros
from scripts.hostile_set.bombs.registered import bomb

GROUP = "pictures"
MIB = 1024 * 1024
SIDE = 100_000


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, pixels: bytes, before: bytes = b"", depth: int = 8) -> bytes:
    """A PNG in grey, with packed pixels as they come and chunks before them."""
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + before + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def tiff(tags: dict[int, tuple[int, int, int]], data: bytes = b"", next_directory: int = 0) -> bytes:
    """A TIFF of one directory at byte 8: tag → (type, count, value); data follows at byte 10 + 12 × tags + 4."""
    rows = b"".join(struct.pack("<HHLL", tag, *value) for tag, value in sorted(tags.items()))
    return b"II*\0" + struct.pack("<L", 8) + struct.pack("<H", len(tags)) + rows + struct.pack("<L", next_directory) + data


SHORT, LONG = 3, 4


def _grey(width: int, height: int, **other: tuple[int, int, int]) -> dict[int, tuple[int, int, int]]:
    tags = {256: (LONG, 1, width), 257: (LONG, 1, height), 258: (SHORT, 1, 8), 259: (SHORT, 1, 1), 262: (SHORT, 1, 1)}
    tags |= {273: (LONG, 1, 122), 277: (SHORT, 1, 1), 278: (LONG, 1, height), 279: (LONG, 1, 1)}
    return tags | {int(name[1:]): value for name, value in other.items()}


@bomb(GROUP, "pixel.png")
def _png_pixel() -> bytes:
    """Ten gigapixels, of which one is there."""
    return png(SIDE, SIDE, zlib.compress(b"\0\0"))


@bomb(GROUP, "zeros.png")
def _png_zeros() -> bytes:
    """Ten gigapixels, all there, in ten megabytes."""
    return png(SIDE, SIDE, zeros(10_000 * MIB, 15))


@bomb(GROUP, "allowed.png", heavy=True)
def _png_within_limits() -> bytes:
    """Ninety megapixels of nothing: within what is taken, and all to be looked at."""
    return png(9_486, 9_486, zlib.compress(bytes(9_487 * 9_486), 9))


@bomb(GROUP, "most.png")
def _png_of_most() -> bytes:
    """Two thousand million pixels a side."""
    return png(2**31 - 1, 2**31 - 1, zlib.compress(b"\0"), depth=16)


@bomb(GROUP, "line.png")
def _png_line() -> bytes:
    """A line of two thousand million pixels."""
    return png(2**31 - 1, 1, zeros(64 * MIB, 15), depth=1)


@bomb(GROUP, "text.png")
def _png_text() -> bytes:
    """Sixty-four texts that unpack to 64 MB each before the first pixel."""
    text = _chunk(b"zTXt", b"Title\0\0" + zeros(64 * MIB, 15))
    profile = _chunk(b"iCCP", b"p\0\0" + zeros(64 * MIB, 15))
    return png(8, 8, zlib.compress(bytes(72)), text * 64 + profile)


@bomb(GROUP, "chunks.png")
def _png_chunks() -> bytes:
    """A million empty chunks before the first pixel."""
    return png(8, 8, zlib.compress(bytes(72)), _chunk(b"teXt", b"") * 1_000_000)


@bomb(GROUP, "length.png")
def _png_long_chunk() -> bytes:
    """A chunk of four gigabytes of which nothing is there."""
    return png(8, 8, b"")[:33] + struct.pack(">I4s", 0xFFFFFFFF, b"IDAT") + b"x"


@bomb(GROUP, "pixel.tiff")
def _tiff_pixel() -> bytes:
    """Ten gigapixels, of which one is there."""
    return tiff(_grey(SIDE, SIDE), b"\x80")


@bomb(GROUP, "strips.tiff")
def _tiff_strips() -> bytes:
    """Four thousand million strips."""
    return tiff(_grey(1_000, 2**32 - 1, t273=(LONG, 2**32 - 1, 122), t278=(LONG, 1, 1), t279=(LONG, 2**32 - 1, 122)), bytes(64))


@bomb(GROUP, "circle.tiff")
def _tiff_circle() -> bytes:
    """A page that is followed by itself."""
    return tiff(_grey(8, 8), bytes(64), next_directory=8)


@bomb(GROUP, "pages.tiff", heavy=True)
def _tiff_pages() -> bytes:
    """A hundred thousand pages of a pixel."""
    out = bytearray(b"II*\0" + struct.pack("<L", 8))
    tags = _grey(1, 1, t273=(LONG, 1, 0))
    rows = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHLL", tag, *value) for tag, value in sorted(tags.items()))
    for _ in range(100_000):
        out += rows + struct.pack("<L", len(out) + len(rows) + 4)
    return bytes(out)


@bomb(GROUP, "directory.tiff")
def _tiff_directories() -> bytes:
    """A directory of 65,535 entries, all of the same tag, that leads to itself."""
    rows = struct.pack("<HHLL", 256, LONG, 1, 8) * 65_535
    return b"II*\0" + struct.pack("<LH", 8, 65_535) + rows + struct.pack("<L", 8)


@bomb(GROUP, "packed.tiff")
def _tiff_deflate() -> bytes:
    """Ten gigapixels packed by deflate."""
    data = zeros(10_000 * MIB, 15)
    return tiff(_grey(SIDE, SIDE, t259=(SHORT, 1, 8), t279=(LONG, 1, len(data))), data)


@bomb(GROUP, "tiles.tiff")
def _tiff_tiles() -> bytes:
    """Tiles of two thousand million pixels a side for a picture of eight."""
    return tiff(_grey(8, 8, t322=(LONG, 1, 2**31), t323=(LONG, 1, 2**31), t324=(LONG, 1, 8), t325=(LONG, 1, 8)))


@bomb(GROUP, "samples.tiff")
def _tiff_samples() -> bytes:
    """65,535 colours of 65,535 bits."""
    return tiff(_grey(1_000, 1_000, t258=(SHORT, 1, 65_535), t277=(SHORT, 1, 65_535)), bytes(64))


@bomb(GROUP, "big.tiff")
def _tiff_64() -> bytes:
    """The 64-bit variant, whose directory lies at the end of the world."""
    return b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**63 - 1)


def jpeg(width: int, height: int, *, frame: int = 0xC0, scans: int = 1, data: bytes = b"") -> bytes:
    """A JPEG in grey with plain tables and so many scans of the same data."""
    quantization = b"\xff\xdb\0\x43\0" + b"\1" * 64
    header = struct.pack(">2sHBHHB3s", bytes((0xFF, frame)), 11, 8, height, width, 1, b"\1\x11\0")
    huffman = b"".join(b"\xff\xc4\0\x14%c\1%b\0" % (table, bytes(15)) for table in (0x00, 0x10))
    last = 0 if frame == 0xC2 else 63
    scan = b"\xff\xda\0\x08\1\1\0\0%c\0" % last + data
    return b"\xff\xd8" + quantization + header + huffman + scan * scans + b"\xff\xd9"


@bomb(GROUP, "pixel.jpg")
def _jpeg_pixel() -> bytes:
    """Four gigapixels, of which one is there."""
    return jpeg(65_535, 65_535, data=b"\x7f")


@bomb(GROUP, "allowed.jpg")
def _jpeg_within_limits() -> bytes:
    """Ninety megapixels, a bit each eight by eight."""
    return jpeg(9_480, 9_480, data=bytes(9_480 * 9_480 // 64 // 4))


@bomb(GROUP, "scans.jpg")
def _jpeg_scans() -> bytes:
    """A progressive picture of sixteen megapixels whose first scan comes fifty thousand times."""
    return jpeg(4_000, 4_000, frame=0xC2, scans=50_000, data=b"\0")


@bomb(GROUP, "segments.jpg")
def _jpeg_segments() -> bytes:
    """A million segments before the header."""
    return b"\xff\xd8" + b"\xff\xe1\0\2" * 1_000_000 + jpeg(8, 8)[2:]


@bomb(GROUP, "fill.jpg")
def _jpeg_fill() -> bytes:
    """Fifty megabytes of fill bytes before a marker."""
    return b"\xff\xd8" + b"\xff" * (50 * MIB) + jpeg(8, 8)[3:]


@bomb(GROUP, "restarts.jpg")
def _jpeg_restarts() -> bytes:
    """Restart markers instead of pixels, ten million of them."""
    return jpeg(4_000, 4_000, data=b"\xff\xd0" * 5_000_000)


@bomb(GROUP, "lossless.jpg")
def _jpeg_lossless() -> bytes:
    """A frame of a kind that few know."""
    return jpeg(8_000, 8_000, frame=0xC3, data=bytes(64))
