"""Reads HTML by resiliparse: the main content as headings, paragraphs, items, quotations, code and tables.

A wrapper object per DOM node costs 3.5 µs, and pages of 100 KB have thousands of nodes: walking them all reads 70 pages a second.
So the tree is only prepared by a few selectors (boilerplate left out, tables and quotations marked), the library itself renders
it as reduced HTML, and that is cut into elements: 500 a second.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.elements import CODE, HEADING, LIST_ITEM, PARAGRAPH, QUOTE, ElementBuilder
from ingest_server.handlers.encoding import decode
from ingest_server.handlers.html_table import Table, read_table, unwrap_layout
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.reader import DocumentReader, ReadOptions
from ingest_server.handlers.source import Source

MARKED_MAX = 2000
"""Tables and quotations looked at, each; finding the next one begins at the top, so their number is bounded."""

BOILERPLATE = ["nav", "aside", "footer", "dialog", "[role=navigation]", "[role=banner]", "[role=contentinfo]", "[role=search]",
               ".sidebar", ".navbar", ".breadcrumb", ".breadcrumbs", "a.headerlink"]  # fmt: skip
_MAIN = ("main", "[role=main]", "article")

_QUOTE_BEGIN, _QUOTE_END, _TABLE = "\ue8f1", "\ue8f2", "\ue8f3"
"""Marks set into the tree; private characters, removed from the document first."""
_MARKS = (_QUOTE_BEGIN, _QUOTE_END, _TABLE)

_TOKEN = re.compile(
    r"<pre>(?P<code>.*?)</pre>|<(?P<end>/?)(?P<tag>h[1-6]|p|ul|ol|li)>|(?P<rule><br>\n?)|(?P<line>\n)"
    rf"|(?P<mark>[{_QUOTE_BEGIN}{_QUOTE_END}])|{_TABLE}(?P<table>\d+);|(?P<text>[^<\n{_QUOTE_BEGIN}{_QUOTE_END}{_TABLE}]+|.)",
    re.DOTALL,
)
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE)


class HtmlReader(DocumentReader):
    """Reads HTML."""

    media_types = ("text/html",)

    def read(self, source: Source, options: ReadOptions, context: Context) -> document_pb2.Document:
        """Read it. See `DocumentReader.read`."""
        data = source.data()
        charset = source.media_type.charset
        if not charset and (found := _META_CHARSET.search(data, 0, 4096)):
            charset = found.group(1).decode("ascii").lower()
        text, _ = decode(data, charset)
        context.check()
        document = document_pb2.Document()
        tree = _parsed(text)
        _fill_metadata(document, tree)
        context.check()
        builder = ElementBuilder(document)
        _add_tree(tree, builder, main_only=True)
        return document


def add_html(text: str, builder: ElementBuilder) -> None:
    """Add the elements of a piece of HTML, such as one inside Markdown."""
    _add_tree(_parsed(text), builder, main_only=False)


def _parsed(text: str) -> Any:
    """Parse; HTML is never wrong, so this fails only when memory runs out or the nesting is absurd."""
    try:
        for mark in _MARKS:
            text = text.replace(mark, "")
        return HTMLTree.parse(text)
    except (ValueError, RuntimeError) as error:
        raise HandlerFailure(
            f"The HTML could not be parsed: {error}.",
            reason=Reason.DOCUMENT_MALFORMED,
            code=Code.INVALID_ARGUMENT,
            retryable=False,
        ) from error


def _fill_metadata(document: document_pb2.Document, tree: Any) -> None:
    """Set title, language, authors and time from the head."""
    document.title = " ".join((tree.title or "").split())
    root = tree.document.query_selector("html")
    document.language = ((root.getattr("lang") if root is not None else "") or "").strip()
    if tree.head is None:
        return
    author = tree.head.query_selector("meta[name=author]")
    if author is not None and (name := (author.getattr("content") or "").strip()):
        document.authors.append(name)
    published = tree.head.query_selector('meta[property="article:published_time"], meta[name="dcterms.created"]')
    if published is not None:
        try:
            when = datetime.fromisoformat((published.getattr("content") or "").strip())
            document.create_time.FromDatetime(when.astimezone(UTC) if when.tzinfo else when)
        except (ValueError, OverflowError):
            pass  # No time, or none that the calendar has.


def _add_tree(tree: Any, builder: ElementBuilder, *, main_only: bool) -> None:
    """Add the elements of a tree; of its main content, if asked for and if it has one."""
    body = tree.body
    if body is None:
        return
    if main_only:
        main = next((found for found in map(body.query_selector, _MAIN) if found is not None), None)
        if main is not None and len((main.text or "").strip()) > 0:
            body.replace_children(main)
    tables = _mark_tables(tree, body)
    _mark_quotes(tree, body)
    rendered = extract_plain_text(
        tree,
        preserve_formatting="minimal_html",
        main_content=False,
        list_bullets=True,
        skip_elements=BOILERPLATE if main_only else None,
    )
    _Cutter(builder, tables).cut(rendered)


def _mark_tables(tree: Any, body: Any) -> list[Table]:
    """Take the tables out of the tree, leaving a mark in the place of each. Tables that only lay out the page are unwrapped."""
    tables: list[Table] = []
    for _ in range(MARKED_MAX):
        node = body.query_selector("table")
        if node is None:
            break
        if unwrap_layout(tree, node):
            continue
        mark = tree.create_element("p")
        mark.append_child(tree.create_text_node(f"{_TABLE}{len(tables)};"))
        tables.append(read_table(node))
        node.replace_with(mark)
    return tables


def _mark_quotes(tree: Any, body: Any) -> None:
    """Put marks at the begin and end of quotations."""
    for _ in range(MARKED_MAX):
        node = body.query_selector("blockquote:not([data-seen])")
        if node is None:
            break
        node.setattr("data-seen", "1")
        node.prepend(tree.create_text_node(_QUOTE_BEGIN))
        node.append(tree.create_text_node(_QUOTE_END))


class _Cutter:
    """Cuts the reduced HTML into elements: h1 … h6, p, pre, ul, ol, li and br are all it has; other blocks end with a line."""

    def __init__(self, builder: ElementBuilder, tables: list[Table]) -> None:
        self._builder = builder
        self._tables = tables
        self._parts: list[str] = []
        self._level = self._lists = self._quotes = 0

    def cut(self, rendered: str) -> None:
        """Add the elements, in order."""
        for match in _TOKEN.finditer(rendered):
            kind = match.lastgroup
            if kind == "text":
                self._parts.append(match.group())
            elif kind == "rule":
                self._parts.append(" ")
            elif kind == "tag":
                self._end()
                self._tag(match["tag"], -1 if match["end"] else 1)
            else:
                self._end()
                if kind == "code":
                    if code := unescape(match["code"]).strip("\n").rstrip():
                        self._builder.text(code, CODE)
                elif kind == "mark":
                    self._quotes += 1 if match.group() == _QUOTE_BEGIN else -1
                elif kind == "table" and int(match["table"]) < len(self._tables):
                    rows, columns, cells, caption = self._tables[int(match["table"])]
                    self._builder.table(rows, columns, cells, caption=caption)
        self._end()

    def _tag(self, tag: str, step: int) -> None:
        if tag[0] == "h":
            self._level = int(tag[1]) if step > 0 else 0
        elif tag in ("ul", "ol"):
            self._lists += step

    def _end(self) -> None:
        """End the element under way."""
        if not self._parts:
            return
        text = unescape(" ".join("".join(self._parts).split()))
        self._parts.clear()
        if not text:
            return
        if self._level:
            self._builder.text(text, HEADING, level=self._level)
        else:
            self._builder.text(text, LIST_ITEM if self._lists > 0 else QUOTE if self._quotes > 0 else PARAGRAPH)
