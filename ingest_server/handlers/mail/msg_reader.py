"""Reads Outlook's messages (MSG): subject, people, time, text; attachments as members, messages inside in place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import format_datetime
from functools import partial

from ingest.v1 import document_pb2
from ingest_server.handlers.elements import ElementBuilder
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.mail.about import add_subject, set_property, set_time
from ingest_server.handlers.mail.compound_file import CompoundFault, CompoundFile, Storage
from ingest_server.handlers.mail.headers import Headers
from ingest_server.handlers.mail.msg_body import add_body
from ingest_server.handlers.mail.msg_properties import (
    EMBEDDED_HEADER_BYTES,
    ITEM_HEADER_BYTES,
    OUTER_HEADER_BYTES,
    STREAM,
    Properties,
)
from ingest_server.handlers.members.assemble import assembled
from ingest_server.handlers.members.container import ContainerReader, Contents, malformed
from ingest_server.handlers.members.inline import read_members
from ingest_server.handlers.members.member import NOT_SUPPORTED, UNREADABLE, Member, MemberFault, faulty, label
from ingest_server.handlers.members.nesting import Nesting
from ingest_server.handlers.reader import ReadOptions
from ingest_server.handlers.source import Source

MEDIA_TYPE = "application/vnd.ms-outlook"
RECIPIENTS_MAX = 10_000

_SUBJECT, _HEADERS, _MESSAGE_ID, _IN_REPLY_TO = 0x0037, 0x007D, 0x1035, 0x1042
_SENT, _DELIVERED = 0x0039, 0x0E06
_SENDER_NAME, _SENDER_ADDRESSES = 0x0C1A, (0x5D01, 0x5D02, 0x0C1F)
_DISPLAYED = {"to": 0x0E04, "cc": 0x0E03, "bcc": 0x0E02}
_KIND, _NAME, _SMTP, _ADDRESS = 0x0C15, 0x3001, 0x39FE, 0x3003
_KINDS = {1: "to", 2: "cc", 3: "bcc"}
_METHOD, _DATA, _LONG_NAME, _SHORT_NAME, _TYPE = 0x3705, 0x3701, 0x3707, 0x3704, 0x370E
_RECIPIENT, _ATTACHMENT = "__recip_version1.0_#", "__attach_version1.0_#"
_LINKED = (2, 3, 4, 7)
"""Methods of attachments that are elsewhere."""


class MsgReader(ContainerReader):
    """Reads Outlook's messages."""

    media_types = (MEDIA_TYPE,)

    @contextmanager
    def open(self, source: Source, options: ReadOptions, context: Context) -> Iterator[Contents]:
        """Open it. See `ContainerReader.open`."""
        with source.open() as file:
            try:
                root = CompoundFile(file, context.check).root
                contents = _contents(Properties(root, OUTER_HEADER_BYTES), context, members_only=options.continued)
            except CompoundFault as fault:
                raise malformed(f"The Outlook message {fault}. Send the file anew.") from fault
            yield contents


def _contents(properties: Properties, context: Context, *, members_only: bool = False) -> Contents:
    """A message, the outer one or one inside it. Raises CompoundFault."""
    document = document_pb2.Document()
    if not members_only:
        _read_own(document, properties, context)
    storages = [name for name in properties.storage.names() if name.startswith(_ATTACHMENT)]
    return Contents(document, _members(properties, storages), len(storages))


def _read_own(document: document_pb2.Document, properties: Properties, context: Context) -> None:
    """Fill in what the message says itself."""
    document.title = _subject(properties)
    _describe(document, properties)
    builder = ElementBuilder(document)
    add_subject(document, builder)
    try:
        add_body(properties, builder, context)
    except (CompoundFault, ValueError, HandlerFailure) as fault:
        document.issues.add(reason=UNREADABLE, message=f"The text of the message could not be read: {fault}")


def _subject(properties: Properties) -> str:
    """The subject. A prefix such as "RE: " may be told by a mark and its length ([MS-OXMSG] 2.1.2 names the property only)."""
    subject = properties.text(_SUBJECT)
    return " ".join((subject[2:] if subject.startswith("\x01") else subject).split())


def _describe(document: document_pb2.Document, properties: Properties) -> None:
    """Set authors, time and properties: what the message itself says, or else the header it came with."""
    headers = Headers(properties.text(_HEADERS).replace("\r\n", "\n").encode())
    name = properties.line(_SENDER_NAME)
    address = next((found for tag in _SENDER_ADDRESSES if "@" in (found := properties.line(tag))), "")
    if name or address:
        document.authors.append(name or address)
    set_property(document, "from", _person(name, address) or headers.text("from"))
    people = _recipients(properties)
    for field, tag in _DISPLAYED.items():
        set_property(document, field, ", ".join(people[field]) or headers.text(field) or properties.line(tag))
    when = properties.time(_SENT) or properties.time(_DELIVERED)
    set_time(document, when)
    set_property(document, "reply-to", headers.text("reply-to"))
    set_property(document, "date", headers.text("date") or (format_datetime(when) if when else ""))
    set_property(document, "message-id", properties.line(_MESSAGE_ID) or headers.text("message-id"))
    set_property(document, "in-reply-to", properties.line(_IN_REPLY_TO) or headers.text("in-reply-to"))


def _recipients(properties: Properties) -> dict[str, list[str]]:
    """People by how the message went to them, in the order of the file."""
    people: dict[str, list[str]] = {field: [] for field in _DISPLAYED}
    storages = (name for name in properties.storage.names() if name.startswith(_RECIPIENT))
    for _, name in zip(range(RECIPIENTS_MAX), storages, strict=False):
        storage = properties.storage.storage(name)
        if storage is None:
            continue
        try:
            person = Properties(storage, ITEM_HEADER_BYTES, properties.codec)
        except CompoundFault:
            continue
        address = next((found for tag in (_SMTP, _ADDRESS) if "@" in (found := person.line(tag))), "")
        if told := _person(person.line(_NAME), address):
            people[_KINDS.get(person.number(_KIND), "to")].append(told)
    return people


def _person(name: str, address: str) -> str:
    return f"{name} <{address}>" if name and address and name != address else name or address


def _members(properties: Properties, storages: list[str]) -> Iterator[Member]:
    """The attachments. Raises nothing: what is damaged is a member that cannot be had."""
    for number, name in enumerate(storages, 1):
        storage = properties.storage.storage(name)
        try:
            if storage is not None:
                yield _member(Properties(storage, ITEM_HEADER_BYTES, properties.codec), number)
        except CompoundFault as fault:
            yield faulty(f"part-{number}", UNREADABLE, str(fault))


def _member(attachment: Properties, number: int) -> Member:
    shown = attachment.line(_LONG_NAME) or attachment.line(_SHORT_NAME) or attachment.line(_NAME)
    name = label(shown) or f"part-{number}"
    inner = attachment.inner(_DATA)
    if inner is not None and STREAM in inner:
        name = name if name.lower().endswith(".msg") else f"{name}.msg"
        read = partial(_read_inner, inner, attachment.codec)
        return Member(name, _no_pieces, MEDIA_TYPE, size_bytes=inner.streams_bytes, read=read)
    if attachment.has_bytes(_DATA):
        declared = attachment.line(_TYPE)
        if declared.lower().startswith("multipart/"):  # a signed message: all of it as it came
            name, declared = f"{name}.eml", "message/rfc822"
        return Member(name, partial(_pieces, attachment), declared, size_bytes=attachment.size_bytes(_DATA))
    if attachment.number(_METHOD) in _LINKED:
        return faulty(name, NOT_SUPPORTED, "is not in the message, which only tells where it is")
    if inner is not None:
        return faulty(name, NOT_SUPPORTED, "is an object of another program")
    return faulty(name, UNREADABLE, "has no content in the message")


def _pieces(attachment: Properties) -> Iterator[bytes]:
    try:
        yield from attachment.pieces(_DATA)
    except CompoundFault as fault:
        raise MemberFault(UNREADABLE, str(fault)) from fault


def _no_pieces() -> Iterator[bytes]:
    raise MemberFault(NOT_SUPPORTED, "is a message inside a message and has no bytes of its own")


def _read_inner(storage: Storage, codec: str, options: ReadOptions, context: Context) -> bytes:
    """Read a message inside a message, with what is attached to it."""
    nesting = (options.nesting or Nesting()).inside()
    nesting.take_bytes(storage.streams_bytes)  # one storage may be inside many others
    try:
        contents = _contents(Properties(storage, EMBEDDED_HEADER_BYTES, codec), context)
    except CompoundFault as fault:
        raise MemberFault(UNREADABLE, str(fault)) from fault
    about = document_pb2.Document(media_type=MEDIA_TYPE, media_type_source="content").SerializeToString()
    own = about + contents.own.SerializeToString()
    return assembled(own, read_members(contents.members, contents.count, options, context, nesting))
