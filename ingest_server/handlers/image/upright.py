"""Turns a JPEG upright: draws it by pdfium as cameras mean it to be seen, since tesseract reads the pixels as they are stored.

Orientations: Exif 2.32 (CIPA DC-008), 4.6.4, tag Orientation: which side of what is seen the first row and the first column are.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from math import sqrt
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pypdfium2.raw as raw

from ingest_server.handlers.image.header import PictureSize
from ingest_server.handlers.ocr.tesseract import PageNotRecognised
from ingest_server.handlers.pdf.scans import DRAWN_PIXELS_MAX, drawn

_DOTS_PER_INCH = 72
"""At which a point is a pixel."""
_MATRICES = {
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, -1, -1, 0, 1, 1),
    6: (0, -1, 1, 0, 0, 1),
    7: (0, 1, 1, 0, 0, 0),
    8: (0, 1, -1, 0, 1, 0),
}
"""Orientation → where it puts the unit square that a picture is in PDF: x = a·u + c·v + e, y = b·u + d·v + f, both upwards."""


class Upright(NamedTuple):
    """A picture, drawn upright.

    Attributes:
        path: of a temporary file.
        scale: pixels of it for each one of the picture, at most 1.
    """

    path: Path
    scale: float


@contextmanager
def upright(picture: Path, size: PictureSize) -> Iterator[Upright]:
    """A temporary file with a JPEG as it is seen, in grey.

    Args:
        picture: the JPEG.
        size: from its header; its orientation is not 1.

    Raises:
        PageNotRecognised: it could not be decoded.
    """
    dots_per_inch = min(_DOTS_PER_INCH, int(sqrt(DRAWN_PIXELS_MAX / size.pixels) * _DOTS_PER_INCH))
    document = raw.FPDF_CreateNewDocument()
    try:
        page = raw.FPDFPage_New(document, 0, float(size.width), float(size.height))
        try:
            with picture.open("rb") as file:
                _put(document, page, file, size)
            with drawn(page, size.width, size.height, dots_per_inch) as path:
                yield Upright(path, dots_per_inch / _DOTS_PER_INCH)
        finally:
            raw.FPDF_ClosePage(page)
    finally:
        raw.FPDF_CloseDocument(document)


def _put(document: object, page: object, file: BinaryIO, size: PictureSize) -> None:
    """Put the picture on the page, which it fills."""

    def block(_: Any, position: int, buffer: Any, count: int) -> int:
        file.seek(position)
        data = file.read(count)
        ctypes.memmove(buffer, data, len(data))
        return int(len(data) == count)

    read = dict(raw.FPDF_FILEACCESS._fields_)["m_GetBlock"](block)
    access = raw.FPDF_FILEACCESS(m_FileLen=os.fstat(file.fileno()).st_size, m_GetBlock=read, m_Param=None)
    item = raw.FPDFPageObj_NewImageObj(document)
    loaded = raw.FPDFImageObj_LoadJpegFileInline(None, 0, item, access)
    # Of what is no JPEG it makes a picture without pixels, says all is well, and breaks down when that is drawn.
    if not loaded or _stored_size(item) not in ((size.width, size.height), (size.height, size.width)):
        raw.FPDFPageObj_Destroy(item)
        raise PageNotRecognised("the picture lies on its side and could not be decoded to be turned upright")
    across, rising, slanted, down, left, bottom = _MATRICES[size.orientation]
    width, height = size.width, size.height
    raw.FPDFImageObj_SetMatrix(
        item, across * width, rising * height, slanted * width, down * height, left * width, bottom * height
    )
    raw.FPDFPage_InsertObject(page, item)


def _stored_size(item: object) -> tuple[int, int]:
    """Width and height of a picture as pdfium understood its header."""
    width, height = ctypes.c_uint(), ctypes.c_uint()
    raw.FPDFImageObj_GetImagePixelSize(item, ctypes.byref(width), ctypes.byref(height))
    return width.value, height.value
