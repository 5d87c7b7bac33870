"""Links of pages: where link annotations (ISO 32000-1, 12.5.6.5) stand, where they lead, and the text they cover.

They are read on request only. pdfium fetches each annotation from the file and looks up where a named destination is: 15 µs a
link in a short document, 30 in a manual with 25,000; and the text below costs a walk over the page's characters. A manual full of
links takes two thirds longer.
"""

from __future__ import annotations

import ctypes
from typing import Any

import pypdfium2.raw as raw

from ingest.v1 import document_pb2
from ingest_server.handlers.pdf.library import PdfDocument
from ingest_server.handlers.pdf.page_numbers import PageNumbers
from ingest_server.handlers.pdf.page_text import PageText
from ingest_server.handlers.pdf.places import bounding_box
from ingest_server.handlers.pdf.strings import Strings, one_line

PAGE_LINKS_MAX = 10_000
"""The fullest index page of the R manual has 115."""
LINKS_MAX = 500_000
"""Of all pages read at once."""
URI_BYTES_MAX = 64 * 1024
"""A link with a longer address is left out."""
TEXT_UNITS_MAX = 1_000
"""UTF-16 units of a link's text; the rest is cut off."""
LOOKED_AT_MAX = 100_000_000
"""Characters looked at on one page to find the texts of its links, a second's work: links times the characters of the page. What
comes after has no text."""

LINKS_TRUNCATED = "LINKS_TRUNCATED"


class Links:
    """Adds the links of one page after the other to a document.

    Args:
        document: to fill.
        pdf: the open document.
        pages: of the same.
    """

    def __init__(self, document: document_pb2.Document, pdf: PdfDocument, pages: PageNumbers) -> None:
        self._document = document
        self._handle = pdf.handle
        self._pages = pages
        self._strings = Strings(URI_BYTES_MAX)
        self._units = (ctypes.c_ushort * (TEXT_UNITS_MAX + 1))()

    def add_page(self, page: Any, text_page: Any, number: int, text: PageText) -> None:
        """Add the links of a page. What leads nowhere is left out; what a limit leaves out becomes an issue.

        Args:
            page, text_page: pdfium's open FPDF_PAGE and FPDF_TEXTPAGE.
            number: of the page, from 1.
            text: of the page.

        Raises:
            Cancelled: the attempt was asked to stop.
        """
        position, link = ctypes.c_int(0), raw.FPDF_LINK()
        rectangle = raw.FS_RECTF()
        looks_left = LOOKED_AT_MAX
        count = 0
        while raw.FPDFLink_Enumerate(page, position, link):
            if count == PAGE_LINKS_MAX or len(self._document.links) >= LINKS_MAX:
                most = f"{PAGE_LINKS_MAX:,} of a page" if count == PAGE_LINKS_MAX else f"{LINKS_MAX:,} of all pages"
                message = f"Not all links of the page were read: at most {most} are."
                self._document.issues.add(page=number, reason=LINKS_TRUNCATED, message=message)
                return
            count += 1
            uri, target = self._target(link)
            if not uri and not target:
                continue
            box, words = None, ""
            if raw.FPDFLink_GetAnnotRect(link, rectangle):
                box = bounding_box(text, (rectangle.left, rectangle.bottom, rectangle.right, rectangle.top))
                looks_left -= len(text.text)
                if box is not None and looks_left > 0:
                    words = self._text(text_page, rectangle)
            entry = self._document.links.add(page=number, bounding_box=box, text=words)
            if uri:
                entry.uri = uri
            else:
                entry.target_page = target

    def _target(self, link: Any) -> tuple[str, int]:
        """The address, or the page from 1, that a link leads to; ("", 0) if neither."""
        destination = raw.FPDFLink_GetDest(self._handle, link)
        if destination:
            return "", self._pages.of(destination)
        action = raw.FPDFLink_GetAction(link)
        kind = raw.FPDFAction_GetType(action) if action else raw.PDFACTION_UNSUPPORTED
        if kind == raw.PDFACTION_URI:
            uri = self._strings.utf8(lambda buffer, size: raw.FPDFAction_GetURIPath(self._handle, action, buffer, size))
            return one_line(uri or ""), 0
        if kind == raw.PDFACTION_GOTO:
            return "", self._pages.of(raw.FPDFAction_GetDest(self._handle, action))
        return "", 0

    def _text(self, text_page: Any, rectangle: Any) -> str:
        """The characters within a rectangle, in one line."""
        edges = rectangle.left, rectangle.top, rectangle.right, rectangle.bottom
        written = raw.FPDFText_GetBoundedText(text_page, *edges, self._units, TEXT_UNITS_MAX)
        found = bytes(self._units)[: 2 * min(max(written, 0), TEXT_UNITS_MAX)].decode("utf-16-le", "replace")
        return one_line(found.partition("\0")[0])
