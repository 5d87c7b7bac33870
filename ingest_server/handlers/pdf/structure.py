"""The elements of a document, page by page, of all its pages or of some that are joined with others later."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import le
from typing import NamedTuple, TypeAlias

import msgspec

from ingest.v1 import document_pb2
from ingest_server.handlers.elements import PARAGRAPH
from ingest_server.handlers.ocr.words import Recognised
from ingest_server.handlers.pdf.element_bytes import as_heading, as_recognised, page_elements, text_of, with_id, without_id
from ingest_server.handlers.pdf.headings import FontSizes
from ingest_server.handlers.pdf.images import Picture
from ingest_server.handlers.pdf.page_text import LineRow, PageText
from ingest_server.handlers.pdf.paragraphs import Paragraph, column_paragraphs, paragraphs
from ingest_server.handlers.pdf.picture_elements import NOWHERE, elements_with_pictures
from ingest_server.handlers.pdf.reading_order import drawn_in_order, in_reading_order
from ingest_server.handlers.pdf.tables.finder import TABLE_MARK
from ingest_server.handlers.pdf.tables.grid import Table, as_entry
from ingest_server.handlers.pdf.turned import by_direction

EVIDENCE_CHARACTERS_MAX = 100_000
"""How much of a page is searched for a divided word's hyphen; a page of text has 5,000 characters."""

Page: TypeAlias = tuple[int, PageText, tuple[list[LineRow], bool] | None, list[Table]]
"""(number from 1, its text, its lines and whether they were cut, where that had to be looked at, its tables)"""


class Scanned(NamedTuple):
    """A page that was recognised, or of which only pictures are given."""

    number: int
    found: list[Recognised]


class Structure:
    """The paragraphs and headings of a document, page by page.

    Elements are written as soon as their page is joined, while its paragraphs are in the processor's caches: by itself that takes
    10 µs a page, at the end of a long document 34. Headings, which only the whole document tells, are written anew.
    """

    def __init__(self, pictures: dict[int, list[Picture]] | None = None) -> None:
        """Begin with no page. Pictures by page number are taken out of `pictures` as their page comes."""
        self._pictures = {} if pictures is None else pictures
        self._elements: list[bytes] = []
        self._sizes = FontSizes()

    def add(self, pages: list[Page]) -> None:
        """Join the lines of the next pages."""
        for page in pages:
            number, joined = _joined(page)
            if page[3] or number in self._pictures:
                self._add_others(number, joined, page[3])
                continue
            self._sizes.add(joined)
            self._elements += page_elements(len(self._elements) + 1, number, joined)

    def add_scanned(self, page: Scanned) -> None:
        """Take up the next page, which was recognised; its pictures first, as they are what was recognised."""
        self._add_others(page.number, [], [])
        made: list[Paragraph] = [(each.text, each.box, 0.0, PARAGRAPH, 1) for each in page.found]
        entries = page_elements(len(self._elements) + 1, page.number, made)
        self._elements += [as_recognised(entry, each.confidence) for entry, each in zip(entries, page.found, strict=True)]
        self._sizes.skip(len(entries))

    def _add_others(self, number: int, joined: list[Paragraph], tables: list[Table]) -> None:
        """Take up a page with pictures among its paragraphs, or with tables, of which each has a paragraph in its place."""
        first = len(self._elements) + 1
        entries, counted = elements_with_pictures(first, number, joined, self._pictures.pop(number, ()))
        for index, (text, *_) in enumerate(counted):
            if text.startswith(TABLE_MARK):
                entries[index] = as_entry(tables[int(text[len(TABLE_MARK) :])], first + index, number)
                counted[index] = ("", NOWHERE, 0.0, PARAGRAPH, 1)
        self._sizes.add(counted)
        self._elements += entries

    def serialized(self) -> bytes:
        """All elements, as entries of `Document.elements`: a document's bytes when put behind those of one that has none."""
        elements = self._elements
        for index, level in self._sizes.headings(lambda index: text_of(elements[index])):
            elements[index] = as_heading(elements[index], level)
        return b"".join(elements)

    def part(self, document: document_pb2.Document) -> bytes:
        """All there is, as a part of a document (`PagedReader.read_pages`); `document` is what belongs to no element."""
        bare = [without_id(entry) for entry in self._elements]
        return _encode(_Part(document.SerializeToString(), bare, *self._sizes.counted()))

    @staticmethod
    def joined(parts: Sequence[bytes]) -> bytes:
        """One part of several, in their order."""
        given = [_decoder.decode(part) for part in parts]
        characters: dict[float, int] = {}
        for part in given:
            for size, count in part.characters.items():
                characters[size] = characters.get(size, 0) + count
        document = b"".join(part.document for part in given)  # messages one behind the other are one message
        elements = [element for part in given for element in part.elements]
        return _encode(_Part(document, elements, characters, [page for part in given for page in part.pages]))

    @staticmethod
    def finished(part: bytes) -> bytes:
        """The serialized Document of a part that has all pages."""
        given = _decoder.decode(part)
        structure = Structure()
        structure._elements = [with_id(number, bare) for number, bare in enumerate(given.elements, 1)]
        structure._sizes = FontSizes.of(given.characters, given.pages)
        return given.document + structure.serialized()


class _Part(msgspec.Struct, array_like=True, frozen=True):
    """Some pages of a document: its fields but for the elements, these without their ids, which the whole document numbers, and
    the font sizes, whose whole tells the headings."""

    document: bytes
    elements: list[bytes]
    characters: dict[float, int]
    pages: list[tuple[float, list[float]]]


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(_Part)


def _joined(page: Page) -> tuple[int, list[Paragraph]]:
    """Paragraphs of a page, in reading order."""
    number, text, cut, tables = page
    evidence = text.text[:EVIDENCE_CHARACTERS_MAX]
    if cut is None:
        columns = text.columns()
        tops = columns[1]
        if all(map(le, tops, tops[1:])) and not text.may_be_turned:
            # Nine pages of ten: drawn from top to bottom.
            return number, column_paragraphs(columns, evidence)
        lines, was_cut = text.rows(columns), False
    else:
        lines, was_cut = cut

    def in_order(lines: list[LineRow]) -> list[Paragraph]:
        if was_cut or not drawn_in_order(lines):
            lines = in_reading_order(lines)
        if not tables:
            return paragraphs(lines, evidence)
        # A table parts the paragraphs before and behind it.
        runs = groupby(lines, lambda line: line[5] if line[5].startswith(TABLE_MARK) else "")
        return [paragraph for _, run in runs for paragraph in paragraphs(list(run), evidence)]

    groups = by_direction(text, lines) if text.may_be_turned else None
    if groups is None:
        return number, in_order(lines)
    return number, [paragraph for group in groups for paragraph in group.shown(in_order(group.lines))]
