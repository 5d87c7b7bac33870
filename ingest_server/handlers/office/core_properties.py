"""What an office document says about itself: title, authors, language, times, subject and the like (ISO/IEC 29500-2, 8.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from ingest.v1 import document_pb2
from ingest_server.handlers.office.names import expanded
from ingest_server.handlers.office.package import Package
from ingest_server.handlers.office.xml_events import Attributes, PartFault

_CHARACTERS_MAX = 16 * 1024
"""Longer values are left out: titles are lines, not documents."""
_AUTHORS_MAX = 256
_PROPERTIES = {
    "dc:subject": "subject",
    "cp:keywords": "keywords",
    "dc:description": "description",
    "cp:category": "category",
    "cp:lastModifiedBy": "last_modified_by",
}
"""Elements by the names of `Document.properties`."""
_WANTED = ("dc:title", "dc:creator", "dc:language", "dcterms:created", "dcterms:modified", *_PROPERTIES)

PROPERTIES_UNREADABLE = "PROPERTIES_UNREADABLE"


def fill_metadata(document: document_pb2.Document, package: Package) -> None:
    """Set title, authors, language, create_time and properties. What is missing or makes no sense stays unset; a damaged part
    becomes an issue."""
    try:
        found = _read(package)
    except PartFault as fault:
        document.issues.add(reason=PROPERTIES_UNREADABLE, message=f"The part with title and authors {fault}; the text was read.")
        return
    document.title = found.get("dc:title", "")
    authors = re.split(r"\s*;\s*", found.get("dc:creator", ""))
    document.authors.extend([author for author in authors if author][:_AUTHORS_MAX])
    document.language = found.get("dc:language", "")
    if created := _time(found.get("dcterms:created", "")):
        document.create_time.FromDatetime(created)
    for element, name in _PROPERTIES.items():
        if value := found.get(element):
            document.properties[name] = value
    if changed := _time(found.get("dcterms:modified", "")):
        document.properties["modify_time"] = changed.strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(text: str) -> datetime | None:
    """The time it tells, in UTC; None for none, or one that the calendar does not have. Without a zone it is taken as UTC."""
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _read(package: Package) -> dict[str, str]:
    """Values by short name, white space collapsed."""
    part = next((used.part for used in package.relationships("").values() if used.kind == "core-properties"), "")
    if not part or part not in package:
        return {}
    found: dict[str, str] = {}
    pieces: list[str] | None = None
    size = 0

    def begin(_: Attributes) -> None:
        nonlocal pieces, size
        pieces, size = [], 0

    def text(data: str) -> None:
        nonlocal size
        if pieces is not None and (size := size + len(data)) <= _CHARACTERS_MAX:
            pieces.append(data)

    def end(name: str) -> None:
        nonlocal pieces
        if pieces is not None and size <= _CHARACTERS_MAX:
            found.setdefault(name, " ".join("".join(pieces).split()))
        pieces = None

    ends = {name: (lambda name=name: end(name)) for name in _WANTED}
    package.parse(part, expanded(dict.fromkeys(_WANTED, begin)), expanded(ends), text)
    return found
