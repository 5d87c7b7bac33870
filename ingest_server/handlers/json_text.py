"""Reads JSON (RFC 8259) and JSON lines into what people and search can use.

A list of records that are alike is a table. A record is a paragraph "name: value" for each plain value, and a heading with the
path ("order.items[2]") before what is nested. A list of plain values is a list. In JSON lines each line is a record; a line that
cannot be read is an issue, and the others are kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.elements import HEADING, HEADING_LEVEL_MAX, LIST_ITEM, PARAGRAPH
from ingest_server.handlers.encoding import decode
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.isolation import read_apart_if_large
from ingest_server.handlers.operator import reader_limits
from ingest_server.handlers.reader import DocumentReader, ReadOptions
from ingest_server.handlers.source import Source
from ingest_server.handlers.table_bytes import CellBytes

NESTING_MAX = 32
"""Below it what is nested is shown as JSON; a path of more steps tells nobody anything."""
COLUMNS_MAX = 1_000
"""Different names of records that still make a table."""
CELL_CHARACTERS_MAX = 500
"""Longest nested value in a cell, as JSON; records with longer ones are shown one by one."""
ISSUES_MAX = 100
"""Lines told one by one that cannot be read."""
VALUES_PER_CHECK = 1_000
"""Values between two looks at the cancel flag; a few milliseconds."""

JSON, JSON_LINES = "application/json", "application/jsonl"


class JsonReader(DocumentReader):
    """Reads JSON and JSON lines. See the module."""

    media_types = (JSON, JSON_LINES)

    def read(self, source: Source, options: ReadOptions, context: Context) -> document_pb2.Document:
        """Read it; it has no pages. See `DocumentReader.read`."""
        return document_pb2.Document.FromString(self.read_serialized(source, options, context))

    def read_serialized(self, source: Source, options: ReadOptions, context: Context) -> bytes:
        """Read it, in a child if it is large. See `DocumentReader.read_serialized`."""
        bytes_max = reader_limits().read_text_bytes_max  # it is held whole, as text and as values of up to 20 times its size
        if source.size_bytes > bytes_max:
            raise _malformed(
                f"The document has {source.size_bytes} bytes; at most {bytes_max} of JSON are read. Split it, or "
                "set read_text_bytes_max."
            )
        return read_apart_if_large(source, _read, context)


def _read(source: Source, check: Callable[[], None]) -> bytes:
    """All of the document, serialized."""
    text, _ = decode(source.data(), source.media_type.charset)
    document = document_pb2.Document()
    if source.media_type.media_type == JSON_LINES:
        value: Any = _lines(text, document, check)
    else:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _malformed(f"The document is no JSON: {_told(error)}. Mend it, or declare its true type.") from error
    writer = _Writer(check)
    writer.value(value, "", 1)
    return document.SerializeToString() + b"".join(writer.elements)


def _lines(text: str, document: document_pb2.Document, check: Callable[[], None]) -> list[Any]:
    """Records of JSON lines; issues for those that cannot be read."""
    records: list[Any] = []
    bad = 0
    # Not splitlines: JSON may hold other line ends, such as U+2028, within its strings.
    for number, line in enumerate(text.split("\n"), 1):
        if number % VALUES_PER_CHECK == 0:
            check()
        if not line.strip():
            continue
        try:
            records.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            bad += 1
            if bad <= ISSUES_MAX:
                document.issues.append(
                    document_pb2.DocumentIssue(reason="LINE_UNREADABLE", message=f"line {number} is no JSON: {_told(error)}")
                )
    if bad and not records:
        raise _malformed(f"None of the {bad} lines is JSON; {document.issues[0].message}. Mend it, or declare its true type.")
    if bad > ISSUES_MAX:
        message = f"{bad - ISSUES_MAX} further lines are no JSON"
        document.issues.append(document_pb2.DocumentIssue(reason="LINE_UNREADABLE", message=message))
    return records


class _Writer:
    """Makes elements of values."""

    def __init__(self, check: Callable[[], None]) -> None:
        self.elements: list[bytes] = []
        self._check = check
        self._count = 0

    def value(self, value: Any, path: str, level: int) -> None:
        """Add a value that stands at `path`, under headings of `level` - 1."""
        self._count += 1
        if self._count % VALUES_PER_CHECK == 0:
            self._check()
        if not isinstance(value, (dict, list)):
            self._text(_plain(value), PARAGRAPH)
        elif level > NESTING_MAX:
            self._text(_compact(value), PARAGRAPH)
        elif isinstance(value, dict):
            for name, member in value.items():
                place = f"{path}.{name}" if path else name
                if isinstance(member, (dict, list)) and member:
                    self._nested(member, place, level)
                else:
                    self._text(f"{name}: {_plain(member)}", PARAGRAPH)
        elif (columns := _columns(value)) is not None:
            self._table(value, columns)
        else:
            for index, item in enumerate(value):
                if isinstance(item, (dict, list)):
                    self._nested(item, f"{path}[{index}]", level)
                else:
                    self._text(_plain(item), LIST_ITEM)

    def _nested(self, value: Any, path: str, level: int) -> None:
        self._text(path, HEADING, min(level, HEADING_LEVEL_MAX))
        self.value(value, path, level + 1)

    def _text(self, text: str, role: document_pb2.TextRole, level: int = 0) -> None:
        if not text.strip():
            return
        element = document_pb2.Element(id=f"e{len(self.elements) + 1}", heading_level=level)
        # A lone surrogate, which JSON can escape, is no text.
        element.text.text, element.text.role = text.encode("utf-8", "replace").decode(), role
        self.elements.append(document_pb2.Document(elements=[element]).SerializeToString())

    def _table(self, records: list[dict[str, Any]], columns: list[str]) -> None:
        cells = CellBytes()
        cells.add(columns, header=True)
        for number, record in enumerate(records):
            if number % VALUES_PER_CHECK == 0:
                self._check()
            cells.add([_plain(record.get(name)) for name in columns])
        self.elements.append(cells.element(len(self.elements) + 1))


def _columns(values: list[Any]) -> list[str] | None:
    """Names of the columns if the values are records alike, in the order in which they first come; None if they are not: at least
    two, with no more than twice as many names in all as one has on average, and nothing long nested in them."""
    if len(values) < 2 or not all(isinstance(value, dict) for value in values):
        return None
    names: dict[str, None] = {}
    total = 0
    for record in values:
        total += len(record)
        names.update(dict.fromkeys(record))
        if len(names) > COLUMNS_MAX:
            return None
        for member in record.values():
            if isinstance(member, (dict, list)) and len(_compact(member)) > CELL_CHARACTERS_MAX:
                return None
    return list(names) if names and len(names) * len(values) <= 2 * total else None


def _plain(value: Any) -> str:
    """A value as text: strings as they are, null as nothing, all else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else _compact(value)


def _compact(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "…"


def _told(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]


def _malformed(message: str) -> HandlerFailure:
    return HandlerFailure(message, reason=Reason.DOCUMENT_MALFORMED, code=Code.INVALID_ARGUMENT, retryable=False)
