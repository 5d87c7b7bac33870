"""What is read of a PDF beside its text: links, form fields, pictures, pages as they are shown, and the outline.

Everything but the outline belongs to the pages that are read, so a document may be read in parts of some pages each.
"""

from __future__ import annotations

import ctypes

import pypdfium2.raw as raw

from ingest.v1 import document_pb2
from ingest_server.handlers.interface import Context
from ingest_server.handlers.pdf.form_fields import FormFields
from ingest_server.handlers.pdf.images import Picture, Pictures
from ingest_server.handlers.pdf.library import PdfDocument
from ingest_server.handlers.pdf.links import Links
from ingest_server.handlers.pdf.outline import fill_outline
from ingest_server.handlers.pdf.page_numbers import PageNumbers
from ingest_server.handlers.pdf.page_text import PageText
from ingest_server.handlers.pdf.picture_bytes import PictureBytes
from ingest_server.handlers.pdf.rendering import PageImages
from ingest_server.handlers.reader import ReadOptions


class BesideText:
    """Reads them as far as they are wanted. Use it in a `with` statement that ends before the document is closed.

    Attributes:
        wanted: whether pages have to be shown to it at all; for most documents not, and then it costs nothing.
        pictures: embedded pictures by page number, for whoever puts them among the page's text and takes them out.
    """

    def __init__(self, document: document_pb2.Document, pdf: PdfDocument, options: ReadOptions, context: Context) -> None:
        """Args:
        document: to fill.
        pdf: the open document.
        options: what is wanted.
        context: of the attempt.
        """
        self._document = document
        self._pdf = pdf
        self._context = context
        self._outline = options.outline and not options.continued
        self._pages = PageNumbers(pdf, context)
        allowance = PictureBytes()
        self._links = Links(document, pdf, self._pages) if options.links else None
        self._fields = FormFields(document, pdf, context) if FormFields.in_document(pdf) else None
        self._images = Pictures(document, pdf, allowance) if options.images else None
        dots_per_inch = options.page_images_dpi
        self._drawn = PageImages(document, dots_per_inch, allowance, self._fields, context) if dots_per_inch else None
        self.wanted = any((self._links, self._fields, self._images, self._drawn))
        self.pictures: dict[int, list[Picture]] = {}

    def __enter__(self) -> BesideText:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the form."""
        if self._fields is not None:
            self._fields.close()

    def add_page(self, page_address: int, text_address: int, number: int, text: PageText) -> None:
        """Read the parts of a page.

        Args:
            page_address, text_address: of pdfium's open FPDF_PAGE and FPDF_TEXTPAGE.
            number: from 1.
            text: of the page.

        Raises:
            Cancelled: the attempt was asked to stop.
        """
        page = ctypes.cast(page_address, raw.FPDF_PAGE)
        if self._links is not None:
            self._links.add_page(page, ctypes.cast(text_address, raw.FPDF_TEXTPAGE), number, text)
        if self._fields is not None:
            self._fields.add_page(page, number, text)
        if self._images is not None and (found := self._images.of_page(page, number, text)):
            self.pictures[number] = found
        if self._drawn is not None:
            self._drawn.add_page(page, number)

    def finish(self) -> None:
        """Read what belongs to the whole document. Last, as pdfium then knows the pages that were read.

        Raises:
            Cancelled: the attempt was asked to stop.
        """
        if self._outline:
            fill_outline(self._document, self._pdf, self._pages, self._context)
