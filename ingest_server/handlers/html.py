"""Reads HTML by resiliparse: the main content, or all that is seen, as headings, paragraphs, items, quotations, code and tables.

A wrapper object per DOM node costs 3.5 µs, and pages of 100 KB have thousands of nodes: walking them all reads 70 pages a second.
So the tree is only prepared by a few selectors (boilerplate left out, tables and quotations marked), the library itself renders
it as reduced HTML, and that is cut into elements: three times as fast.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from html import unescape
from typing import Any

from resiliparse.extract.html2text import extract_plain_text

from ingest.v1 import document_pb2
from ingest_server.domain.extract_rules import ContentScope
from ingest_server.handlers.elements import CODE, HEADING, LIST_ITEM, NOTE, PARAGRAPH, QUOTE, ElementBuilder
from ingest_server.handlers.encoding import decode
from ingest_server.handlers.html_table import LINE_END, MARK, Table
from ingest_server.handlers.html_tree import (
    BOILERPLATE,
    HIDDEN,
    NOTE_BEGIN,
    QUOTE_BEGIN,
    QUOTE_END,
    mark,
    narrow,
    parsed,
)
from ingest_server.handlers.interface import Context
from ingest_server.handlers.reader import DocumentReader, ReadOptions
from ingest_server.handlers.source import Source

_LINE_BREAK = "\0"
"""Stands for <br> in the text under way; the parser leaves no such character in a document."""
_TOKEN = re.compile(
    rf"<(?P<around>h[1-6]|p|li)>(?P<whole>[^<\n{MARK}]+)</(?P=around)>\s*"
    r"|<pre>(?P<code>.*?)</pre>|<(?P<end>/?)(?P<tag>h[1-6]|p|ul|ol|li)>\s*|(?P<rule><br>\s*)|(?P<line>\n\s*)"
    rf"|(?P<mark>{MARK}[QqNn])|{MARK}T(?P<table>\d+);|(?P<text>[^<\n{MARK}]+|.)",
    re.DOTALL,
)
_LABEL = re.compile(r"\W?\w{1,8}\W?")
"""What a note is referred to by, such as "[1]", where it stands before the note's text."""
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
        tree = parsed(text)
        _fill_metadata(document, tree)
        context.check()
        builder = ElementBuilder(document)
        if options.content == ContentScope.FULL:
            _add_tree(tree, builder, skipped=HIDDEN, form_fields=True)
        else:
            if tree.body is not None:
                narrow(tree.body)
            _add_tree(tree, builder, skipped=[*BOILERPLATE, *HIDDEN])
            if not builder.count:
                # What is called the main part is empty, as where a script was to fill it.
                _add_tree(parsed(text), builder, skipped=[*BOILERPLATE, *HIDDEN])
        return document


def add_html(text: str, builder: ElementBuilder) -> None:
    """Add the elements of a piece of HTML, such as one inside Markdown."""
    _add_tree(parsed(text), builder, skipped=HIDDEN)


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


def _add_tree(tree: Any, builder: ElementBuilder, *, skipped: Sequence[str], form_fields: bool = False) -> None:
    """Add the elements of a tree, without what the selectors `skipped` find."""
    if tree.body is None:
        return
    tables = mark(tree)
    rendered = extract_plain_text(
        tree,
        preserve_formatting="minimal_html",
        main_content=False,
        list_bullets=True,
        form_fields=form_fields,
        skip_elements=skipped,
    )
    # Tables that only laid out the page have left the marks of their lines.
    _Cutter(builder, tables).cut(rendered.replace(LINE_END, ""))


class _Cutter:
    """Cuts the reduced HTML into elements: h1 … h6, p, pre, ul, ol, li and br are all it has; other blocks end with a line."""

    def __init__(self, builder: ElementBuilder, tables: list[Table]) -> None:
        self._builder = builder
        self._tables = tables
        self._parts: list[str] = []
        self._label = ""
        self._level = self._quotes = self._notes = 0
        self._item_begins = False

    def cut(self, rendered: str) -> None:
        """Add the elements, in order."""
        parts = self._parts
        for match in _TOKEN.finditer(rendered):
            kind = match.lastgroup
            if kind == "text":
                parts.append(match.group())
            elif kind == "rule":
                self._break()
            else:
                if parts:
                    self._end()
                if kind == "whole":
                    # Most of what there is, so it is worth a way of its own.
                    self._tag(match["around"], begins=True)
                    if text := _plain(match["whole"]):
                        self._add(text)
                    self._tag(match["around"], begins=False)
                elif kind == "tag":
                    self._tag(match["tag"], begins=not match["end"])
                elif kind == "code":
                    if code := unescape(match["code"]).strip("\n").rstrip():
                        self._builder.text(code, CODE)
                elif kind == "mark":
                    self._mark(match.group())
                elif kind == "table" and int(match["table"]) < len(self._tables):
                    rows, columns, cells, caption = self._tables[int(match["table"])]
                    self._builder.table(rows, columns, cells, caption=caption)
        if parts:
            self._end()
        self._end_note()

    def _tag(self, tag: str, *, begins: bool) -> None:
        if tag == "li":
            self._item_begins = begins
        elif tag[0] == "h":
            self._level = int(tag[1]) if begins else 0
        elif tag != "p":
            self._item_begins = False

    def _mark(self, mark: str) -> None:
        if mark in (QUOTE_BEGIN, QUOTE_END):
            self._quotes += 1 if mark == QUOTE_BEGIN else -1
        else:
            self._end_note()
            self._notes += 1 if mark == NOTE_BEGIN else -1

    def _break(self) -> None:
        """A line ends; behind another that did, a paragraph."""
        if self._parts and self._parts[-1] == _LINE_BREAK:
            self._end()
        elif self._parts:
            self._parts.append(_LINE_BREAK)

    def _end(self) -> None:
        """End the element under way, of which there are parts."""
        text = "".join(self._parts)
        self._parts.clear()
        if _LINE_BREAK in text:
            lines = filter(None, map(_plain, text.split(_LINE_BREAK)))
            text = (" " if self._level else "\n").join(lines)
        else:
            text = _plain(text)
        if text:
            self._add(text)

    def _add(self, text: str) -> None:
        """Add text in the role that is due."""
        if self._level:
            self._builder.text(text, HEADING, level=self._level)
        elif self._notes > 0:
            self._note(text)
        elif self._item_begins:
            self._builder.text(text, LIST_ITEM)
            self._item_begins = False  # what follows in the same item is no item of its own
        else:
            self._builder.text(text, QUOTE if self._quotes > 0 else PARAGRAPH)

    def _note(self, text: str) -> None:
        """Add a piece of a note, with the label before it."""
        if not self._label and _LABEL.fullmatch(text):
            self._label = text
            return
        self._builder.text(f"{self._label} {text}" if self._label else text, NOTE)
        self._label = ""

    def _end_note(self) -> None:
        """A label without text behind it is all there is."""
        if self._label:
            self._builder.text(self._label, NOTE)
            self._label = ""


def _plain(text: str) -> str:
    """Text of the reduced HTML: character references resolved, white space one space each."""
    return " ".join((unescape(text) if "&" in text else text).split())
