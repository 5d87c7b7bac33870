"""What is known of a mail besides its text: title, author, time and header lines, for every format of mails."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ingest.v1 import document_pb2
from ingest_server.handlers.elements import HEADING, ElementBuilder
from ingest_server.handlers.mail.headers import Headers, decoded_words

PROPERTY_CHARACTERS_MAX = 64 * 1024
PROPERTIES = ("from", "to", "cc", "bcc", "reply-to", "date", "message-id", "in-reply-to")
"""As document.proto lists them."""
_ADDRESS_CHARACTERS_MAX = 2_000
_NAMED = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^<,"]*[^<,"\s])\s*<')
"""A name before an address, quoted or not (RFC 5322, 3.4)."""


def describe(document: document_pb2.Document, headers: Headers) -> None:
    """Set title, authors, time and properties by a header."""
    document.title = headers.text("subject")
    for name in PROPERTIES:
        set_property(document, name, headers.text(name))
    if author := author_of(headers.raw("from")):
        document.authors.append(author)
    set_time(document, time_of(headers.text("date")))


def author_of(sender: str) -> str:
    """Name of the first sender in a From field, or else the address."""
    sender = sender[:_ADDRESS_CHARACTERS_MAX]
    match = _NAMED.match(sender)
    name = match.group(1) if match else sender.partition(",")[0]
    return " ".join(decoded_words(name.strip().strip('"')).replace('\\"', '"').split())


def set_property(document: document_pb2.Document, name: str, value: str) -> None:
    """Set a property, if it has a value."""
    if value:
        document.properties[name] = value[:PROPERTY_CHARACTERS_MAX]


def time_of(text: str) -> datetime | None:
    """A date as mails have it (RFC 5322, 3.3); None if it is none. Without a zone it is taken for UTC."""
    try:
        when = parsedate_to_datetime(text[:200])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def set_time(document: document_pb2.Document, when: datetime | None) -> None:
    """Set the time, if there is one that protobuf has."""
    if when is None:
        return
    try:
        document.create_time.FromDatetime(when.astimezone(UTC))
    except (ValueError, OverflowError):
        document.ClearField("create_time")


def add_subject(document: document_pb2.Document, builder: ElementBuilder) -> None:
    """Add the subject as the first heading, if there is one."""
    if document.title:
        builder.text(document.title, HEADING, level=1)
