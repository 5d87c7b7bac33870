"""What a reader of one document format promises, and the list of formats: one line each.

To add a format: write a module with a `DocumentReader`, add its line to `_READERS`, and its signature to media_type.py.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Failure, Reason
from ingest_server.domain.extract_rules import ContentScope, OcrMode
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.source import Source
from ingest_server.handlers.unwrap import WRAPPERS

if TYPE_CHECKING:  # readers of containers import this module
    from ingest_server.handlers.members.division import MembersToDivide
    from ingest_server.handlers.members.nesting import Nesting


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the caller wants read.

    Attributes:
        password: for an encrypted document; "": the empty password is tried.
        first_page: from 1; 0 means from the start.
        last_page: included; 0 means to the end.
        ocr_languages: of text in pictures, by tesseract's names; empty: its default.
        content: how much of a page that has more than its content; a `ContentScope`.
        ocr: whether text in pictures is recognised; an `OcrMode`.
        tables: whether tables are looked for where the document does not say what is one, as in PDFs.
        nesting: the account of what lies inside the document sent, if this is a part of it; None for that document itself.
        pages_per_part: a document of which more pages are asked for is not read: `PagesToDivide` is the answer. 0: it is.
        continued: pages before these are read by others: what belongs to the document as a whole is left to them.
        images: embedded pictures become elements, with their bytes.
        page_images_dpi: dots per inch at which pages are drawn; 0: they are not.
        links: fill `Document.links`, of the pages read.
        outline: fill `Document.outline`, whatever pages are read, unless they are `continued`.
    """

    password: str = ""
    first_page: int = 0
    last_page: int = 0
    ocr_languages: tuple[str, ...] = ()
    content: int = ContentScope.MAIN
    ocr: int = OcrMode.AUTO
    tables: bool = True
    nesting: Nesting | None = None
    pages_per_part: int = 0
    continued: bool = False
    images: bool = False
    page_images_dpi: int = 0
    links: bool = False
    outline: bool = False


PageRange: TypeAlias = tuple[int, int]
"""(first page, last page), from 1, both included."""


@dataclass(frozen=True, slots=True)
class PagesToDivide:
    """A document of many pages, which is to be read in parts: those that were asked for, from 1, both included."""

    first_page: int
    last_page: int

    @property
    def count(self) -> int:
        """Pages."""
        return self.last_page - self.first_page + 1


class DocumentReader(ABC):
    """Reads one document format. Made once per worker and used for one document after the other, never for two at a time."""

    media_types: tuple[str, ...]
    """Types it reads, the principal one first."""

    @abstractmethod
    def read(self, source: Source, options: ReadOptions, context: Context) -> document_pb2.Document:
        """Turn the source into elements in reading order.

        Fills title, authors, page_count, language, create_time, elements and issues; media type and digest are the caller's.
        Calls `context.check` at least once a page, and `context.progress` where the format has pages. A page that cannot be
        read becomes an issue, and the rest is kept. Formats without pages ignore the page range.

        Raises:
            HandlerFailure: DOCUMENT_MALFORMED, DOCUMENT_ENCRYPTED, or INVALID_OPTIONS for a page range outside the document.
            Cancelled: the attempt was asked to stop.
        """

    def read_serialized(self, source: Source, options: ReadOptions, context: Context) -> bytes | PagesToDivide | MembersToDivide:
        """The same, serialized: what is passed on. A reader that makes the bytes itself overrides it: a message of every element,
        made only to be serialized again, is saved. A `PagedReader` or a reader of containers may answer
        that the document is to be divided.

        Raises:
            HandlerFailure, Cancelled: see `read`.
        """
        return self.read(source, options, context).SerializeToString()


class PagedReader(DocumentReader):
    """Reads a format with pages, some of them at a time. A part's bytes are in a form of its own; parts that are joined, in their
    order, and finished are the very document that reading all at once gives."""

    @abstractmethod
    def read_pages(self, source: Source, options: ReadOptions, context: Context) -> bytes:
        """Read the pages asked for, as a part.

        Raises:
            HandlerFailure, Cancelled: see `read`.
        """

    @abstractmethod
    def unread_pages(self, first_page: int, last_page: int, failure: Failure) -> bytes:
        """The part of pages that could not be read: an issue for each."""

    @abstractmethod
    def join_pages(self, parts: Sequence[bytes]) -> bytes:
        """One part of several that follow each other."""

    @abstractmethod
    def finish_pages(self, part: bytes) -> bytes:
        """The serialized Document of a part that has all pages."""


_SPREADSHEET = "ingest_server.handlers.spreadsheet:SpreadsheetReader"
_READERS: dict[str, str] = {
    "text/plain": "ingest_server.handlers.text:TextReader",
    "application/json": "ingest_server.handlers.json_text:JsonReader",
    "application/jsonl": "ingest_server.handlers.json_text:JsonReader",
    "text/csv": "ingest_server.handlers.delimited:DelimitedReader",
    "text/tab-separated-values": "ingest_server.handlers.delimited:DelimitedReader",
    "text/markdown": "ingest_server.handlers.markdown:MarkdownReader",
    "text/html": "ingest_server.handlers.html:HtmlReader",
    "application/pdf": "ingest_server.handlers.pdf.reader:PdfReader",
    "image/png": "ingest_server.handlers.image.reader:ImageReader",
    "image/jpeg": "ingest_server.handlers.image.reader:ImageReader",
    "image/tiff": "ingest_server.handlers.image.reader:ImageReader",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "ingest_server.handlers.docx:DocxReader",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "ingest_server.handlers.pptx:PptxReader",
    "application/x-ooxml-encrypted": "ingest_server.handlers.office.opening:EncryptedReader",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": _SPREADSHEET,
    "application/vnd.ms-excel.sheet.macroenabled.12": _SPREADSHEET,
    "application/vnd.ms-excel.sheet.binary.macroenabled.12": _SPREADSHEET,
    "application/vnd.ms-excel": _SPREADSHEET,
    "application/vnd.oasis.opendocument.spreadsheet": _SPREADSHEET,
    "application/rtf": "ingest_server.handlers.rtf:RtfReader",
    "message/rfc822": "ingest_server.handlers.mail.eml_reader:EmlReader",
    "application/mbox": "ingest_server.handlers.mail.mbox_reader:MboxReader",
    "application/vnd.ms-outlook": "ingest_server.handlers.mail.msg_reader:MsgReader",
    "application/zip": "ingest_server.handlers.archive.zip_reader:ZipReader",
    "application/x-tar": "ingest_server.handlers.archive.tar_reader:TarReader",
}
"""Media type → module:class. Names, so that knowing what can be read does not load what reads it."""

_made: dict[str, DocumentReader] = {}


def supported_media_types() -> tuple[str, ...]:
    """Media types that can be read, sorted; those of wrappers around them too."""
    return tuple(sorted((*_READERS, *WRAPPERS)))


def reader_for(media_type: str) -> DocumentReader:
    """The reader of a media type, made at first use.

    Raises:
        HandlerFailure: MEDIA_TYPE_NOT_SUPPORTED, code UNIMPLEMENTED, with the type and what is supported.
    """
    target = _READERS.get(media_type)
    if target is None:
        supported = ", ".join(supported_media_types())
        what = f'a document of type "{media_type}"' if media_type else "a document whose type neither bytes nor name tell"
        raise HandlerFailure(
            f"No reader for {what}. Supported: {supported}. Convert the document, or declare its media type.",
            reason=Reason.MEDIA_TYPE_NOT_SUPPORTED,
            code=Code.UNIMPLEMENTED,
            retryable=False,
            metadata={"media_type": media_type, "supported": supported},
        )
    reader = _made.get(target)
    if reader is None:
        module, _, name = target.partition(":")
        reader = _made[target] = getattr(importlib.import_module(module), name)()
    return reader


def load_all() -> None:
    """Make every reader, and with it load every library, so that workers forked afterwards share them."""
    for media_type in _READERS:
        reader_for(media_type)
