"""Reads word processing documents of Office Open XML (.docx): headings, paragraphs, lists, tables, notes, text boxes.

An own reader over the ZIP file and expat instead of python-docx: that one needs lxml, which every installation would carry,
and builds the whole tree of a part, so that a document of some KB could take all memory before anybody looks at a limit.
"""

from __future__ import annotations

from functools import partial

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.elements import ElementBuilder
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.office.block_elements import add_block
from ingest_server.handlers.office.core_properties import fill_metadata
from ingest_server.handlers.office.opening import malformed, opened
from ingest_server.handlers.office.package import DOCX, Package
from ingest_server.handlers.office.word_story import Notes, Story
from ingest_server.handlers.office.word_styles import Styles
from ingest_server.handlers.office.xml_events import PartFault
from ingest_server.handlers.reader import DocumentReader, ReadOptions
from ingest_server.handlers.source import Source

STYLES_UNREADABLE = "STYLES_UNREADABLE"
NOTES_UNREADABLE = "NOTES_UNREADABLE"


class DocxReader(DocumentReader):
    """Reads DOCX, with or without macros, templates too."""

    media_types = (DOCX,)

    def read(self, source: Source, options: ReadOptions, context: Context) -> document_pb2.Document:
        """Read it. Pages are those the document notes; if it notes none, the page range is ignored. See `DocumentReader.read`."""
        document = document_pb2.Document()
        with opened(source, context, DOCX) as (package, main):
            fill_metadata(document, package)
            styles, notes = _styles_and_notes(document, package, main)
            story = Story(styles, notes, partial(add_block, ElementBuilder(document)))
            try:
                package.parse(main, story.starts, story.ends, story.text)
            except PartFault as fault:
                raise malformed(f"its main part {main[:200]} {fault}") from fault
        document.language = document.language or styles.language
        if story.pages.known:
            document.page_count = story.pages.now
            _keep_pages(document, options)
        else:
            for element in document.elements:
                element.page = 0
        return document


def _styles_and_notes(document: document_pb2.Document, package: Package, main: str) -> tuple[Styles, Notes]:
    """What the main part is read with. A damaged part becomes an issue."""
    styles, notes = Styles(), Notes()

    def keep(kind: str, note_id: str, text: str) -> None:
        notes[kind, note_id] = text

    try:
        used = package.relationships(main).values()
    except PartFault as fault:
        document.issues.add(reason=STYLES_UNREADABLE, message=f"The list of parts {fault}; headings and notes are not known.")
        return styles, notes
    for kind, part in used:
        if kind == "styles":
            try:
                styles.read(package, part)
            except PartFault as fault:
                document.issues.add(
                    reason=STYLES_UNREADABLE, message=f"The part with the styles {fault}; headings may be missed."
                )
        elif kind in ("footnotes", "endnotes"):
            story = Story(styles, {}, lambda block: None, keep)
            try:
                package.parse(part, story.starts, story.ends, story.text)
            except PartFault as fault:
                document.issues.add(reason=NOTES_UNREADABLE, message=f"The part with the {kind} {fault}; the text was read.")
    return styles, notes


def _keep_pages(document: document_pb2.Document, options: ReadOptions) -> None:
    """Drop what is outside the page range."""
    first, last = max(options.first_page, 1), options.last_page or document.page_count
    if first > document.page_count:
        raise HandlerFailure(
            f"first_page is {first}, but the document has {document.page_count} pages. Ask for pages 1 to {document.page_count}.",
            reason=Reason.INVALID_OPTIONS,
            code=Code.INVALID_ARGUMENT,
            retryable=False,
            metadata={"page_count": str(document.page_count)},
        )
    if first > 1 or last < document.page_count:
        kept = [element for element in document.elements if first <= element.page <= last]
        del document.elements[:]
        document.elements.extend(kept)
