"""Draws pages as they are shown, with their annotations and form fields, as PNG."""

from __future__ import annotations

import ctypes
from math import isfinite, sqrt
from typing import Any

import pypdfium2.raw as raw

from ingest.v1 import document_pb2
from ingest_server.handlers import png
from ingest_server.handlers.interface import Context
from ingest_server.handlers.operator import reader_limits
from ingest_server.handlers.pdf.form_fields import FormFields
from ingest_server.handlers.pdf.picture_bytes import PictureBytes
from ingest_server.handlers.pdf.pixels import grey_of
from ingest_server.handlers.pdf.scans import covering

PIXELS_MAX = 40_000_000
"""A4 at 600 dots per inch has 35 million. A pixel takes three bytes."""
SIDE_PIXELS_MAX = 32_767
"""What most programs take."""
DOTS_PER_INCH_MIN = 1
"""Coarser a page is not drawn: it would have to be 40 m wide."""
POINTS_PER_INCH = 72.0
WHITE = 0xFFFFFFFF
_FLAGS = raw.FPDF_REVERSE_BYTE_ORDER | raw.FPDF_ANNOT

PAGE_IMAGE_COARSER = "PAGE_IMAGE_COARSER"
PAGE_IMAGE_OMITTED = "PAGE_IMAGE_OMITTED"


class PageImages:
    """Adds pictures of one page after the other to a document.

    Args:
        document: to fill.
        dots_per_inch: wanted.
        allowance: bytes of pictures.
        fields: draws the form fields; None without a form.
        context: of the attempt.
    """

    def __init__(
        self,
        document: document_pb2.Document,
        dots_per_inch: int,
        allowance: PictureBytes,
        fields: FormFields | None,
        context: Context,
    ) -> None:
        self._document = document
        self._fields = fields
        self._dots_per_inch = dots_per_inch
        self._allowance = allowance
        self._context = context

    def add_page(self, page: Any, number: int) -> None:
        """Draw a page. One that a limit forbids becomes an issue instead, one that is drawn more coarsely an issue too.

        Args:
            page: pdfium's open FPDF_PAGE.
            number: from 1.

        Raises:
            Cancelled: the attempt was asked to stop.
        """
        self._context.check()
        width, height = raw.FPDF_GetPageWidthF(page), raw.FPDF_GetPageHeightF(page)
        if not (isfinite(width) and isfinite(height) and width > 0 and height > 0):
            self._note(number, PAGE_IMAGE_OMITTED, f"The page is {width} × {height} points large and cannot be drawn.")
            return
        # pdfium decodes a picture whole to draw it.
        pixels, pixels_max = covering(page, width * height).pixels, reader_limits().read_image_pixels_max
        if pixels > pixels_max:
            why = f"a picture on it has {pixels:,} pixels; at most {pixels_max:,} are drawn (read_image_pixels_max)"
            self._note(number, PAGE_IMAGE_OMITTED, f"The page was not drawn: {why}.")
            return
        most = min(sqrt(PIXELS_MAX / (width * height)), SIDE_PIXELS_MAX / max(width, height)) * POINTS_PER_INCH
        dots_per_inch = min(float(self._dots_per_inch), most)
        if dots_per_inch < DOTS_PER_INCH_MIN:
            why = f"it is {width:,.0f} × {height:,.0f} points large"
            self._note(number, PAGE_IMAGE_OMITTED, f"The page was not drawn: {why}.")
            return
        if dots_per_inch < self._dots_per_inch:
            why = f"a picture of a page has at most {PIXELS_MAX:,} pixels, {SIDE_PIXELS_MAX:,} a side"
            self._note(number, PAGE_IMAGE_COARSER, f"The page was drawn at {dots_per_inch:.0f} dots per inch: {why}.")
        scale = dots_per_inch / POINTS_PER_INCH
        self._add(page, number, max(int(width * scale), 1), max(int(height * scale), 1), dots_per_inch)

    def _add(self, page: Any, number: int, across: int, down: int, dots_per_inch: float) -> None:
        """Draw a page of a size that is allowed."""
        if self._allowance.left == 0:
            self._omit(number)
            return
        pixels = _drawn(page, across, down, self._fields)
        if pixels is None:
            self._note(number, PAGE_IMAGE_OMITTED, f"A picture of {across:,} × {down:,} pixels could not be made of the page.")
            return
        grey = grey_of(pixels, png.RGB)
        data = png.encode(across, down, png.RGB if grey is None else png.GREY, pixels if grey is None else grey, dots_per_inch)
        if not self._allowance.take(len(data)):
            # Smaller pages behind it are not drawn for nothing.
            self._allowance.left = 0
            self._omit(number)
            return
        image = self._document.page_images.add(page=number, media_type="image/png", data=data)
        image.width_pixels, image.height_pixels = across, down

    def _omit(self, number: int) -> None:
        most = f"{self._allowance.bytes_max:,} bytes of pictures"
        message = f"The picture of the page was left out: a document gives at most {most}. Ask for fewer pages or dots per inch."
        self._note(number, PAGE_IMAGE_OMITTED, message)

    def _note(self, number: int, reason: str, message: str) -> None:
        self._document.issues.add(page=number, reason=reason, message=message)


def _drawn(page: Any, across: int, down: int, fields: FormFields | None) -> bytearray | None:
    """The page on white, three bytes a pixel: red, green, blue; None if pdfium cannot."""
    pixels = bytearray(3 * across * down)
    buffer = (ctypes.c_char * len(pixels)).from_buffer(pixels)
    bitmap = raw.FPDFBitmap_CreateEx(across, down, raw.FPDFBitmap_BGR, buffer, 3 * across)
    if not bitmap:
        return None
    try:
        raw.FPDFBitmap_FillRect(bitmap, 0, 0, across, down, WHITE)
        raw.FPDF_RenderPageBitmap(bitmap, page, 0, 0, across, down, 0, _FLAGS)
        if fields is not None:
            fields.draw(bitmap, page, across, down, _FLAGS)
    finally:
        raw.FPDFBitmap_Destroy(bitmap)
    del buffer
    return pixels
