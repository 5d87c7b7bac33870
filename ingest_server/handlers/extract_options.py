"""Options of the extract task, and what a reader is told of them."""

from __future__ import annotations

from dataclasses import dataclass

from ingest_server.domain import page_image_rules
from ingest_server.domain.errors import Code, Reason
from ingest_server.domain.extract_rules import ContentScope, OcrMode, TableMode, enum_fault
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.reader import ReadOptions

PAGE_MAX = 2**31 - 1
"""Largest page number that fits the field."""
PAGES_PER_PART = 32
"""Pages of a part where the task names none: some 30 ms of work, ten times what a part costs besides."""


@dataclass(frozen=True, slots=True)
class ExtractOptions:
    """Options of the task; the fields of `ingest.v1.ExtractTask`.

    Attributes:
        password: for an encrypted document; "": the empty password is tried.
        first_page: first page to read, from 1; 0 means from the start.
        last_page: last page to read, included; 0 means to the end.
        ocr_languages: languages of text in pictures, by tesseract's names; empty: English where it is installed.
        content: how much of a page of HTML; a `ContentScope`.
        ocr: whether text in pictures is recognised; an `OcrMode`.
        tables: whether tables are looked for in PDFs; a `TableMode`.
        pages_per_part: a document of more pages is read in parts of so many; 0 means 32.
        fail_on_partial: fail where a part of the document could not be read.
        images: embedded pictures of PDFs become elements, with their bytes.
        page_images_dpi: dots per inch at which pages of PDFs are drawn, 36 … 600; 0: they are not.
        links: read the links of PDFs.
        outline: read the outline of PDFs.
    """

    password: str = ""
    first_page: int = 0
    last_page: int = 0
    ocr_languages: tuple[str, ...] = ()
    content: int = ContentScope.UNSPECIFIED
    ocr: int = OcrMode.UNSPECIFIED
    tables: int = TableMode.UNSPECIFIED
    pages_per_part: int = 0
    fail_on_partial: bool = False
    images: bool = False
    page_images_dpi: int = 0
    links: bool = False
    outline: bool = False

    def check(self) -> None:
        """Refuse numbers that no document and no enum has. Raises HandlerFailure, INVALID_OPTIONS."""
        for field, kind in (("content", ContentScope), ("ocr", OcrMode), ("tables", TableMode)):
            if fault := enum_fault(kind, getattr(self, field)):
                raise _invalid(f"{field} {fault}.")
        if fault := page_image_rules.fault_of(self.page_images_dpi):
            raise _invalid(f"page_images_dpi {fault}.")
        for field in ("first_page", "last_page", "pages_per_part"):
            value = getattr(self, field)
            if not 0 <= value <= PAGE_MAX:
                raise _invalid(f"{field} is {value}; it must be between 0 (no limit) and {PAGE_MAX}.")
        if self.last_page and self.first_page > self.last_page:
            raise _invalid(f"first_page is {self.first_page}, after last_page {self.last_page}: no page lies between them.")

    def read_options(self, first_page: int, last_page: int, *, pages_per_part: int = 0, continued: bool = False) -> ReadOptions:
        """What a reader is told: these pages, all at once unless `pages_per_part` says otherwise."""
        return ReadOptions(
            password=self.password,
            first_page=first_page,
            last_page=last_page,
            ocr_languages=self.ocr_languages,
            content=self.content or ContentScope.MAIN,
            ocr=self.ocr or OcrMode.AUTO,
            tables=self.tables != TableMode.OFF,
            pages_per_part=pages_per_part,
            continued=continued,
            images=self.images,
            page_images_dpi=self.page_images_dpi,
            links=self.links,
            outline=self.outline,
        )


def _invalid(message: str) -> HandlerFailure:
    return HandlerFailure(message, reason=Reason.INVALID_OPTIONS, code=Code.INVALID_ARGUMENT, retryable=False)
