"""Reads plain text of any encoding: paragraphs are parted by blank lines, pages by form feeds."""

from __future__ import annotations

import re

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.elements import CODE, LIST_ITEM, PARAGRAPH, ElementBuilder
from ingest_server.handlers.encoding import decode
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.reader import DocumentReader, ReadOptions
from ingest_server.handlers.source import Source

PARAGRAPHS_PER_CHECK = 1000
"""Paragraphs read between two looks at the cancel flag; a millisecond or two."""
WRAPPED_CHARACTERS_MIN = 45
"""Lines of wrapped prose are on average longer than this; shorter ones (addresses, verse) keep their line ends."""

_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")
_ITEM = re.compile(r"\s*(?:[-*+•‣–]|\d{1,3}[.)])\s+\S")  # the dash begins items, too
_SPACED = re.compile(r"\S(?: {3,}|\t)\S")


class TextReader(DocumentReader):
    """Reads plain text."""

    media_types = ("text/plain",)

    def read(self, source: Source, options: ReadOptions, context: Context) -> document_pb2.Document:
        """Read it. Form feeds make pages, and then the page range counts. See `DocumentReader.read`."""
        text, _ = decode(source.data(), source.media_type.charset)
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        document = document_pb2.Document()
        builder = ElementBuilder(document)
        if "\f" not in text:
            add_text(text, builder, context)
            return document
        pages = text.split("\f")
        if not pages[-1].strip():
            pages.pop()
        document.page_count = len(pages)
        first, last = max(options.first_page, 1), min(options.last_page or len(pages), len(pages))
        if first > len(pages):
            raise HandlerFailure(
                f"first_page is {first}, but the document has {len(pages)} pages. Ask for pages 1 to {len(pages)}.",
                reason=Reason.INVALID_OPTIONS,
                code=Code.INVALID_ARGUMENT,
                retryable=False,
                metadata={"page_count": str(len(pages))},
            )
        for number in range(first, last + 1):
            add_text(pages[number - 1], builder, context, page=number)
            context.progress(number - first + 1, last - first + 1, "page")
        return document


def add_text(text: str, builder: ElementBuilder, context: Context, *, page: int = 0) -> None:
    """Add the paragraphs of a text with line feeds as its only line ends, on `page` (0 where there are no pages).

    Raises:
        Cancelled: the attempt was asked to stop.
    """
    for count, block in enumerate(_BLANK_LINES.split(text)):
        if count % PARAGRAPHS_PER_CHECK == 0:
            context.check()
        block = block.strip("\n").rstrip()
        if block.strip():
            _block(block, page, builder)


def _block(block: str, page: int, builder: ElementBuilder) -> None:
    """Add what stands between two blank lines: a list, preformatted lines, or a paragraph."""
    lines = block.split("\n")
    if _ITEM.match(lines[0]) and (len(lines) == 1 or any(_ITEM.match(line) or line[:1].isspace() for line in lines[1:])):
        for item in _items(lines):
            builder.text(item, LIST_ITEM, page=page)
    elif all(line[:4] == "    " or line[:1] == "\t" for line in lines):
        builder.text(_undented(lines), CODE, page=page)
    elif _wrapped(lines):
        builder.text(" ".join(line.strip() for line in lines), PARAGRAPH, page=page)
    else:
        builder.text(block.strip(), PARAGRAPH, page=page)


def _items(lines: list[str]) -> list[str]:
    """Items of a list, each with its continuation lines joined."""
    items: list[list[str]] = []
    for line in lines:
        if _ITEM.match(line) or not items:
            items.append([])
        items[-1].append(line.strip())
    return [" ".join(item) for item in items]


def _wrapped(lines: list[str]) -> bool:
    """Whether the lines are prose that was wrapped: long, and without columns made of spaces."""
    if len(lines) == 1:
        return True
    if any(_SPACED.search(line) for line in lines):
        return False
    return sum(map(len, lines[:-1])) >= WRAPPED_CHARACTERS_MIN * (len(lines) - 1)


def _undented(lines: list[str]) -> str:
    """The lines without the indent that all share."""
    shared = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[shared:].rstrip() for line in lines)
