"""Reads mbox files (RFC 4155): many messages in one file, each a document of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from ingest.v1 import document_pb2
from ingest_server.handlers.interface import Context
from ingest_server.handlers.mail.eml_reader import opened
from ingest_server.handlers.mail.headers import Bytes
from ingest_server.handlers.members.container import ContainerReader, Contents, malformed
from ingest_server.handlers.members.member import PIECE_BYTES, Member
from ingest_server.handlers.reader import ReadOptions
from ingest_server.handlers.source import Source

_BEGIN = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]{0,300}\d\d:\d\d[^\n]{0,100}\n(?=[!-9;-~]{1,128}:)")
"""A line that begins a message: after an empty line, with a time, before a field."""
_ESCAPED = re.compile(rb"^>(?=>*From )", re.MULTILINE)


class MboxReader(ContainerReader):
    """Reads mbox files."""

    media_types = ("application/mbox",)

    @contextmanager
    def open(self, source: Source, options: ReadOptions, context: Context) -> Iterator[Contents]:
        """Open it. See `ContainerReader.open`."""
        with opened(source) as data:
            if _BEGIN.match(data) is None:
                raise malformed(
                    'The mbox file does not begin with a line such as "From someone@example.org Mon Jan 1 00:00:00 2024".'
                )
            yield Contents(document_pb2.Document(), _messages(data))


def _messages(data: Bytes) -> Iterator[Member]:
    start, number = -1, 0
    for match in _BEGIN.finditer(data):
        if start >= 0:
            number += 1
            yield _message(data, start, match.start(), number)
        start = match.end()
    yield _message(data, start, len(data), number + 1)


def _message(data: Bytes, start: int, end: int, number: int) -> Member:
    return Member(f"message-{number}.eml", partial(_pieces, data, start, end), "message/rfc822", size_bytes=end - start)


def _pieces(data: Bytes, start: int, end: int) -> Iterator[bytes]:
    """The bytes of a message, without the marks before lines of its own that begin with "From "."""
    held = b""
    for offset in range(start, end, PIECE_BYTES // 2):
        block = held + bytes(data[offset : min(end, offset + PIECE_BYTES // 2)])
        cut = block.rfind(b"\n") + 1 or len(block)
        yield _ESCAPED.sub(b"", block[:cut])
        held = block[cut:]
    if held:
        yield _ESCAPED.sub(b"", held)
