"""Outlook's messages: rings, lies and damage first, then what is read of sound ones."""

from __future__ import annotations

import io
import random
import struct
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import olefile
import pytest

from ingest.v1 import document_pb2
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.mail.compound_file import CompoundFault, CompoundFile
from ingest_server.handlers.mail.compressed_rtf import decompressed
from ingest_server.handlers.mail.rtf_body import rtf_text
from tests.unit.handlers.documents.archive_files import zip_of
from tests.unit.handlers.documents.conftest import Read
from tests.unit.handlers.documents.msg_files import (
    Tree,
    attachment,
    compound_file,
    compressed,
    message,
    properties,
    recipient,
    texts,
    ticks,
)

SUBJECT, SENDER, ADDRESS, BODY, HEADERS = 0x37, 0x0C1A, 0x5D01, 0x1000, 0x7D
FROM_HTML = (
    rb"{\rtf1\ansi\ansicpg1252\fromhtml1 \deff0{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 Arial;}}"
    rb"{\*\htmltag64 <h2>}\htmlrtf \b\htmlrtf0 Gr\'fc\'dfe{\*\htmltag72 </h2>}\htmlrtf \par\htmlrtf0"
    rb"{\*\htmltag64 <p>}{\f1 \'cf\'f0\'e8}\htmlrtf not shown\htmlrtf0  a {\*\htmltag84 &lt;}\htmlrtf <\htmlrtf0  b \u8364\'80"
    rb"{\*\mhtmltag64 <p>never}{\*\htmltag72 </p>}}"
)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of temporary files of the test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def plain(document: document_pb2.Document) -> list[str]:
    return [element.text.text for element in document.elements]


def sample(**more: bytes) -> bytes:
    """A small message with two attachments, one of which is a message."""
    inner = message({SUBJECT: "inner", BODY: "inner text"}, attachments=[attachment("deep.txt", b"deep")], embedded=True)
    tree = message(
        {SUBJECT: "outer", BODY: "outer text"},
        recipients=[recipient("A", "a@example.org")],
        attachments=[attachment("a.txt", b"attached " * 1000), attachment("Forwarded", inner)],
        streams=more,
    )
    return compound_file(tree)


def nested(depth: int) -> Tree:
    """Messages in each other."""
    tree = message({SUBJECT: "innermost"}, embedded=True)
    for number in range(depth):
        tree = message({SUBJECT: f"level {number}"}, attachments=[attachment("next", tree)], embedded=number < depth - 1)
    return tree


def test_messages_in_each_other_end_at_the_depth(read: Read) -> None:
    document, depth = read(compound_file(nested(12))), 1
    while document.documents:
        document, depth = document.documents[0], depth + 1
    assert depth == 5
    assert [issue.reason for issue in document.issues] == ["MEMBER_TOO_DEEP"]


def directory_of(data: bytes | bytearray) -> int:
    """Offset of the directory, whose entries have 128 bytes."""
    return (int.from_bytes(data[48:52], "little") + 1) * 512


def test_a_storage_that_holds_itself(read: Read) -> None:
    data = bytearray(sample())
    start = directory_of(data)
    names = [data[start + 128 * n : start + 128 * n + 64].decode("utf-16-le").rstrip("\0") for n in range(40)]
    inner, root_child = names.index("__substg1.0_3701000D"), data[start + 76 : start + 80]
    data[start + 128 * inner + 76 : start + 128 * inner + 80] = root_child  # its children are those of the root
    document = read(bytes(data))
    depth = 1
    while document.documents:
        document, depth = document.documents[-1], depth + 1
    assert depth <= 6


def test_siblings_in_a_ring_are_seen_once() -> None:
    data = bytearray(compound_file({"a": b"x", "b": b"y", "c": b"z"}))
    start = directory_of(data)
    for number in range(1, 4):
        struct.pack_into("<II", data, start + 128 * number + 68, 1, 2)
    assert (
        len(list(CompoundFile(io.BytesIO(data), lambda: None).children(CompoundFile(io.BytesIO(data), lambda: None)._entries[0])))
        <= 3
    )


def test_chains_in_a_ring_and_sizes_that_lie_end() -> None:
    data = bytearray(compound_file({"long": b"x" * 20_000}))
    fat = (struct.unpack_from("<I", data, 76)[0] + 1) * 512
    struct.pack_into("<I", data, fat, 0)  # the first sector of the stream is followed by itself
    file = CompoundFile(io.BytesIO(data), lambda: None)
    assert len(b"".join(file.root.pieces("long"))) == 20_000
    start = directory_of(data)
    for size, words in ((2**31, "claims"), (21_500, "missing|leads|cut off")):
        struct.pack_into("<Q", data, start + 128 + 120, size)
        struct.pack_into("<I", data, fat, 1)
        file = CompoundFile(io.BytesIO(data), lambda: None)
        with pytest.raises(CompoundFault, match=words):
            list(file.root.pieces("long"))


def test_a_table_of_small_sectors_in_a_ring_is_no_larger_than_what_it_tells_of() -> None:
    data = bytearray(compound_file({"small": b"s" * 3_000, "large": b"x" * 2_000_000}))
    fat = (int.from_bytes(data[76:80], "little") + 1) * 512
    table = int.from_bytes(data[60:64], "little")
    if table >= 128:  # its own entry lies in a later sector of the allocation table
        fat = (struct.unpack_from("<I", data, 76 + 4 * (table // 128))[0] + 1) * 512
    struct.pack_into("<I", data, fat + 4 * (table % 128), table)
    file = CompoundFile(io.BytesIO(data), lambda: None)
    assert len(file._mini_fat) <= 256
    assert b"".join(file.root.pieces("small")) == b"s" * 3_000


@pytest.mark.parametrize("field", [44, 48, 60, 68, 76])
@pytest.mark.parametrize("value", [0, 1, 0xFFFFFFF0, 0xFFFFFFFE])
def test_headers_that_point_anywhere(read: Read, field: int, value: int) -> None:
    data = bytearray(sample())
    struct.pack_into("<I", data, field, value)
    try:
        document = read(bytes(data), "application/vnd.ms-outlook")
    except HandlerFailure as failure:
        assert failure.reason == "DOCUMENT_MALFORMED"  # noqa: PT017  # either is right
    else:
        assert document.media_type == "application/vnd.ms-outlook"


def test_mutants_and_torn_files_give_a_document_or_a_clear_failure(read: Read, temporary: Path) -> None:
    chance = random.Random(11)
    original = sample(**{"__substg1.0_10090102": compressed(FROM_HTML)})
    failures: list[HandlerFailure] = []
    for _ in range(250):
        data = bytearray(original)
        for _ in range(chance.choice((1, 4, 30))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            read(bytes(data[: chance.choice((len(data), chance.randrange(512, len(data))))]), "application/vnd.ms-outlook")
        except HandlerFailure as failure:
            failures.append(failure)
    assert not any(failure.retryable for failure in failures)
    assert not list(temporary.iterdir())


def test_attachments_that_cannot_be_had_are_issues(read: Read) -> None:
    linked: Tree = {"__properties_version1.0": properties(8, {0x3705: (3, 2)}), **texts({0x3707: "far.doc"})}
    foreign: Tree = {"__properties_version1.0": properties(8), "__substg1.0_3701000D": {"CONTENTS": b"x"}}
    nothing: Tree = {"__properties_version1.0": properties(8), **texts({0x3704: "NONE.TXT"})}
    tree = message(
        {SUBJECT: "s"}, attachments=[linked, foreign, nothing, attachment("../../good.txt", b"good"), attachment("e", b"")]
    )
    document = read(compound_file(tree))
    assert [inner.name for inner in document.documents] == ["good.txt"]
    assert [issue.reason for issue in document.issues] == [
        "MEMBER_NOT_SUPPORTED",
        "MEMBER_NOT_SUPPORTED",
        "MEMBER_UNREADABLE",
        "MEMBER_EMPTY",
    ]
    assert '"far.doc"' in document.issues[0].message


def test_hostile_rtf_ends() -> None:
    for rtf in (
        b"{" * 200_000,
        b"}" * 200_000,
        rb"{\rtf1 " + rb"\u-1" * 100_000,
        rb"{\rtf1 \ansicpg99999999\f-5\uc-7 \u55357?\u56832? \u-10179\bin99999 text}",
        rb"{\rtf1{\fonttbl" + rb"\f1\fcharset204" * 50_000,
        b"\\" * 100_001,
        rb"{\rtf1\fromhtml1 {\*\htmltag " * 5_000,
    ):
        text, _ = rtf_text(rtf, lambda: None)
        text.encode()
    assert rtf_text(rb"{\rtf1 \u-10179?\u-8704?\par done}", lambda: None)[0].strip() == "😀\ndone"


def test_compressed_rtf_of_the_specification_and_damaged() -> None:
    # [MS-OXRTFCP] 3.1 and 3.2: an example, and one whose references reach into what they write.
    one = bytes.fromhex("2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0")
    assert decompressed(one, lambda: None) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    two = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")
    assert decompressed(two, lambda: None) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"
    assert decompressed(b"\x09\0\0\0\x05\0\0\0MELA\0\0\0\0helloxxx", lambda: None) == b"hello"
    assert decompressed(compressed(FROM_HTML), lambda: None) == FROM_HTML
    for broken in (b"", b"short", one[:8] + b"ABCD" + one[12:]):
        with pytest.raises(ValueError, match=r"header|type"):
            decompressed(broken, lambda: None)
    for length in range(16, len(one)):
        assert len(decompressed(one[:length], lambda: None)) <= 60
    bomb = struct.pack("<II4sI", 2**32 - 1, 2**32 - 1, b"LZFu", 0) + b"\xff" + b"\x00\x0f" * 50_000
    assert len(decompressed(bomb, lambda: None)) < 9 * len(bomb)


@pytest.mark.parametrize("shift", [9, 12])
def test_what_the_tests_write_another_reader_reads_too(shift: int) -> None:
    tree: Tree = {"small": b"s" * 100, "large": b"l" * 10_000_000, "folder": {"in": b"i" * 5000, "Empty": b""}}
    data = compound_file(tree, shift)
    file = CompoundFile(io.BytesIO(data), lambda: None)
    folder = file.root.storage("FOLDER")
    assert folder is not None
    with olefile.OleFileIO(io.BytesIO(data)) as other:
        for stream, storage in (("small", file.root), ("large", file.root), ("folder/in", folder), ("folder/Empty", folder)):
            assert b"".join(storage.pieces(stream.rpartition("/")[2])) == other.openstream(stream).read()


def test_header_people_and_time(read: Read) -> None:
    header = "Received: x\r\nReply-To: =?utf-8?q?R=C3=A9?= <r@example.org>\r\nDate: Mon, 1 Jan 2024 10:00:00 +0200\r\n\r\n"
    values = {SUBJECT: "\x01\x05RE: Grüße\r\naus 東京", SENDER: "Jörg", ADDRESS: "j@example.org", BODY: "text", HEADERS: header}
    people = [
        ("A", "a@example.org", 1),
        ("C", "c@example.org", 2),
        ("b@example.org", "b@example.org", 3),
        ("Ünal", "u@example.org", 1),
    ]
    tree = message(
        {**values, 0x1035: "<1@example.org>"},
        recipients=[recipient(*person) for person in people],
        fixed={0x39: (0x40, ticks(datetime(2024, 1, 1, 8, tzinfo=UTC)))},
    )
    document = read(compound_file(tree))
    assert (document.media_type, document.media_type_source) == ("application/vnd.ms-outlook", "content")
    assert (document.title, list(document.authors)) == ("RE: Grüße aus 東京", ["Jörg"])
    assert document.create_time.ToJsonString() == "2024-01-01T08:00:00Z"
    assert dict(document.properties) == {
        "from": "Jörg <j@example.org>",
        "to": "A <a@example.org>, Ünal <u@example.org>",
        "cc": "C <c@example.org>",
        "bcc": "b@example.org",
        "reply-to": "Ré <r@example.org>",
        "date": "Mon, 1 Jan 2024 10:00:00 +0200",
        "message-id": "<1@example.org>",
    }
    assert plain(document) == ["RE: Grüße aus 東京", "text"]


@pytest.mark.parametrize(
    ("streams", "expected"),
    [
        ({}, ["plain text"]),
        ({"__substg1.0_10130102": b"<p>h\xe4</p>"}, ["hä"]),
        ({"__substg1.0_1013001F": "<p>hä</p>".encode("utf-16-le")}, ["hä"]),
        ({"__substg1.0_10130102": b"<p> </p>"}, ["plain text"]),
        ({"__substg1.0_10090102": compressed(FROM_HTML)}, ["Grüße", "При a < b €"]),
        ({"__substg1.0_10090102": compressed(rb"{\rtf1 only rtf\par}")}, ["plain text"]),
        ({"__substg1.0_10090102": b"damaged"}, ["plain text"]),
    ],
)
def test_which_text_is_read(read: Read, streams: dict[str, bytes], expected: list[str]) -> None:
    tree = message({SUBJECT: "s", BODY: "plain text"}, streams=streams, fixed={0x3FDE: (3, 1252)})
    document = read(compound_file(tree))
    assert plain(document) == ["s", *expected]
    assert not document.issues


def test_rtf_is_read_where_there_is_nothing_else(read: Read) -> None:
    head = rb"{\rtf1\ansi{\fonttbl{\f0 Arial;}}{\*\generator x}{\info{\title t}}"
    rtf = head + rb"First \b bold\b0  \emdash  line.\par\par Second\tab x}"
    tree = message({SUBJECT: "s"}, streams={"__substg1.0_10090102": compressed(rtf)})
    assert plain(read(compound_file(tree))) == ["s", "First bold — line.", "Second\tx"]
    broken = read(compound_file(message({SUBJECT: "s"}, streams={"__substg1.0_10090102": b"x" * 40})))
    assert (plain(broken), [issue.reason for issue in broken.issues]) == (["s"], ["MEMBER_UNREADABLE"])


@pytest.mark.parametrize(
    ("page", "codec", "text"), [(1251, "cp1251", "Привет"), (932, "cp932", "日本語"), (65001, "utf-8", "é東")]
)
def test_texts_in_eight_bits_have_a_code_page(read: Read, page: int, codec: str, text: str) -> None:
    tree = message({SUBJECT: text, BODY: text}, fixed={0x3FFD: (3, page)}, codec=codec)
    assert plain(read(compound_file(tree))) == [text, text]


def test_a_signed_message_lies_inside_as_it_came(read: Read) -> None:
    head = b"Content-Type: multipart/signed; boundary=x\r\n\r\n"
    signed = head + b"--x\r\n\r\nsigned text\r\n--x\r\nContent-Type: application/pgp-signature\r\n\r\nAAAA\r\n--x--\r\n"
    tree = message({SUBJECT: "s"}, attachments=[attachment("", signed, "multipart/signed")])
    document = read(compound_file(tree))
    assert [(inner.name, plain(inner)) for inner in document.documents] == [("part-1.eml", ["signed text"])]
    assert not document.issues


def test_attachments_are_documents(read: Read, tmp_path: Path) -> None:
    inner = message({SUBJECT: "inner", BODY: "inner text"}, attachments=[attachment("deep.csv", b"a,b\n1,2")], embedded=True)
    large = b"\n\n".join(b"paragraph %d of much text" % number for number in range(400_000))
    tree = message(
        {SUBJECT: "outer", BODY: "outer text"},
        attachments=[
            attachment("Notiz.md", b"# Head", "text/plain"),
            attachment("Forwarded", inner),
            attachment("a.zip", zip_of({"in.txt": b"zipped"})),
            attachment("large.txt", large),
        ],
    )
    file = tmp_path / "large.msg"
    file.write_bytes(compound_file(tree))
    document = read(file)
    assert [inner.name for inner in document.documents] == ["Notiz.md", "Forwarded.msg", "a.zip", "large.txt"]
    _, forwarded, archive, text = document.documents
    assert (forwarded.title, forwarded.media_type, plain(forwarded)) == (
        "inner",
        "application/vnd.ms-outlook",
        ["inner", "inner text"],
    )
    assert forwarded.documents[0].elements[0].table.rows == 2
    assert archive.documents[0].name == "in.txt"
    assert len(text.elements) == 400_000
