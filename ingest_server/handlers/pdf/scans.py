"""Recognises the text of scanned pages: pages without text that a picture covers, drawn by pdfium and read by tesseract."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import pypdfium2.raw as raw

from ingest_server.domain.errors import Reason
from ingest_server.domain.extract_rules import OcrMode
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.ocr.tesseract import PageNotRecognised, Tesseract
from ingest_server.handlers.ocr.words import Recognised
from ingest_server.handlers.operator import reader_limits

COVERED_MIN = 0.3
"""Share of a page that its pictures cover if it is a scan. Drawings and logos are none."""
OBJECTS_MAX = 1_000
"""Looked at to find that out. A scan has one object, or a few hundred strips."""
DEPTH_MAX = 4
"""Forms within forms."""
DOTS_PER_INCH = 300
"""What tesseract is made for; its documentation asks for 300 at least."""
DOTS_PER_INCH_MIN = 70
"""Below, tesseract does not believe it."""
DRAWN_PIXELS_MAX = 40_000_000
"""A2 at 300 dots per inch has 35 million; larger pages are drawn more coarsely. A pixel takes a byte."""
SIDE_PIXELS_MAX = 32_767
"""What tesseract takes."""
POINTS_PER_INCH = 72.0


@dataclass(frozen=True, slots=True)
class Covering:
    """The pictures of a page.

    Attributes:
        share: of the page that they cover; above 1 if they overlap.
        pixels: of the largest.
    """

    share: float
    pixels: int


class Scans:
    """Recognises the scanned pages of one document.

    Args:
        tesseract: recognises them.
        languages: as the caller wants them; looked up at the first scanned page.
        context: of the attempt.
        mode: an `OcrMode`: whether the task wants them recognised.
    """

    def __init__(self, tesseract: Tesseract, languages: tuple[str, ...], context: Context, mode: int = OcrMode.AUTO) -> None:
        self._tesseract = tesseract
        self._mode = mode
        self._wanted = languages
        self._context = context
        self._languages = ""
        self._unavailable = ""

    def read(self, page_address: int) -> list[Recognised] | None:
        """Recognise a page without text.

        Args:
            page_address: of pdfium's open FPDF_PAGE.

        Returns:
            Its paragraphs, boxes in points; None if it is no scan.

        Raises:
            PageNotRecognised: it is one, and could not be read; the text says why, and what to install if that is the cause.
            HandlerFailure: INVALID_OPTIONS, ATTEMPT_TIMEOUT.
            Cancelled: the attempt was asked to stop.
        """
        page = ctypes.cast(page_address, raw.FPDF_PAGE)
        width, height = raw.FPDF_GetPageWidthF(page), raw.FPDF_GetPageHeightF(page)
        if not (width > 0 and height > 0):
            return None
        pictures = covering(page, width * height)
        if pictures.share < COVERED_MIN:
            return None
        if self._mode == OcrMode.OFF:
            raise PageNotRecognised("the task has switched recognition off (ocr)")
        # pdfium decodes a picture whole to draw it.
        if pictures.pixels > (pixels_max := reader_limits().read_image_pixels_max):
            raise PageNotRecognised(
                f"its picture has {pictures.pixels:,} pixels; at most {pixels_max:,} are read (read_image_pixels_max)"
            )
        languages = self._looked_up()
        dots_per_inch = _resolution(width, height)
        with drawn(page, width, height, dots_per_inch) as picture:
            found = self._tesseract.page(picture, languages, self._context, dots_per_inch=dots_per_inch)
        scale = POINTS_PER_INCH / dots_per_inch
        return [each.scaled(scale) for each in found]

    def _looked_up(self) -> str:
        """The languages as tesseract takes them, asked for once a document."""
        if self._unavailable:
            raise PageNotRecognised(self._unavailable)
        if not self._languages:
            try:
                self._languages = self._tesseract.languages(self._wanted, "application/pdf", self._context)
            except HandlerFailure as failure:
                if failure.reason != Reason.MEDIA_TYPE_NOT_SUPPORTED:
                    raise
                # The other pages may have text, and are not lost for this.
                self._unavailable = failure.message
                raise PageNotRecognised(failure.message) from failure
        return self._languages


def _resolution(width: float, height: float) -> int:
    """Dots per inch to draw a page of so many points at."""
    most = min(sqrt(DRAWN_PIXELS_MAX / (width * height)), SIDE_PIXELS_MAX / max(width, height)) * POINTS_PER_INCH
    if most < DOTS_PER_INCH_MIN:
        raise PageNotRecognised(f"it is {width:,.0f} × {height:,.0f} points large, too large to be drawn")
    return min(DOTS_PER_INCH, int(most))


def covering(page: Any, area: float) -> Covering:
    """What the pictures of a page cover, forms with pictures in them included."""
    covered, largest, left_over = 0.0, 0, OBJECTS_MAX
    for index in range(min(raw.FPDFPage_CountObjects(page), OBJECTS_MAX)):
        item = raw.FPDFPage_GetObject(page, index)
        pixels, looked = _pixels(item, left_over, 0)
        left_over -= looked
        if pixels:
            edges = [ctypes.c_float() for _ in range(4)]
            if raw.FPDFPageObj_GetBounds(item, *map(ctypes.byref, edges)):
                left, bottom, right, top = (edge.value for edge in edges)
                covered += max(right - left, 0.0) * max(top - bottom, 0.0)
            largest = max(largest, pixels)
        if left_over <= 0:
            break
    return Covering(covered / area, largest)


def _pixels(item: Any, objects_max: int, depth: int) -> tuple[int, int]:
    """Pixels of the largest picture that an object is or holds, 0 for none; and how many objects were looked at."""
    kind = raw.FPDFPageObj_GetType(item)
    if kind == raw.FPDF_PAGEOBJ_IMAGE:
        width, height = ctypes.c_uint(), ctypes.c_uint()
        raw.FPDFImageObj_GetImagePixelSize(item, ctypes.byref(width), ctypes.byref(height))
        return width.value * height.value, 1
    if kind != raw.FPDF_PAGEOBJ_FORM or depth == DEPTH_MAX:
        return 0, 1
    largest, looked = 0, 1
    for index in range(raw.FPDFFormObj_CountObjects(item)):
        if looked >= objects_max:
            break
        pixels, more = _pixels(raw.FPDFFormObj_GetObject(item, index), objects_max - looked, depth + 1)
        largest, looked = max(largest, pixels), looked + more
    return largest, looked


@contextmanager
def drawn(page: Any, width: float, height: float, dots_per_inch: int) -> Iterator[Path]:
    """A temporary file with the page as it is shown, in grey: a PGM (https://netpbm.sourceforge.net/doc/pgm.html)."""
    across = max(round(width * dots_per_inch / POINTS_PER_INCH), 1)
    down = max(round(height * dots_per_inch / POINTS_PER_INCH), 1)
    pixels = bytearray(across * down)
    buffer = (ctypes.c_char * len(pixels)).from_buffer(pixels)
    bitmap = raw.FPDFBitmap_CreateEx(across, down, raw.FPDFBitmap_Gray, buffer, across)
    if not bitmap:
        raise PageNotRecognised(f"a picture of {across:,} × {down:,} pixels could not be made of it")
    try:
        raw.FPDFBitmap_FillRect(bitmap, 0, 0, across, down, 0xFFFFFFFF)
        raw.FPDF_RenderPageBitmap(bitmap, page, 0, 0, across, down, 0, raw.FPDF_GRAYSCALE | raw.FPDF_ANNOT)
    finally:
        raw.FPDFBitmap_Destroy(bitmap)
    with tempfile.NamedTemporaryFile(prefix="page-", suffix=".pgm") as file:
        file.write(b"P5 %d %d 255\n" % (across, down))
        file.write(pixels)
        file.flush()
        del buffer, pixels  # tesseract has its own
        yield Path(file.name)
