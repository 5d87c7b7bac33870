"""Reads Markdown (CommonMark with GitHub's tables and strikethrough, and front matter)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ingest.v1 import document_pb2
from ingest_server.handlers.elements import CODE, HEADING, LIST_ITEM, PARAGRAPH, QUOTE, Cell, ElementBuilder
from ingest_server.handlers.encoding import decode
from ingest_server.handlers.html import add_html
from ingest_server.handlers.interface import Context
from ingest_server.handlers.reader import DocumentReader, ReadOptions
from ingest_server.handlers.source import Source

_FRONT_MATTER = re.compile(r"---[^\S\n]*\n(.*?\n)(?:---|\.\.\.)[^\S\n]*(?:\n|$)", re.DOTALL)
_ENTRY = re.compile(
    r"(title|authors?|lang|language):[^\S\n]*(.*?)[^\S\n]*$((?:\n[^\S\n]*-[^\S\n]+.*)*)", re.MULTILINE | re.IGNORECASE
)
_CONTAINERS = {"bullet_list": LIST_ITEM, "ordered_list": LIST_ITEM, "blockquote": QUOTE}


class MarkdownReader(DocumentReader):
    """Reads Markdown."""

    media_types = ("text/markdown",)

    def __init__(self) -> None:
        """Set up the parser."""
        self._parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])

    def read(self, source: Source, options: ReadOptions, context: Context) -> document_pb2.Document:
        """Read it. The title is that of the front matter, or else the first heading of level 1. See `DocumentReader.read`."""
        text, _ = decode(source.data(), source.media_type.charset)
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        document = document_pb2.Document()
        text = text[_front_matter(text, document) :]
        context.check()
        tokens = self._parser.parse(text)
        context.check()
        _Walk(ElementBuilder(document), context).blocks(tokens)
        if not document.title:
            document.title = next((each.text.text for each in document.elements if each.heading_level == 1), "")
        return document


class _Walk:
    """Turns block tokens into elements."""

    def __init__(self, builder: ElementBuilder, context: Context) -> None:
        self._builder = builder
        self._context = context
        self._roles: list[document_pb2.TextRole] = []
        self._level = 0
        self._table: list[Cell] | None = None
        self._row = self._column = self._columns = 0

    def blocks(self, tokens: Sequence[Token]) -> None:
        """Add the elements of all tokens, in order."""
        for token in tokens:
            kind, _, edge = token.type.rpartition("_")
            if token.type == "inline":
                self._inline(token)
            elif token.type in ("fence", "code_block"):
                self._context.check()
                if code := token.content.rstrip("\n"):
                    self._builder.text(code, CODE)
            elif token.type == "html_block":
                add_html(token.content, self._builder)
            elif edge == "open":
                self._open(kind, token)
            elif edge == "close":
                self._close(kind)

    def _open(self, kind: str, token: Token) -> None:
        if kind in _CONTAINERS:
            self._roles.append(_CONTAINERS[kind])
        elif kind == "heading":
            self._level = int(token.tag[1:])
        elif kind == "table":
            self._table, self._row, self._columns = [], 0, 0
        elif kind == "tr":
            self._column = 0

    def _close(self, kind: str) -> None:
        if kind in _CONTAINERS:
            self._roles.pop()
        elif kind == "heading":
            self._level = 0
        elif kind == "tr":
            self._row += 1
            self._columns = max(self._columns, self._column)
        elif kind == "table" and self._table is not None:
            self._builder.table(self._row, self._columns, self._table)
            self._table = None

    def _inline(self, token: Token) -> None:
        """Add a heading, a cell, a paragraph, or the pictures of a paragraph that has nothing else."""
        children = token.children or []
        text = _plain(children)
        if self._table is not None:
            self._table.append((self._row, self._column, 1, 1, text, self._row == 0))
            self._column += 1
        elif self._level:
            if text:
                self._builder.text(text, HEADING, level=self._level)
        elif children and all(child.type in ("image", "softbreak") for child in children):
            for child in children:
                if child.type == "image":
                    self._builder.image(child.content)
        elif text:
            self._context.check()
            self._builder.text(text, self._roles[-1] if self._roles else PARAGRAPH)


def _plain(children: Sequence[Token]) -> str:
    """The text of inline tokens: without marks, line ends as spaces, hard breaks as line ends, pictures as their text."""
    parts = []
    for child in children:
        if child.type in ("text", "code_inline", "image"):
            parts.append(child.content)
        elif child.type == "softbreak":
            parts.append(" ")
        elif child.type == "hardbreak":
            parts.append("\n")
    return "".join(parts).strip()


def _front_matter(text: str, document: document_pb2.Document) -> int:
    """Read title, authors and language from YAML front matter, as far as they are plain values or lists of them. Returns where
    the body begins: 0 without front matter."""
    match = _FRONT_MATTER.match(text)
    if match is None:
        return 0
    for key, value, items in _ENTRY.findall(match.group(1)):
        key = key.lower()
        if key == "title":
            document.title = _unquoted(value)
        elif key.startswith("lang"):
            document.language = _unquoted(value)
        else:
            names = value.strip("[]").split(",") if value.startswith("[") else [value]
            names += [item.partition("-")[2] for item in items.splitlines()]
            document.authors.extend([name for name in map(_unquoted, names) if name])
    return match.end()


def _unquoted(value: str) -> str:
    """A YAML scalar without its quotes."""
    value = value.strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
