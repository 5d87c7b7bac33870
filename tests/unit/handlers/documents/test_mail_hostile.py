"""Mails that lie, that have no end, and that are none."""

from __future__ import annotations

import random
import tempfile
from email.message import EmailMessage
from pathlib import Path

import pytest

from ingest.v1 import document_pb2
from ingest_server.handlers.extract import extract
from ingest_server.handlers.extract_options import ExtractOptions
from ingest_server.handlers.interface import Cancelled, HandlerFailure
from ingest_server.handlers.mail.headers import Headers, decoded_words, parse_value
from ingest_server.handlers.mail_signature import mail_type
from tests.unit.handlers.documents.archive_files import zip_of
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput, Read

HEADER = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: Hello\r\nMIME-Version: 1.0\r\n"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of temporary files of the test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def text(document: document_pb2.Document) -> str:
    return "\n".join(element.text.text for element in document.elements)


def multipart(boundary: bytes, *parts: bytes, kind: bytes = b"mixed") -> bytes:
    """Header and body of a multipart."""
    head = b'Content-Type: multipart/%s; boundary="%s"\r\n\r\n' % (kind, boundary)
    return head + b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts) + b"--%s--\r\n" % boundary


def test_multiparts_without_end_in_each_other(read: Read) -> None:
    inner = b"Content-Type: text/plain\r\n\r\nthe innermost"
    for number in range(200):
        inner = multipart(b"b%d" % number, inner)
    document = read(HEADER + inner)
    assert [issue.reason for issue in document.issues] == ["MEMBER_TOO_DEEP"]
    assert text(document) == "Hello"


def test_messages_without_end_in_each_other(read: Read) -> None:
    inner = HEADER + b"\r\nthe innermost"
    for number in range(50):
        inner = HEADER + multipart(b"m%d" % number, b"\r\nnote %d" % number, b"Content-Type: message/rfc822\r\n\r\n" + inner)
    document, depth = read(inner), 1
    while document.documents:
        document, depth = document.documents[0], depth + 1
    assert depth == 5
    assert [issue.reason for issue in document.issues] == ["MEMBER_TOO_DEEP"]


def test_archives_and_mails_share_one_depth_and_one_account(read: Read) -> None:
    inner = HEADER + b"\r\nthe innermost"
    for _ in range(3):
        mail = EmailMessage()
        mail["Subject"] = "zipped"
        mail["From"] = "a@example.org"
        mail["Message-ID"] = "<1@example.org>"
        mail.add_attachment(zip_of({"mail.eml": inner}), maintype="application", subtype="zip", filename="m.zip")
        inner = mail.as_bytes()
    document, depth = read(inner), 1
    while document.documents:
        document, depth = document.documents[0], depth + 1
    assert depth == 5
    assert [issue.reason for issue in document.issues] == ["MEMBER_TOO_DEEP"]


def test_parts_without_end(read: Read, tmp_path: Path) -> None:
    file = tmp_path / "many.eml"
    file.write_bytes(HEADER + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\na\r\n" * 300_000)
    document = read(file)
    assert [issue.reason for issue in document.issues] == ["MEMBER_UNREADABLE"]
    assert "10,000 parts" in document.issues[0].message
    assert len(document.elements) == 10_000


@pytest.mark.parametrize(
    "header",
    [
        b"X-Long: " + b"a" * 20_000_000 + b"\r\n",
        b"".join(b"X-%d: a\r\n" % number for number in range(300_000)),
        b"X-Folded: a\r\n" + b" b\r\n" * 1_000_000,
        b"Subject: " + b"=?utf-8?q?=41?= " * 200_000 + b"\r\n",
        b"Content-Type: text/plain" + b'; a="' * 1_000_000 + b"\r\n",
        b"Content-Type: text/plain" + b"; name*1*=a" * 500_000 + b"\r\n",
        b"From: " + b"(" * 500_000 + b"\r\n",
        b"From: " + b'"' * 500_001 + b"\r\n",
        b"From: " + b"a@b," * 300_000 + b"\r\n",
        b"Date: " + b"1 " * 500_000 + b"\r\n",
        b"Date: Mon, 99 Foo 99999999999 99:99:99 +9999\r\n",
        b'Content-Type: multipart/mixed; boundary="' + b"(a+)+$" * 1000 + b'"\r\n',
        b"Content-Type: multipart/mixed\r\n",
        b"Content-Type: \xff\xfe/\x00; boundary\r\n",
    ],
    ids=lambda header: header[:24],
)
def test_headers_that_are_long_or_wrong(read: Read, tmp_path: Path, header: bytes) -> None:
    file = tmp_path / "long.eml"
    file.write_bytes(b"MIME-Version: 1.0\r\nMessage-ID: <1@example.org>\r\n" + header + b"\r\nthe body")
    document = read(file, "message/rfc822")
    assert "the body" in text(document)
    assert document.ByteSize() < 25_000_000


@pytest.mark.parametrize("repeated", [b"<style>", b"<!--", b"<", b"<head", b"<style></style ", b"<script", b"&nbsp;", b"<p><"])
def test_html_whose_end_is_nowhere_takes_no_square_of_time(read: Read, repeated: bytes) -> None:
    html = b"Content-Type: text/html\r\n\r\n" + repeated * (900_000 // len(repeated))
    document = read(HEADER + multipart(b"x", b"Content-Type: text/plain\r\n\r\nplain", html, kind=b"alternative"))
    assert document.title == "Hello"


@pytest.mark.parametrize("charset", ["idna", "zlib", "undefined", "unicode_escape", "rot13", "x" * 500, "utf-7", "\x00", "mbcs"])
def test_charsets_that_are_none(read: Read, charset: str) -> None:
    head = HEADER + f'Content-Type: text/plain; charset="{charset}"\r\n\r\n'.encode("latin-1")
    assert text(read(head + "Grüße \\x41".encode(), "message/rfc822")).startswith("Hello\nGrüße \\x41"[:6])
    assert decoded_words(f"=?{charset}?q?caf=C3=A9?=")


@pytest.mark.parametrize(
    ("encoding", "body", "expected"),
    [
        ("base64", b"!!!!", ""),
        ("base64", b"aGVsbG8", "hello"),
        ("base64", b"aGVs\r\nbG8=\r\nIHdv cmxk", "hello world"),
        ("base64", b"a", ""),
        ("base64", b"====", ""),
        ("quoted-printable", b"a=ZZb=\r\nc=", "a=ZZbc"),
        ("quoted-printable", b"trailing   \r\nblanks", "trailing\r\nblanks"),
        ("quoted-printable", b"a" + b" " * 500_000 + b"b", "a b"),
        ("x-uuencode", b"begin 644 a\n%:&5L;&\\\nend\n", "hello"),
        ("x-uuencode", b"\xff\xfe\nnoise of all kinds\n", None),
        ("unknown", b"as it is", "as it is"),
    ],
)
def test_transfer_encodings_that_are_damaged(read: Read, encoding: str, body: bytes, expected: str | None) -> None:
    document = read(HEADER + f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body)
    if expected is not None:
        assert " ".join(text(document).split()) == " ".join(f"Hello {expected}".split())


def test_a_binary_called_text_is_an_issue_and_its_attachments_are_kept(read: Read) -> None:
    document = read(
        HEADER
        + multipart(
            b"x",
            b"Content-Type: text/plain\r\n\r\n" + bytes(range(1, 9)) * 50,
            b"Content-Type: text/plain; name=a.txt\r\n\r\nkept",
        )
    )
    assert [issue.reason for issue in document.issues] == ["MEMBER_UNREADABLE"]
    assert [text(inner) for inner in document.documents] == ["kept"]


def test_what_only_looks_like_a_boundary_divides_nothing(read: Read) -> None:
    body = b"\r\n--x1\r\n--X\r\n --x\r\n--x y\r\na--x\r\n--xx--"
    document = read(HEADER + multipart(b"x", body))
    assert len(document.elements) == 2
    assert "--x y" in text(document)


def test_the_first_of_a_field_counts() -> None:
    headers = Headers(b"Subject: first\nSUBJECT: second\n")
    assert headers.text("subject") == "first"


def test_names_cannot_lead_anywhere(read: Read) -> None:
    part = b'Content-Disposition: attachment; filename="../../etc/\x1b[31mpasswd.txt"\r\n\r\nroot'
    assert [inner.name for inner in read(HEADER + multipart(b"x", part)).documents] == ["etc/[31mpasswd.txt"]


def test_a_mail_cut_off_anywhere_is_read_as_far_as_it_goes(read: Read) -> None:
    whole = HEADER + multipart(
        b"x",
        b"Content-Type: text/plain\r\n\r\nthe text",
        b"Content-Type: text/html; name=a.html\r\nContent-Transfer-Encoding: base64\r\n\r\nPHA+YXR0YWNoZWQ8L3A+",
    )
    for length in range(len(HEADER), len(whole), 3):
        document = read(whole[:length], "message/rfc822")
        assert document.title == "Hello"


def test_mutants_give_a_document_or_a_clear_failure(read: Read, temporary: Path) -> None:
    chance = random.Random(7)
    failures: list[HandlerFailure] = []
    original = HEADER + multipart(
        b"x",
        multipart(
            b"y",
            b"Content-Type: text/plain; format=flowed\r\n\r\n> a \r\nb",
            b"Content-Type: text/html\r\n\r\n<p>c",
            kind=b"alternative",
        ),
        b"Content-Disposition: attachment; filename*0*=utf-8''a%20; filename*1=b.txt\r\n\r\n=?utf-8?b?w6k=?=",
    )
    for _ in range(400):
        data = bytearray(original)
        for _ in range(chance.choice((1, 2, 8))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            read(bytes(data[: chance.choice((len(data), chance.randrange(1, len(data))))]), "message/rfc822")
        except HandlerFailure as failure:
            failures.append(failure)
    assert not any(failure.retryable for failure in failures)
    assert not list(temporary.iterdir())


def test_what_is_no_mail_is_refused_or_never_taken_for_one(read: Read) -> None:
    with pytest.raises(HandlerFailure, match="no header"):
        read(b"just words\n\nand more", "message/rfc822")
    with pytest.raises(HandlerFailure, match="mbox"):
        read(b"just words\n\nand more", "application/mbox")
    for other in (
        b"Note: this is text\nSubject: to change\n\nFrom here on",
        b"From: the beginning\n\nof time",
        b"From time to time it rains.\nTo: nobody",
        b"Subject: a\nDate: b\nno field here\nFrom: c\nTo: d\n",
        b"Content-Type: text/html\nDate: Mon\nServer: x\n\n",
        b"title: front matter\ndate: today\n",
        b"MIME-Version: 1.0\n\nonly one of them",
    ):
        assert mail_type(other)[0] == "", other
        assert read(other).media_type == "text/plain"


def test_cancel_is_seen() -> None:
    data = HEADER + multipart(b"x", *[b"\r\npart %d" % number for number in range(50)])
    with pytest.raises(Cancelled):
        extract(FakeContext(FakeInput(data), cancel_after=20), ExtractOptions())


def test_parameters_that_are_put_together_wrongly() -> None:
    value = parse_value('a/b; name*=nothing; x*0=a; x*2*=%zz; x*1*=%41; =; ; y="a\\"b; z=1"; w')
    assert value.first == "a/b"
    assert value.parameters["name"] == "nothing"
    assert value.parameters["x"] == "aA%zz"
    assert value.parameters["y"] == 'a"b; z=1'
