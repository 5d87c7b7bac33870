"""Pictures of pages for the tests of image documents: real ones by Pillow, headers of hostile ones by hand."""

from __future__ import annotations

import io
import shutil
import struct
import zlib
from collections.abc import Sequence

import pytest
from PIL import Image, ImageDraw, ImageFont

DOTS_PER_INCH = 150
LINES = ("Harbour Report of the year", "ships came in and went out.")

needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="tesseract is not installed: apt-get install tesseract-ocr"
)


def page(lines: Sequence[str] = LINES, *, width: int = 1000, height: int = 400, left: int = 50) -> Image.Image:
    """A white page with black lines of text, 60 pixels apart from pixel 50 on."""
    picture = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        draw.text((left, 50 + 60 * number), line, font=ImageFont.load_default(40), fill=0)
    return picture


def saved(picture: Image.Image, kind: str, *more: Image.Image) -> bytes:
    """The picture as a file, with its resolution; further pages behind it."""
    file = io.BytesIO()
    extra = {"save_all": True, "append_images": list(more)} if more else {}
    picture.save(file, kind, dpi=(DOTS_PER_INCH, DOTS_PER_INCH), **extra)
    return file.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """A small PNG whose header claims any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(2))) + chunk(b"IEND", b"")


def jpeg_claiming(width: int, height: int) -> bytes:
    """A JPEG's beginning up to its frame header, which claims any size up to 65,535 a side."""
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x01\x00\x96\x00\x96\x00\x00" + (
        b"\xff\xc0\x00\x0b\x08" + struct.pack(">HH", height, width) + b"\x01\x01\x11\x00"
    )


def tiff_claiming(sizes: Sequence[tuple[int, int]], *, after_last: int = 0, order: str = "<") -> bytes:
    """A TIFF of directories only, one a page; `after_last` is where the last one points to."""
    data = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(order + "I", 8)
    for number, (width, height) in enumerate(sizes, 1):
        entries = struct.pack(order + "HHII", 256, 4, 1, width) + struct.pack(order + "HHII", 257, 4, 1, height)
        following = len(data) + 2 + len(entries) + 4 if number < len(sizes) else after_last
        data += struct.pack(order + "H", 2) + entries + struct.pack(order + "I", following)
    return data
