"""Takes out of texts what no format should carry on: characters that steer terminals, and line ends of all kinds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.v1 import document_pb2
from ingest_client.rendering.form import filled_form

_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_CONTROLS = dict.fromkeys([*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0)])
"""C0 and C1 but tab and line feed: an escape sequence in a document must not reach the terminal that shows it."""


def clean(text: str) -> str:
    """`text` with line feeds as its only line ends and without other control characters. Tabs stay."""
    return text if text.isprintable() else _LINE_END.sub("\n", text).translate(_CONTROLS)


def lines(text: str) -> list[str]:
    """Lines of the cleaned text without blanks around them; empty ones are left out."""
    return [line for each in clean(text).split("\n") if (line := each.strip())]


def one_line(text: str) -> str:
    """The cleaned text in one line: runs of blanks and line ends are one blank."""
    return " ".join(clean(text).split())


def with_pages(document: document_pb2.Document) -> Iterator[tuple[int, document_pb2.Element]]:
    """Elements in reading order, each with the number of the page that begins with it; 0 where none does. Last what a form holds,
    as a table that belongs to no page."""
    current = 0
    for element in document.elements:
        begins = element.page > 0 and element.page != current
        if begins:
            current = element.page
        yield (current if begins else 0), element
    if (form := filled_form(document)) is not None:
        yield 0, form


def heading_level(element: document_pb2.Element) -> int:
    """Level of a heading, from 1 to 6, as HTML and Markdown have them; 0 for all else. A heading of unknown depth has level 2,
    because level 1 is the document's own title."""
    if element.heading_level > 0:
        return min(element.heading_level, 6)
    return 2 if element.text.role == document_pb2.TEXT_ROLE_HEADING else 0
