"""Which page a destination inside a document leads to."""

from __future__ import annotations

from typing import Any

import pypdfium2.raw as raw

from ingest_server.handlers.interface import Context
from ingest_server.handlers.pdf.library import PdfDocument

CHECK_EVERY = 1_000
"""Pages between two looks at whether the attempt was cancelled."""


class PageNumbers:
    """Looks up pages.

    To find a page's number pdfium walks the page tree up to it, 190 µs in a manual of 2,400 pages, unless it has met all pages
    before. So at the first question it is made to meet them, which takes 20 µs a page.

    Args:
        pdf: an open document.
        context: of the attempt.
    """

    def __init__(self, pdf: PdfDocument, context: Context) -> None:
        self._pdf = pdf
        self._context = context
        self._met = False

    def of(self, destination: Any) -> int:
        """Page number from 1 of pdfium's FPDF_DEST; 0 if that leads nowhere in this document.

        Raises:
            Cancelled: the attempt was asked to stop.
        """
        if not destination:
            return 0
        if not self._met:
            self._meet()
        index: int = raw.FPDFDest_GetDestPageIndex(self._pdf.handle, destination)
        return index + 1 if 0 <= index < self._pdf.page_count else 0

    def _meet(self) -> None:
        self._met = True
        size = raw.FS_SIZEF()
        for index in range(self._pdf.page_count):
            if index % CHECK_EVERY == 0:
                self._context.check()
            raw.FPDF_GetPageSizeByIndexF(self._pdf.handle, index, size)
