"""Reads PDF by pdfium: text by page in reading order, as paragraphs and headings with their boxes."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Failure, Reason
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.ocr.tesseract import PageNotRecognised, Tesseract
from ingest_server.handlers.pdf.beside_text import BesideText
from ingest_server.handlers.pdf.columns import cut_at_gutters, may_have_gutter
from ingest_server.handlers.pdf.kept_document import KeptDocument, open_source
from ingest_server.handlers.pdf.library import (
    PdfDocument,
    close_page,
    close_text,
    count_objects,
    load_page,
    load_text,
    pointer,
)
from ingest_server.handlers.pdf.metadata import fill_metadata
from ingest_server.handlers.pdf.page_text import PAGE_CHARACTERS_MAX, Buffers, PageText
from ingest_server.handlers.pdf.scans import Scans
from ingest_server.handlers.pdf.structure import Page, Scanned, Structure
from ingest_server.handlers.pdf.tables.finder import tables_of
from ingest_server.handlers.reader import PagedReader, PagesToDivide, ReadOptions
from ingest_server.handlers.source import Source

PAGE_UNREADABLE = "PAGE_UNREADABLE"
PAGE_TRUNCATED = "PAGE_TRUNCATED"
PAGE_HAS_NO_TEXT = "PAGE_HAS_NO_TEXT"


PAGES_TOGETHER = 32
"""Pages whose lines are joined into paragraphs in one go. Between two pages pdfium has driven our code and data out of the
processor's caches; joined page by page it takes 40 % longer. More pages gain nothing and hold more memory."""


class PdfReader(PagedReader):
    """Reads PDF."""

    media_types = ("application/pdf",)

    def __init__(self, tesseract: Tesseract | None = None) -> None:
        """Allocate the memory that pdfium writes into. Scanned pages go to `tesseract`; None: the one on the PATH."""
        self._tesseract = tesseract or Tesseract()
        self._buffers = Buffers()
        self._kept = KeptDocument()

    def read(self, source: Source, options: ReadOptions, context: Context) -> document_pb2.Document:
        """Read the pages asked for. See `DocumentReader.read`."""
        return document_pb2.Document.FromString(self.finish_pages(self.read_pages(source, options, context)))

    def read_serialized(self, source: Source, options: ReadOptions, context: Context) -> bytes | PagesToDivide:
        """Read the pages asked for. See `DocumentReader.read_serialized`."""
        self._kept.close()
        with open_source(source, options.password) as pdf, _collector_paused():
            first, last = _page_range(pdf, options)
            if 0 < options.pages_per_part < last - first + 1:
                return PagesToDivide(first, last)
            document, structure = self._pages(pdf, first, last, options, context)
        return document.SerializeToString() + structure.serialized()

    def read_pages(self, source: Source, options: ReadOptions, context: Context) -> bytes:
        """See `PagedReader.read_pages`."""
        with self._kept.opened(source, options.password) as pdf, _collector_paused():
            document, structure = self._pages(pdf, *_page_range(pdf, options), options, context)
        return structure.part(document)

    def unread_pages(self, first_page: int, last_page: int, failure: Failure) -> bytes:
        """See `PagedReader.unread_pages`."""
        document = document_pb2.Document()
        for number in range(first_page, last_page + 1):
            _note(document, number, PAGE_UNREADABLE, f"The page could not be read: {failure.message}")
        return Structure().part(document)

    def join_pages(self, parts: Sequence[bytes]) -> bytes:
        """See `PagedReader.join_pages`."""
        return Structure.joined(parts)

    def finish_pages(self, part: bytes) -> bytes:
        """See `PagedReader.finish_pages`."""
        self._kept.close()
        return Structure.finished(part)

    def _pages(
        self, pdf: PdfDocument, first: int, last: int, options: ReadOptions, context: Context
    ) -> tuple[document_pb2.Document, Structure]:
        """Read pages: all but their elements, and these."""
        document = document_pb2.Document()
        if not options.continued:
            document.page_count = pdf.page_count
            fill_metadata(document, pdf.handle)
        scans = Scans(self._tesseract, options.ocr_languages, context, options.ocr)
        with BesideText(document, pdf, options, context) as beside:
            structure = Structure(beside.pictures)
            waiting: list[Page] = []
            for number in range(first, last + 1):
                context.check()
                page = self._page(pdf, number, document, scans, beside, options.tables)
                if isinstance(page, Scanned):
                    structure.add(waiting)
                    waiting.clear()
                    structure.add_scanned(page)
                elif page:
                    waiting.append(page)
                if len(waiting) == PAGES_TOGETHER:
                    structure.add(waiting)
                    waiting.clear()
                context.progress(number - first + 1, last - first + 1, "page")
            structure.add(waiting)
            beside.finish()
        return document, structure

    def _page(
        self, pdf: PdfDocument, number: int, document: document_pb2.Document, scans: Scans, beside: BesideText, tables: bool
    ) -> Page | Scanned | None:
        """One page, read but not yet joined; None, and an issue in the document, if it has no text or cannot be read."""
        page_address = load_page(pdf.address, number - 1)
        if page_address is None:
            _note(document, number, PAGE_UNREADABLE, "The page's description is damaged; the other pages were read.")
            return None
        page = pointer(page_address)
        try:
            text_address = load_text(page)
            if text_address is None:
                _note(document, number, PAGE_UNREADABLE, "The page's text could not be read; the other pages were.")
                return None
            text_page = pointer(text_address)
            try:
                text = PageText(page, text_page, self._buffers)
                if text.truncated:
                    _note(document, number, PAGE_TRUNCATED, f"Only the first {PAGE_CHARACTERS_MAX} characters were read.")
                lines, found = (tables_of(page_address, page, text) if tables else None) or (None, [])
                cut = (lines, False) if lines is not None else None
                if may_have_gutter(text):
                    cut = cut_at_gutters(text, lines if lines is not None else text.lines())
                if beside.wanted:
                    beside.add_page(page_address, text_address, number, text)
            finally:
                close_text(text_page)
            if text.texts:
                return number, text, cut, found
            scanned = _scanned(page_address, number, document, scans) if count_objects(page) > 0 else None
            return scanned or (Scanned(number, []) if number in beside.pictures else None)
        finally:
            close_page(page)


def _scanned(page_address: int, number: int, document: document_pb2.Document, scans: Scans) -> Scanned | None:
    """A page without text, recognised if it is a scan; None, and an issue in the document, if no text comes of it."""
    why = "The page shows pictures or drawings only, such as a scan; it has no text."
    try:
        if found := scans.read(page_address):
            return Scanned(number, found)
        if found is not None:
            why = "The page is a scan; no text was found in it."
    except PageNotRecognised as error:
        why = f"The page is a scan, and its text could not be recognised: {error}."
    _note(document, number, PAGE_HAS_NO_TEXT, why)
    return None


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No search for reference cycles while a document is read: that makes thousands of tuples and no cycle, so the search
    takes 2 % of all time and finds nothing. What is no longer referred to is freed as ever."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _page_range(pdf: PdfDocument, options: ReadOptions) -> tuple[int, int]:
    """First and last page to read, from 1. The last is cut to the document's; a first page behind it is a mistake."""
    first = max(options.first_page, 1)
    if first > pdf.page_count:
        raise HandlerFailure(
            f"first_page is {first}, but the document has {pdf.page_count} pages. Ask for pages 1 to {pdf.page_count}.",
            reason=Reason.INVALID_OPTIONS,
            code=Code.INVALID_ARGUMENT,
            retryable=False,
            metadata={"page_count": str(pdf.page_count)},
        )
    return first, min(options.last_page or pdf.page_count, pdf.page_count)


def _note(document: document_pb2.Document, page: int, reason: str, message: str) -> None:
    """Add an issue."""
    document.issues.add(page=page, reason=reason, message=message)
