"""Reads PDF by pdfium: text by page in reading order, as paragraphs and headings with their boxes."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from operator import le
from typing import NamedTuple, TypeAlias

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.elements import PARAGRAPH
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.ocr.tesseract import PageNotRecognised, Tesseract
from ingest_server.handlers.ocr.words import Recognised
from ingest_server.handlers.pdf.columns import cut_at_gutters, may_have_gutter
from ingest_server.handlers.pdf.element_bytes import as_heading, as_recognised, page_elements, text_of
from ingest_server.handlers.pdf.headings import FontSizes
from ingest_server.handlers.pdf.library import (
    PdfDocument,
    close_page,
    close_text,
    count_objects,
    load_page,
    load_text,
    open_bytes,
    open_path,
    pointer,
)
from ingest_server.handlers.pdf.metadata import fill_metadata
from ingest_server.handlers.pdf.page_text import PAGE_CHARACTERS_MAX, Buffers, LineRow, PageText
from ingest_server.handlers.pdf.paragraphs import Paragraph, column_paragraphs, paragraphs
from ingest_server.handlers.pdf.reading_order import drawn_in_order, in_reading_order
from ingest_server.handlers.pdf.scans import Scans
from ingest_server.handlers.reader import DocumentReader, ReadOptions
from ingest_server.handlers.source import Source

PAGE_UNREADABLE = "PAGE_UNREADABLE"
PAGE_TRUNCATED = "PAGE_TRUNCATED"
PAGE_HAS_NO_TEXT = "PAGE_HAS_NO_TEXT"


PAGES_TOGETHER = 32
"""Pages whose lines are joined into paragraphs in one go. Between two pages pdfium has driven our code and data out of the
processor's caches; joined page by page it takes 40 % longer. More pages gain nothing and hold more memory."""
EVIDENCE_CHARACTERS_MAX = 100_000
"""How much of a page is searched for a divided word's hyphen; a page of text has 5,000 characters."""


Page: TypeAlias = tuple[int, PageText, tuple[list[LineRow], bool] | None]
"""(number from 1, its text, its lines and whether they were cut, where that had to be looked at)"""


class PdfReader(DocumentReader):
    """Reads PDF."""

    media_types = ("application/pdf",)

    def __init__(self, tesseract: Tesseract | None = None) -> None:
        """Allocate the memory that pdfium writes into. Scanned pages go to `tesseract`; None: the one on the PATH."""
        self._tesseract = tesseract or Tesseract()
        self._buffers = Buffers()

    def read(self, source: Source, options: ReadOptions, context: Context) -> document_pb2.Document:
        """Read the pages asked for. See `DocumentReader.read`."""
        return document_pb2.Document.FromString(self.read_serialized(source, options, context))

    def read_serialized(self, source: Source, options: ReadOptions, context: Context) -> bytes:
        """Read the pages asked for. See `DocumentReader.read_serialized`."""
        opened = open_bytes(source.data(), options.password) if source.in_memory else open_path(source.path(), options.password)
        with opened as pdf, _collector_paused():
            first, last = _page_range(pdf, options)
            document = document_pb2.Document(page_count=pdf.page_count)
            fill_metadata(document, pdf.handle)
            structure = Structure()
            scans = Scans(self._tesseract, options.ocr_languages, context)
            waiting: list[Page] = []
            for number in range(first, last + 1):
                context.check()
                page = self._page(pdf, number, document, scans)
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
            return document.SerializeToString() + structure.serialized()

    def _page(self, pdf: PdfDocument, number: int, document: document_pb2.Document, scans: Scans) -> Page | Scanned | None:
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
                cut = cut_at_gutters(text, text.lines()) if may_have_gutter(text) else None
            finally:
                close_text(text_page)
            if text.texts:
                return number, text, cut
            if count_objects(page) > 0:
                return _scanned(page_address, number, document, scans)
            return None
        finally:
            close_page(page)


class Scanned(NamedTuple):
    """A page that was recognised."""

    number: int
    found: list[Recognised]


class Structure:
    """The paragraphs and headings of a document, page by page.

    Elements are written as soon as their page is joined, while its paragraphs are in the processor's caches: by itself that takes
    10 µs a page, at the end of a long document 34. Headings, which only the whole document tells, are written anew.
    """

    def __init__(self) -> None:
        """Begin with no page."""
        self._elements: list[bytes] = []
        self._sizes = FontSizes()

    def add(self, pages: list[Page]) -> None:
        """Join the lines of the next pages."""
        for page in pages:
            number, joined = _joined(page)
            self._sizes.add(joined)
            self._elements += page_elements(len(self._elements) + 1, number, joined)

    def add_scanned(self, page: Scanned) -> None:
        """Take up the next page, which was recognised."""
        made: list[Paragraph] = [(each.text, each.box, 0.0, PARAGRAPH, 1) for each in page.found]
        entries = page_elements(len(self._elements) + 1, page.number, made)
        self._elements += [as_recognised(entry, each.confidence) for entry, each in zip(entries, page.found, strict=True)]
        self._sizes.skip(len(entries))

    def serialized(self) -> bytes:
        """All elements, as entries of `Document.elements`: a document's bytes when put behind those of one that has none."""
        elements = self._elements
        for index, level in self._sizes.headings(lambda index: text_of(elements[index])):
            elements[index] = as_heading(elements[index], level)
        return b"".join(elements)


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


def _joined(page: Page) -> tuple[int, list[Paragraph]]:
    """Paragraphs of a page, in reading order."""
    number, text, cut = page
    evidence = text.text[:EVIDENCE_CHARACTERS_MAX]
    if cut is None:
        columns = text.columns()
        tops = columns[1]
        if all(map(le, tops, tops[1:])):
            # Nine pages of ten: drawn from top to bottom.
            return number, column_paragraphs(columns, evidence)
        lines, was_cut = text.rows(columns), False
    else:
        lines, was_cut = cut
    if was_cut or not drawn_in_order(lines):
        lines = in_reading_order(lines)
    return number, paragraphs(lines, evidence)


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
