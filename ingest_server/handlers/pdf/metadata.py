"""What a PDF says about itself: title, authors, language, time of creation, and what else its information dictionary tells."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pypdfium2.raw as raw

from ingest.v1 import document_pb2

_TEXT_BYTES_MAX = 64 * 1024
"""Longer entries are left out: titles are lines, not documents."""
_AUTHORS_MAX = 256

_PROPERTIES = {"subject": b"Subject", "keywords": b"Keywords", "creator": b"Creator", "producer": b"Producer"}
"""Entries of the information dictionary (ISO 32000-1, 14.3.3) by the names of `Document.properties`."""

_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:(Z)|([+-])(\d\d)'?(\d\d)?)?")
"""ISO 32000-1, 7.9.4: D:YYYYMMDDHHmmSSOHH'mm', everything after the year optional."""


def fill_metadata(document: document_pb2.Document, handle: Any) -> None:
    """Set title, authors, language and create_time from the document's information dictionary and catalog. What is missing or
    makes no sense stays unset.

    Args:
        document: to fill.
        handle: pdfium's FPDF_DOCUMENT.
    """
    document.title = _entry(handle, b"Title")
    authors = re.split(r"\s*[;\n]\s*", _entry(handle, b"Author"))
    document.authors.extend([author for author in authors if author][:_AUTHORS_MAX])
    document.language = _text(lambda buffer, size: raw.FPDFCatalog_GetLanguage(handle, ctypes.cast(buffer, _UNITS), size))
    created = parse_date(_entry(handle, b"CreationDate"))
    if created is not None:
        document.create_time.FromDatetime(created)
    _fill_properties(document, handle)


def _fill_properties(document: document_pb2.Document, handle: Any) -> None:
    """Set the properties that document.proto names. What is missing or makes no sense stays out."""
    for name, key in _PROPERTIES.items():
        if value := _entry(handle, key):
            document.properties[name] = value
    changed = parse_date(_entry(handle, b"ModDate"))
    if changed is not None:
        document.properties["modify_time"] = changed.strftime("%Y-%m-%dT%H:%M:%SZ")
    version = ctypes.c_int()
    if raw.FPDF_GetFileVersion(handle, version) and version.value > 0:
        # 14 is 1.4, 20 is 2.0.
        document.properties["pdf_version"] = f"{version.value // 10}.{version.value % 10}"


_UNITS = ctypes.POINTER(ctypes.c_ushort)


def parse_date(text: str) -> datetime | None:
    """The time a PDF date string means, in UTC; None if it is none. Without a zone it is taken as UTC."""
    match = _DATE.match(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, _, sign, zone_hours, zone_minutes = match.groups()
    try:
        offset = timedelta(hours=int(zone_hours or 0), minutes=int(zone_minutes or 0))
        zone = timezone(-offset if sign == "-" else offset)
        parts = (int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0))
        return datetime(*parts, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _entry(handle: Any, name: bytes) -> str:
    """An entry of the information dictionary; "" if it is missing."""
    return _text(lambda buffer, size: raw.FPDF_GetMetaText(handle, name, buffer, size))


def _text(get: Callable[[Any, int], int]) -> str:
    """Text that pdfium writes as UTF-16 into a buffer; called first for the size, which includes a terminating zero."""
    size = get(None, 0)
    if not 2 < size <= _TEXT_BYTES_MAX:
        return ""
    buffer = ctypes.create_string_buffer(size)
    get(buffer, size)
    text = buffer.raw[: size - 2].decode("utf-16-le", "replace")
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
