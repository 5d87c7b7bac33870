"""Documents for the renderers' tests: built in a line, or made at random with texts that try to be markup."""

from __future__ import annotations

from hypothesis import strategies as st

from ingest.v1 import document_pb2
from ingest.v1.document_pb2 import (
    TEXT_ROLE_CODE,
    TEXT_ROLE_HEADING,
    TEXT_ROLE_LIST_ITEM,
    TEXT_ROLE_PARAGRAPH,
    TEXT_ROLE_QUOTE,
)

ROLES = (TEXT_ROLE_PARAGRAPH, TEXT_ROLE_HEADING, TEXT_ROLE_LIST_ITEM, TEXT_ROLE_CODE, TEXT_ROLE_QUOTE)

PIECES = (
    *"abz059 .,;:!?()[]{}<>|/\\'\"`*_~#+-=&%$@^\t\n",
    "  ", "é", "漢", "\u202e", "**", "__", "~~", "```", "~~~", "---", "===", "* * *", "# ", "- ", "+ ", "1. ", "1) ", "> ",
    "| a | b |",
    "\n| --- | --- |\n", "\n---\n", "\n===\n", "[x] ", "[!NOTE]", "[^1]", "[^1]: ", "[a]: http://b", "[a](http://b)", "![a](b)",
    "<script>alert(1)</script>", "<!-- ", "-->", "<?", "</p>", "</table>", "<a@b.c>", "<http://a.b>", "&amp;", "&#65;", "]]>",
    "\\", "\x00", "\x1b[31m", "\r", "\u2028", "\x9b",
)  # fmt: skip

hostile_texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def text_of(
    text: str, role: document_pb2.TextRole = TEXT_ROLE_PARAGRAPH, *, level: int = 0, page: int = 0
) -> document_pb2.Element:
    """One element of text."""
    element = document_pb2.Element(heading_level=level, page=page)
    element.text.text, element.text.role = text, role
    return element


def table_of(*rows: str, header: bool = True, caption: str = "") -> document_pb2.Element:
    """A table from lines whose cells are apart by commas; "." is a hole."""
    element = document_pb2.Element()
    element.table.caption = caption
    for row, line in enumerate(rows):
        for column, text in enumerate(line.split(",")):
            if text != ".":
                element.table.cells.add(row=row, column=column, row_span=1, column_span=1, text=text, header=header and row == 0)
    return element


def image_of(alt_text: str = "", *, identity: str = "", data: bytes = b"", media_type: str = "") -> document_pb2.Element:
    """A picture."""
    element = document_pb2.Element(id=identity)
    element.image.alt_text, element.image.data, element.image.media_type = alt_text, data, media_type
    return element


def document_of(*elements: document_pb2.Element, title: str = "") -> document_pb2.Document:
    """A document of these elements."""
    return document_pb2.Document(title=title, elements=elements)


@st.composite
def tables(draw: st.DrawFn) -> document_pb2.Element:
    """Tables whose places and spans are anything."""
    element = document_pb2.Element()
    places = st.one_of(st.integers(-1, 4), st.sampled_from([2_000, 2**31 - 1, -(2**31)]))
    spans = st.one_of(st.integers(-1, 4), st.just(2**31 - 1))
    element.table.caption = draw(hostile_texts)
    for _ in range(draw(st.integers(0, 6))):
        element.table.cells.add(
            row=draw(places), column=draw(places), row_span=draw(spans), column_span=draw(spans),
            text=draw(hostile_texts), header=draw(st.booleans()),
        )  # fmt: skip
    return element


def texts() -> st.SearchStrategy[document_pb2.Element]:
    """Text elements of every role, level and page."""
    return st.builds(text_of, hostile_texts, st.sampled_from(ROLES), level=st.integers(-1, 9), page=st.integers(-1, 3))


def documents() -> st.SearchStrategy[document_pb2.Document]:
    """Documents of all of these."""
    images = st.builds(image_of, hostile_texts, media_type=hostile_texts, data=st.binary(max_size=3))
    elements = st.one_of(texts(), tables(), images)
    return st.builds(lambda each, title: document_of(*each, title=title), st.lists(elements, max_size=6), hostile_texts)
