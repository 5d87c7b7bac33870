"""HTML: a browser finds the elements that were meant, with the texts that were meant, and nothing that runs."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given

from ingest.v1 import document_pb2
from ingest.v1.document_pb2 import TEXT_ROLE_CODE, TEXT_ROLE_HEADING, TEXT_ROLE_LIST_ITEM, TEXT_ROLE_QUOTE
from ingest_client.rendering import html_page
from ingest_client.rendering.cleaning import clean, lines, one_line
from tests.unit.rendering.documents import document_of, documents, image_of, table_of, text_of

TAGS = {
    "html": {"lang"}, "head": set(), "meta": {"charset", "http-equiv", "content", "name"}, "title": set(), "style": set(),
    "body": set(), "h1": set(), "h2": set(), "h3": set(), "h4": set(), "h5": set(), "h6": set(), "p": set(), "br": set(),
    "ul": set(), "li": set(), "blockquote": set(), "pre": set(), "code": set(), "hr": {"id", "title"}, "figure": set(),
    "img": {"src", "alt"}, "table": set(), "caption": set(), "tr": set(), "td": {"rowspan", "colspan"},
    "th": {"rowspan", "colspan"},
}  # fmt: skip
"""All that may be in a page, with the attributes it may have."""
VOID = {"meta", "br", "hr", "img"}


class Reader(HTMLParser):
    """Collects text, refuses what is not on the list, and demands that everything is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= TAGS[tag]
        assert all(value is None or not value.lower().startswith("javascript:") for _, value in attrs)
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "body" in self.open:
            self.text.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@given(documents())
def test_hostile_documents_make_only_the_known_tags(document: document_pb2.Document) -> None:
    read(html_page(document, page_marks=True))


@given(documents())
def test_texts_arrive_unchanged(document: document_pb2.Document) -> None:
    reader = read(html_page(document))
    wanted: list[str] = []
    for element in document.elements:
        if element.HasField("text"):
            wanted += lines(element.text.text)
        elif element.HasField("image"):
            wanted.append(f"[image: {one_line(element.image.alt_text)}]" if one_line(element.image.alt_text) else "[image]")
    tables = [element for element in document.elements if element.HasField("table")]
    if not tables:
        assert "".join(reader.text).split() == " ".join(wanted).split() or "br" in reader.tags
        assert "".join("".join(reader.text).split()) == "".join("".join(wanted).split())


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", " JavaScript:alert(1)", "data:text/html,x", "java\nscript:alert('/')", 'x" onerror="y']
)
def test_links_of_pictures_run_nothing(link: str) -> None:
    page = html_page(document_of(image_of("alt", identity="e1")), image_links={"e1": link})
    read(page)
    assert "javascript:" not in page.lower()
    assert 'onerror="' not in page


def test_only_pixels_are_shown() -> None:
    svg = html_page(document_of(image_of("a", data=b"<svg onload=alert(1)>", media_type="image/svg+xml")))
    assert "<img" not in svg
    assert "[image: a]" in svg
    png = html_page(document_of(image_of('"a"', data=b"\x89PNG", media_type="image/png")))
    assert '<img src="data:image/png;base64,iVBORw==" alt="&quot;a&quot;">' in png
    linked = html_page(document_of(image_of(identity="e7")), image_links={"e7": "pictures/7.png?a=1&b=2"})
    assert '<img src="pictures/7.png?a=1&amp;b=2" alt="">' in linked


def test_an_empty_document_is_a_page() -> None:
    page = html_page(document_pb2.Document(language='de" onload="x', title="</title><script>"))
    assert page.startswith("<!DOCTYPE html>\n<html>\n")
    assert "<title>&lt;/title&gt;&lt;script&gt;</title>" in page
    assert page.endswith("<body>\n</body>\n</html>")


def body(document: document_pb2.Document) -> str:
    return html_page(document, page_marks=True).partition("<body>\n")[2].partition("\n</body>")[0]


def test_a_whole_document() -> None:
    merged = document_pb2.Element()
    cells = merged.table.cells
    cells.add(row=0, column=0, row_span=2, column_span=1, text="a", header=True)
    cells.add(row=0, column=1, row_span=1, column_span=2, text="b & c", header=True)
    cells.add(row=1, column=2, row_span=1, column_span=1, text="two\nlines")
    document = document_of(
        text_of("Title <1>", TEXT_ROLE_HEADING, level=1, page=1),
        text_of("one", TEXT_ROLE_LIST_ITEM, page=1),
        text_of("two", TEXT_ROLE_LIST_ITEM, page=2),
        text_of("said\ntwice", TEXT_ROLE_QUOTE, page=2),
        text_of("\n  if a < b:\n", TEXT_ROLE_CODE, page=2),
        merged,
        table_of("x", caption="Numbers"),
    )
    assert body(document) == (
        '<hr id="page-1" title="page 1">\n<h1>Title &lt;1&gt;</h1>\n<ul>\n<li>one</li>\n</ul>\n'
        '<hr id="page-2" title="page 2">\n<ul>\n<li>two</li>\n</ul>\n<blockquote><p>said<br>twice</p></blockquote>\n'
        "<pre><code>  if a &lt; b:</code></pre>\n"
        '<table>\n<tr><th rowspan="2">a</th><th colspan="2">b &amp; c</th></tr>\n'
        "<tr><td></td><td>two<br>lines</td></tr>\n</table>\n"
        "<table>\n<caption>Numbers</caption>\n<tr><th>x</th></tr>\n</table>"
    )


def test_language_is_told_and_control_characters_are_not() -> None:
    page = html_page(document_pb2.Document(language="zh-Hant", elements=[text_of("a\x00b\x1bc")]))
    assert '<html lang="zh-Hant">' in page
    assert "<p>abc</p>" in page
    assert clean("a\x00b\x1bc\r\nd\u2028e\tf") == "abc\nd\ne\tf"
