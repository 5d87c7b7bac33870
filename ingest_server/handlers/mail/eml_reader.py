"""Reads messages as they travel (RFC 5322, MIME): EML files, and web pages saved with their pictures (MHTML)."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from mimetypes import MimeTypes

from ingest.v1 import document_pb2
from ingest_server.handlers.elements import ElementBuilder
from ingest_server.handlers.encoding import decode
from ingest_server.handlers.html import add_html
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.mail.about import add_subject, describe
from ingest_server.handlers.mail.charsets import meant
from ingest_server.handlers.mail.entity import MESSAGE_TYPES, Entity, Message
from ingest_server.handlers.mail.headers import Bytes
from ingest_server.handlers.mail.plain_body import add_plain_body
from ingest_server.handlers.mail.structure import Structure, arrange
from ingest_server.handlers.mail.transfer import decoded_pieces
from ingest_server.handlers.members.container import ContainerReader, Contents, malformed
from ingest_server.handlers.members.member import UNREADABLE, Member, label
from ingest_server.handlers.reader import ReadOptions
from ingest_server.handlers.source import Source

TEXT_BYTES_MAX = 64 * 1024 * 1024
"""Of one part that is read as text; more was not written by people."""
_UNCLOSED = re.compile(rb"<(style|head|script)\b(?!.*</\1).*|<!--(?!.*-->).*", re.DOTALL | re.IGNORECASE)
"""What hides all that follows, where its end lies beyond what is looked at."""
_INVISIBLE = re.compile(
    rb"<!--.*?-->|<(style|head|script)\b.*?</\1\s*>|<[^>]*>|&nbsp;|&#160;|\xc2\xa0|\s+", re.DOTALL | re.IGNORECASE
)
"""Both for a few kilobytes only: their time can grow with the square of the length."""
_SAMPLE_BYTES = 1024 * 1024
_BEGINNING_BYTES = 4 * 1024
"""Looked at first: most mails show something there."""
_EXTENSIONS = MimeTypes()
"""The table built into Python, so that all machines agree."""


class EmlReader(ContainerReader):
    """Reads messages."""

    media_types = ("message/rfc822",)

    @contextmanager
    def open(self, source: Source, options: ReadOptions, context: Context) -> Iterator[Contents]:
        """Open it: subject and text are its own content, attachments and inline pictures are members."""
        with opened(source) as data:
            message = Message(data, context.check)
            if not len(message.root.headers):
                raise malformed('The mail has no header: not one line such as "Subject: …" stands at its beginning.')
            parts = _Parts(data)
            structure = arrange(message.root, parts.has_content)
            document = document_pb2.Document()
            if not options.continued:
                describe(document, message.root.headers)
                parts.add_texts(document, structure, context)
            yield Contents(document, parts.members(structure), len(structure.attached))


@contextmanager
def opened(source: Source) -> Iterator[Bytes]:
    """The bytes of a source, in memory or as a map of its file."""
    if source.in_memory:
        yield source.data()
        return
    with source.open() as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        yield mapped
    finally:
        try:
            mapped.close()
        except BufferError:
            pass  # a search that an error broke off still holds it; it goes with that


class _Parts:
    """The parts of one message, decoded when they are asked for."""

    def __init__(self, data: Bytes) -> None:
        self._data = data

    def pieces(self, entity: Entity) -> Iterator[bytes]:
        """The bytes of a part."""
        return decoded_pieces(self._data, entity.start, entity.end, entity.transfer_encoding)

    def has_content(self, entity: Entity) -> bool:
        """Whether a text shows any. Looks at the first megabyte."""
        held = b""
        for piece in self.pieces(entity):
            held += piece
            if len(held) >= _SAMPLE_BYTES:
                return True
        if entity.media_type != "text/html":
            return bool(held.strip())
        beginning = held[: held.rfind(b">", 0, _BEGINNING_BYTES) + 1]
        if _INVISIBLE.sub(b"", _UNCLOSED.sub(b"", beginning)):
            return True
        builder = ElementBuilder(document_pb2.Document())
        try:
            add_html(self._decoded(entity, held), builder)
        except HandlerFailure:
            return False
        return builder.count > 0

    def _decoded(self, entity: Entity, data: bytes) -> str:
        return decode(data, meant(entity.content_type.parameters.get("charset", "")))[0]

    def add_texts(self, document: document_pb2.Document, structure: Structure, context: Context) -> None:
        """Add the subject and the texts; what cannot be read of them is an issue."""
        builder = ElementBuilder(document)
        add_subject(document, builder)
        for entity in structure.texts:
            context.check()
            try:
                self._add_text(entity, builder, context)
            except HandlerFailure as failure:
                document.issues.add(reason=UNREADABLE, message=f"A text of the mail: {failure.message}")
        for entity in structure.left_out:
            if entity.fault is not None:
                document.issues.add(reason=entity.fault[0], message=f"A part of the mail {entity.fault[1]}.")

    def _add_text(self, entity: Entity, builder: ElementBuilder, context: Context) -> None:
        data = bytearray()
        for piece in self.pieces(entity):
            data += piece
            if len(data) > TEXT_BYTES_MAX:
                raise malformed(f"it has more than {TEXT_BYTES_MAX:,} bytes.")
        parameters = entity.content_type.parameters
        text = self._decoded(entity, bytes(data))
        if entity.media_type == "text/html":
            add_html(text, builder)
            return
        flowed = parameters.get("format", "").lower() == "flowed"
        delete_space = parameters.get("delsp", "").lower() == "yes"
        add_plain_body(text, builder, context, flowed=flowed, delete_space=delete_space)

    def members(self, structure: Structure) -> Iterator[Member]:
        """What is attached, in order."""
        for number, entity in enumerate(structure.attached, 1):
            charset = meant(entity.content_type.parameters.get("charset", ""))
            declared = f"{entity.media_type}; charset={charset}" if charset else entity.media_type
            name = label(entity.filename) or _name(entity, number)
            # Encoded they are larger than what comes out.
            yield Member(name, partial(self.pieces, entity), declared, size_bytes=entity.end - entity.start)


def _name(entity: Entity, number: int) -> str:
    """A name for what the sender has not named."""
    if entity.media_type in MESSAGE_TYPES:
        return f"message-{number}.eml"
    return f"part-{number}{_EXTENSIONS.guess_extension(entity.media_type) or ''}"
