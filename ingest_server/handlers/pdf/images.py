"""Embedded pictures of pages: where they stand, and their bytes as the document holds them.

A JPEG is passed on unchanged. What else a PDF may hold (pixels packed by many methods, in many colour spaces, with masks beside
them) is decoded by pdfium and written as PNG, turned and mirrored as it is stored.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any, NamedTuple

import pypdfium2.raw as raw

from ingest.v1 import document_pb2
from ingest_server.handlers import png
from ingest_server.handlers.elements import Box
from ingest_server.handlers.pdf.library import PdfDocument
from ingest_server.handlers.pdf.page_text import PageText
from ingest_server.handlers.pdf.picture_bytes import PictureBytes
from ingest_server.handlers.pdf.pixels import from_bgra
from ingest_server.handlers.pdf.places import Edges, shown_box

PAGE_PICTURES_MAX = 500
PICTURES_MAX = 5_000
"""Of all pages read at once."""
OBJECTS_MAX = 50_000
"""Looked at on one page to find its pictures; a page of text has some thousands at most, a map more."""
DEPTH_MAX = 6
"""Forms within forms."""
SIDE_PIXELS_MAX = 2**31 - 1
"""What pdfium gives beyond was a negative number in the file."""
PIXELS_MAX = 40_000_000
"""Of a picture that is decoded. pdfium needs up to eight bytes a pixel for it."""

IMAGE_OMITTED = "IMAGE_OMITTED"
IMAGES_TRUNCATED = "IMAGES_TRUNCATED"
JPEG, PNG = "image/jpeg", "image/png"
_JPEG_BEGIN = b"\xff\xd8\xff"

Matrix = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): x' = a·x + c·y + e, y' = b·x + d·y + f."""


class Picture(NamedTuple):
    """An embedded picture.

    Attributes:
        box: on the page as it is shown; None if unknown.
        media_type, data: its bytes; both empty if they were left out.
        width, height: in pixels.
    """

    box: Box | None
    media_type: str
    data: bytes
    width: int
    height: int


class _LeftOut(Exception):
    """A picture whose bytes are not given; the text says why."""


class Pictures:
    """Finds the pictures of one page after the other.

    Args:
        document: whose issues tell what was left out.
        pdf: the open document.
        allowance: bytes of pictures.
    """

    def __init__(self, document: document_pb2.Document, pdf: PdfDocument, allowance: PictureBytes) -> None:
        self._document = document
        self._handle = pdf.handle
        self._allowance = allowance
        self._left = PICTURES_MAX

    def of_page(self, page: Any, number: int, text: PageText) -> list[Picture]:
        """The pictures of a page in the order in which they are drawn. What is left out for a limit becomes an issue.

        Args:
            page: pdfium's open FPDF_PAGE.
            number: from 1.
            text: of the page.
        """
        found: list[Picture] = []
        objects = _Objects(page)
        for item, matrix in objects:
            if len(found) == PAGE_PICTURES_MAX or not self._left:
                most = f"{PAGE_PICTURES_MAX:,} of a page, {PICTURES_MAX:,} in all"
                self._note(number, IMAGES_TRUNCATED, f"Not all pictures of the page are given: at most {most}.")
                return found
            self._left -= 1
            across, down = ctypes.c_uint(), ctypes.c_uint()
            raw.FPDFImageObj_GetImagePixelSize(item, across, down)
            width, height = (value if value <= SIDE_PIXELS_MAX else 0 for value in (across.value, down.value))
            media_type, data = "", b""
            try:
                media_type, data = self._bytes(page, item, width, height)
            except _LeftOut as why:
                size = f"A picture of {width:,} × {height:,} pixels"
                self._note(number, IMAGE_OMITTED, f"{size} is given without its bytes: {why}.")
            found.append(Picture(shown_box(text, _unit_square(matrix)), media_type, data, width, height))
        if objects.cut:
            self._note(number, IMAGES_TRUNCATED, f"Pictures were looked for among the page's first {OBJECTS_MAX:,} objects only.")
        return found

    def _bytes(self, page: Any, item: Any, width: int, height: int) -> tuple[str, bytes]:
        """Media type and bytes of a picture.

        Raises:
            _LeftOut: a limit forbids it, or it cannot be decoded.
        """
        too_many = f"a document gives at most {self._allowance.bytes_max:,} bytes of pictures"
        data = _jpeg(item, self._allowance.left)
        if data is None:
            if width * height > PIXELS_MAX:
                raise _LeftOut(f"at most {PIXELS_MAX:,} pixels are decoded")
            if not self._allowance.left:
                raise _LeftOut(too_many)
            data = _decoded(self._handle, page, item, width, height)
        if not data or not self._allowance.take(len(data)):
            raise _LeftOut(too_many)
        return (JPEG if data.startswith(_JPEG_BEGIN) else PNG), data

    def _note(self, number: int, reason: str, message: str) -> None:
        self._document.issues.add(page=number, reason=reason, message=message)


class _Objects:
    """The pictures among a page's objects, those in forms too, each with the matrix that puts it on the page.

    Attributes:
        cut: not all objects were looked at.
    """

    def __init__(self, page: Any) -> None:
        self._page = page
        self._left = OBJECTS_MAX
        self.cut = False

    def __iter__(self) -> Iterator[tuple[Any, Matrix]]:
        """In the order in which they are drawn."""
        page = self._page
        count = raw.FPDFPage_CountObjects(page)
        yield from self._among((raw.FPDFPage_GetObject(page, index) for index in range(count)), (1, 0, 0, 1, 0, 0), 0)

    def _among(self, items: Iterator[Any], outer: Matrix, depth: int) -> Iterator[tuple[Any, Matrix]]:
        for item in items:
            if self._left == 0:
                self.cut = True
                return
            self._left -= 1
            kind = raw.FPDFPageObj_GetType(item)
            if kind == raw.FPDF_PAGEOBJ_IMAGE:
                yield item, _product(_matrix_of(item), outer)
            elif kind == raw.FPDF_PAGEOBJ_FORM and depth < DEPTH_MAX:
                inner = (raw.FPDFFormObj_GetObject(item, index) for index in range(raw.FPDFFormObj_CountObjects(item)))
                yield from self._among(inner, _product(_matrix_of(item), outer), depth + 1)


def _jpeg(item: Any, bytes_max: int) -> bytes | None:
    """The bytes of a picture that is stored as JPEG and packed no further; b"" if they are too many, None if it is none."""
    if raw.FPDFImageObj_GetImageFilterCount(item) != 1:
        return None
    name = ctypes.create_string_buffer(16)
    raw.FPDFImageObj_GetImageFilter(item, 0, name, len(name))
    if name.value not in (b"DCTDecode", b"DCT"):
        return None
    size = raw.FPDFImageObj_GetImageDataRaw(item, None, 0)
    if size > bytes_max:
        return b""
    buffer = ctypes.create_string_buffer(max(size, 1))
    raw.FPDFImageObj_GetImageDataRaw(item, buffer, size)
    data = buffer.raw[:size]
    return data if data.startswith(_JPEG_BEGIN) else None


def _decoded(handle: Any, page: Any, item: Any, width: int, height: int) -> bytes:
    """A picture with its masks as PNG, a pixel for each of its own.

    Raises:
        _LeftOut: pdfium cannot decode it.
    """
    if not width or not height:
        raise _LeftOut("it has no pixels")
    matrix = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(item, matrix)
    # Drawn at its own size; the page, if it is drawn too, needs the matrix that was.
    raw.FPDFPageObj_SetMatrix(item, raw.FS_MATRIX(width, 0, 0, height, 0, 0))
    try:
        bitmap = raw.FPDFImageObj_GetRenderedBitmap(handle, page, item)
    finally:
        raw.FPDFPageObj_SetMatrix(item, matrix)
    if not bitmap:
        raise _LeftOut("it is damaged, or packed in a way that is not known")
    try:
        across, down = raw.FPDFBitmap_GetWidth(bitmap), raw.FPDFBitmap_GetHeight(bitmap)
        stride, form = raw.FPDFBitmap_GetStride(bitmap), raw.FPDFBitmap_GetFormat(bitmap)
        if stride != 4 * across or form != raw.FPDFBitmap_BGRA or across * down > 2 * PIXELS_MAX:
            raise _LeftOut("it was decoded into something unforeseen")
        channels, pixels = from_bgra(ctypes.string_at(raw.FPDFBitmap_GetBuffer(bitmap), stride * down))
    finally:
        raw.FPDFBitmap_Destroy(bitmap)
    return png.encode(across, down, channels, pixels)


def _matrix_of(item: Any) -> Matrix:
    matrix = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(item, matrix)
    return matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f


def _product(first: Matrix, then: Matrix) -> Matrix:
    """The matrix that does the one and then the other."""
    a, b, c, d, e, f = first
    p, q, r, s, t, u = then
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u


def _unit_square(matrix: Matrix) -> Edges:
    """What the square from (0, 0) to (1, 1), which a picture fills, becomes: the rectangle around it."""
    a, b, c, d, e, f = matrix
    across, up = (e, e + a, e + c, e + a + c), (f, f + b, f + d, f + b + d)
    return min(across), min(up), max(across), max(up)
