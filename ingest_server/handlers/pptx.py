"""Reads presentations of Office Open XML (.pptx) slide by slide: titles, text, tables, pictures' descriptions, speaker's notes.

Pages are slides, hidden ones too. For why python-pptx is not used see docx.py: the reasons are the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.elements import ElementBuilder
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.office.block_elements import add_block
from ingest_server.handlers.office.core_properties import fill_metadata
from ingest_server.handlers.office.names import attribute, expanded, names
from ingest_server.handlers.office.opening import malformed, opened
from ingest_server.handlers.office.package import PPTX, Package, Relationship
from ingest_server.handlers.office.slide import Budget, Slide
from ingest_server.handlers.office.xml_events import Attributes, PartFault
from ingest_server.handlers.reader import DocumentReader, ReadOptions
from ingest_server.handlers.source import Source

SLIDES_MAX = 10_000
"""Slides of a presentation; the largest known have some hundred."""
PAGE_UNREADABLE = "PAGE_UNREADABLE"
NOTES_UNREADABLE = "NOTES_UNREADABLE"

_SLIDE_ID = names("r:id")


class PptxReader(DocumentReader):
    """Reads PPTX, with or without macros, templates and shows too."""

    media_types = (PPTX,)

    def read(self, source: Source, options: ReadOptions, context: Context) -> document_pb2.Document:
        """Read the slides asked for. See `DocumentReader.read`."""
        with opened(source, context, PPTX) as (package, main):
            try:
                slides = _slides(package, main)
            except PartFault as fault:
                raise malformed(f"its main part {main[:200]} {fault}") from fault
            document = document_pb2.Document(page_count=len(slides))
            fill_metadata(document, package)
            builder, budget = ElementBuilder(document), Budget()
            first, last = _range(len(slides), options)
            fault_first: PartFault | None = None
            for page in range(first, last + 1):
                context.check()
                try:
                    _read_slide(package, slides[page - 1], page, budget, builder, document)
                except PartFault as fault:
                    fault_first = fault_first or fault
                    message = f"The slide's part {fault}; the other slides were read."
                    document.issues.add(page=page, reason=PAGE_UNREADABLE, message=message)
                context.progress(page - first + 1, last - first + 1, "page")
        if fault_first is not None and builder.count == 0:
            raise malformed(f"no slide can be read; the first part that cannot {fault_first}")
        if not document.language and budget.languages:
            document.language = budget.languages.most_common(1)[0][0]
        return document


def _slides(package: Package, main: str) -> list[str]:
    """Parts of the slides, in the order of the show; "" for one that is not among the relationships."""
    used: Mapping[str, Relationship] = package.relationships(main)
    slides: list[str] = []

    def slide(attributes: Attributes) -> None:
        if len(slides) >= SLIDES_MAX:
            raise PartFault(f"has more than {SLIDES_MAX} slides")
        relationship = used.get(attribute(attributes, _SLIDE_ID))
        slides.append(relationship.part if relationship is not None else "")

    package.parse(main, expanded({"p:sldId": slide}), {})
    return slides


def _read_slide(
    package: Package, part: str, page: int, budget: Budget, builder: ElementBuilder, document: document_pb2.Document
) -> None:
    """Add a slide and its notes. Raises PartFault if the slide cannot be read; notes that cannot become an issue."""
    slide = Slide(page, budget)
    package.parse(part, slide.starts, slide.ends, slide.text)
    for block in slide.blocks():
        add_block(builder, block)
    try:
        for used in package.relationships(part).values():
            if used.kind == "notesSlide":
                notes = Slide(page, budget)
                package.parse(used.part, notes.starts, notes.ends, notes.text)
                for block in notes.notes():
                    add_block(builder, block)
                break
    except PartFault as fault:
        message = f"The part with the notes of the slide {fault}; the slide was read."
        document.issues.add(page=page, reason=NOTES_UNREADABLE, message=message)


def _range(page_count: int, options: ReadOptions) -> tuple[int, int]:
    """First and last slide to read."""
    first, last = max(options.first_page, 1), min(options.last_page or page_count, page_count)
    if first > max(page_count, 1):
        raise HandlerFailure(
            f"first_page is {first}, but the document has {page_count} slides. Ask for pages 1 to {page_count}.",
            reason=Reason.INVALID_OPTIONS,
            code=Code.INVALID_ARGUMENT,
            retryable=False,
            metadata={"page_count": str(page_count)},
        )
    return first, last
