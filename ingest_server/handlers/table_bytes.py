"""Makes tables of many cells, in the protobuf wire format.

A spreadsheet has hundreds of thousands of cells, and its table has to be made in a fraction of a second: bytes cost 0.5 µs a
cell, much of it for writing numbers. Field numbers come from the descriptors, so the proto stays the only place that says them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from ingest.v1 import document_pb2
from ingest_server.handlers.protobuf_bytes import BYTES, VARINT, tag, varint

Value = str | int | float | bool | date | time | datetime | timedelta
"""What a cell may hold."""
Spans = Mapping[int, Mapping[int, tuple[int, int]]]
"""Row → column → (rows, columns) spanned by the cell that stands there."""

HEADER_SAMPLE_ROWS = 50
"""Rows below the first that are looked at to tell whether it is a header."""
HEADER_CHARACTERS_MAX = 100
"""A header is a name; longer text is content."""
_WHOLE_MAX = 1e15
"""Whole numbers below it are exact and shown by all digits, as spreadsheets do."""
_KEPT_MAX = 16_384
_KEPT_BYTES_MAX = 64
"""Texts kept in their coded form, how many and how long: 3 MB."""
_NUMBER = re.compile(r"[-+]?[\d.,'\s]*\d[\d.,]*\s*[%€$£]?")

_ELEMENTS = tag(document_pb2.Document, "elements", BYTES)
_TABLE = tag(document_pb2.Element, "table", BYTES)
_CELLS = tag(document_pb2.TableElement, "cells", BYTES)
_ROW = tag(document_pb2.TableCell, "row", VARINT)
_COLUMN = tag(document_pb2.TableCell, "column", VARINT)
_ROW_SPAN = tag(document_pb2.TableCell, "row_span", VARINT)
_COLUMN_SPAN = tag(document_pb2.TableCell, "column_span", VARINT)
_TEXT = tag(document_pb2.TableCell, "text", BYTES)
_HEADER = tag(document_pb2.TableCell, "header", VARINT) + varint(1)
_LENGTHS = tuple(map(varint, range(4096)))
_HEADS = tuple(_CELLS + length for length in _LENGTHS)


def text_of(value: Value) -> str:
    """A value as people write it: whole numbers without a point, others with at most 15 digits (what a double holds), dates and
    times in ISO 8601, lengths of time as h:mm:ss, TRUE and FALSE as spreadsheets show them."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) < _WHOLE_MAX and value.is_integer() else f"{value:.15g}"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "auto")
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        minutes, seconds = divmod(abs(seconds), 60)
        return f"{'-' if value < timedelta() else ''}{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return value.isoformat() if isinstance(value, (date, time)) else str(value)


def has_header(rows: Sequence[Sequence[Value]]) -> bool:
    """Whether the first of some rows names the columns: at least two rows, as many short, different words as there are columns,
    no number among them."""
    if len(rows) < 2:
        return False
    first = rows[0]
    if not all(isinstance(value, str) and 0 < len(value.strip()) <= HEADER_CHARACTERS_MAX for value in first):
        return False
    names = [str(value).strip() for value in first]
    width = max(map(len, rows[1 : HEADER_SAMPLE_ROWS + 1]))
    return len(names) >= width and len(set(names)) == len(names) and not any(_NUMBER.fullmatch(name) for name in names)


class CellBytes:
    """Collects the cells of one table, row by row. Empty cells take nothing: only cells with text are in a table.

    Attributes:
        rows: rows added.
        columns: in the longest of them, cells without text included.
        cells: cells with text.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.columns = 0
        self.cells = 0
        self._lines: list[bytes] = []
        self._places: list[bytes] = []
        self._headers: list[bytes] = []
        self._tails: dict[str, bytes] = {}

    def add(self, row: Sequence[Value], *, header: bool = False, spans: Mapping[int, tuple[int, int]] | None = None) -> None:
        """Add a row.

        Args:
            row: its values from the first column on.
            header: whether its cells are headers.
            spans: column → (rows, columns) of cells that span more than their place.
        """
        if len(row) > self.columns:
            self._widen(len(row))
        places = self._headers if header else self._places
        if spans:
            places = places.copy()
            for column, (down, across) in spans.items():
                places[column] = _place(column, down, across, header)
        line = _ROW + varint(self.rows)
        self.rows += 1
        line_size = len(line)
        tails, lengths, heads, limit = self._tails, _LENGTHS, _HEADS, len(_HEADS)
        pieces: list[bytes] = []
        values: Sequence[Any] = row
        for place, value in zip(places, values, strict=False):
            kind = type(value)
            if kind is str:
                tail = tails.get(value) or self._tail(value)
                if tail == b"\x00":
                    continue
            elif kind is float and -_WHOLE_MAX < value < _WHOLE_MAX:
                # As `text_of`, without the call: most cells are numbers.
                data = b"%d" % value if value.is_integer() else b"%.15g" % value
                tail = lengths[len(data)] + data
            else:
                data = text_of(value).encode()
                tail = varint(len(data)) + data
            size = line_size + len(place) + len(tail)
            pieces += (heads[size] if size < limit else _CELLS + varint(size), line, place, tail)
        self.cells += len(pieces) // 4
        self._lines.append(b"".join(pieces))

    def _tail(self, value: str) -> bytes:
        """A text after its length; kept, because the words of a table repeat. A zero byte alone for blanks."""
        data = value.strip().encode("utf-8", "replace")
        tail = varint(len(data)) + data
        if len(data) <= _KEPT_BYTES_MAX:
            if len(self._tails) >= _KEPT_MAX:
                self._tails.clear()
            self._tails[value] = tail
        return tail

    def element(self, number: int, *, page: int = 0, caption: str = "") -> bytes:
        """The table as an entry of Document.elements.

        Args:
            number: its id is "e" and this.
            page: from 1; 0 where there are no pages.
            caption: "" for none.
        """
        frame = document_pb2.TableElement(rows=self.rows, columns=self.columns, caption=caption).SerializeToString()
        # Messages one behind the other are one message.
        cells = b"".join(self._lines)
        about = document_pb2.Element(id=f"e{number}", page=page).SerializeToString()
        table = _TABLE + varint(len(frame) + len(cells)) + frame
        return b"".join((_ELEMENTS, varint(len(about) + len(table) + len(cells)), about, table, cells))

    def _widen(self, columns: int) -> None:
        for column in range(self.columns, columns):
            self._places.append(_place(column, 1, 1, False))
            self._headers.append(_place(column, 1, 1, True))
        self.columns = columns


def _place(column: int, down: int, across: int, header: bool) -> bytes:
    """All of a cell between its row and the length of its text."""
    spans = _ROW_SPAN + varint(down) + _COLUMN_SPAN + varint(across)
    return _COLUMN + varint(column) + spans + (_HEADER if header else b"") + _TEXT
