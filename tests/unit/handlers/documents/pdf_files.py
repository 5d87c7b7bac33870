"""PDFs for the tests: written object by object, so that each fault is the one that is meant."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 400, 300
CATALOG, PAGES, FONT, FIRST_FREE = 1, 2, 3, 4


def written(objects: Mapping[int, bytes], *, information: int = 0) -> bytes:
    """A PDF of these objects, of which number 1 is the catalog."""
    data = bytearray(b"%PDF-1.7\n")
    places = {}
    for number in sorted(objects):
        places[number] = len(data)
        data += b"%d 0 obj\n" % number + objects[number] + b"\nendobj\n"
    start = len(data)
    size = max(objects) + 1
    data += b"xref\n0 %d\n0000000000 65535 f \n" % size
    for number in range(1, size):
        data += b"%010d 00000 n \n" % places[number] if number in places else b"0000000000 65535 f \n"
    information_entry = b" /Info %d 0 R" % information if information else b""
    data += b"trailer << /Size %d /Root 1 0 R%s >>\nstartxref\n%d\n%%%%EOF\n" % (size, information_entry, start)
    return bytes(data)


def stream(content: bytes, entries: bytes = b"", *, packed: bool = False) -> bytes:
    """A stream object; `packed` by Flate."""
    if packed:
        content, entries = zlib.compress(content, 9), entries + b" /Filter /FlateDecode"
    return b"<< /Length %d %s >>\nstream\n" % (len(content), entries) + content + b"\nendstream"


def document(
    pages: Sequence[bytes] = (b"",),
    *,
    catalog: bytes = b"",
    page: bytes = b"",
    resources: bytes = b"",
    more: Mapping[int, bytes] | None = None,
) -> bytes:
    """A PDF of pages of 400 × 300 points.

    Args:
        pages: their contents; page n is object 100 + 2 n, from 0, its content the next.
        catalog, page, resources: further entries of the catalog, of each page, of its resources.
        more: further objects, from number 4 to 99, or 1,000 on.
    """
    kids = b" ".join(b"%d 0 R" % (100 + 2 * index) for index in range(len(pages)))
    objects = {
        CATALOG: b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalog,
        PAGES: b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(pages), kids),
        FONT: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        **(more or {}),
    }
    for index, content in enumerate(pages):
        objects[100 + 2 * index] = (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents %d 0 R /Resources << /Font << /F 3 0 R >> %s >> %s >>"
            % (WIDTH, HEIGHT, 101 + 2 * index, resources, page)
        )
        objects[101 + 2 * index] = stream(content)
    return written(objects)


def words(text: str, left: float, baseline: float, size: float = 12) -> bytes:
    """Content: a line of text."""
    return b"BT /F %g Tf %g %g Td (%s) Tj ET\n" % (size, left, baseline, text.encode("cp1252"))


def placed(name: str, left: float, bottom: float, width: float, height: float) -> bytes:
    """Content: a picture or form of the resources in a rectangle."""
    return b"q %g 0 0 %g %g %g cm /%s Do Q\n" % (width, height, left, bottom, name.encode())


def image(width: int, height: int, pixels: bytes, colours: bytes = b"/DeviceRGB", entries: bytes = b"") -> bytes:
    """A picture as an object, packed by Flate."""
    size = b"/Type /XObject /Subtype /Image /Width %d /Height %d" % (width, height)
    return stream(pixels, size + b" /ColorSpace %s /BitsPerComponent 8 %s" % (colours, entries), packed=True)
