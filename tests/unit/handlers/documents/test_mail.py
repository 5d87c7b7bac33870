"""What is read of sound mails: every kind of multipart, charsets, encodings, names; mbox and saved web pages."""

from __future__ import annotations

import base64
import quopri
from email.header import Header
from email.message import EmailMessage
from pathlib import Path

import pytest

from ingest.v1 import document_pb2
from ingest.v1.document_pb2 import TEXT_ROLE_HEADING, TEXT_ROLE_LIST_ITEM, TEXT_ROLE_PARAGRAPH, TEXT_ROLE_QUOTE
from ingest_server.handlers.mail.about import author_of
from ingest_server.handlers.mail.headers import decoded_words, parse_value
from tests.unit.handlers.documents.archive_files import zip_of
from tests.unit.handlers.documents.conftest import Read
from tests.unit.handlers.documents.test_mail_hostile import HEADER, multipart

STYLED = b"<html><head><style>" + b"p{color:red} " * 1000 + b"</style></head>"
PLAIN, HTML = b"Content-Type: text/plain\r\n\r\n", b"Content-Type: text/html\r\n\r\n"


def texts(document: document_pb2.Document) -> list[str]:
    """Texts of all elements but the subject."""
    return [element.text.text for element in document.elements][1:]


def names(document: document_pb2.Document) -> list[str]:
    return [inner.name for inner in document.documents]


def sample() -> EmailMessage:
    """A mail as programs write it today."""
    mail = EmailMessage()
    mail["Subject"] = "Grüße aus 東京 mit einem Betreff, der länger als eine Zeile ist und deshalb gefaltet wird"
    mail["From"] = '"Müller, Jörg" <joerg@example.org>'
    mail["To"] = "a@example.org, Ünal <u@example.org>"
    mail["Cc"] = "c@example.org"
    mail["Date"] = "Mon, 01 Jan 2024 10:00:00 +0200"
    mail["Message-ID"] = "<1@example.org>"
    mail["In-Reply-To"] = "<0@example.org>"
    mail.set_content("plain text")
    mail.add_alternative("<h2>Über uns</h2><p>rich <b>text</b></p><ul><li>item</li></ul>", subtype="html")
    return mail


def test_header_fields_are_told(read: Read) -> None:
    document = read(sample().as_bytes())
    assert (document.media_type, document.media_type_source) == ("message/rfc822", "content")
    assert document.title == "Grüße aus 東京 mit einem Betreff, der länger als eine Zeile ist und deshalb gefaltet wird"
    assert document.elements[0].text.text == document.title
    assert (document.elements[0].text.role, document.elements[0].heading_level) == (TEXT_ROLE_HEADING, 1)
    assert list(document.authors) == ["Müller, Jörg"]
    assert dict(document.properties) == {
        "from": "Müller, Jörg <joerg@example.org>",
        "to": "a@example.org, Ünal <u@example.org>",
        "cc": "c@example.org",
        "date": "Mon, 01 Jan 2024 10:00:00 +0200",
        "message-id": "<1@example.org>",
        "in-reply-to": "<0@example.org>",
    }
    assert document.create_time.ToJsonString() == "2024-01-01T08:00:00Z"


def test_of_alternatives_html_with_content_is_read(read: Read) -> None:
    document = read(sample().as_bytes())
    assert [(element.text.text, element.text.role) for element in document.elements][1:] == [
        ("Über uns", TEXT_ROLE_HEADING),
        ("rich text", TEXT_ROLE_PARAGRAPH),
        ("item", TEXT_ROLE_LIST_ITEM),
    ]
    assert [element.id for element in document.elements] == ["e1", "e2", "e3", "e4"]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((PLAIN + b"plain", HTML + b"<p>rich</p>"), ["rich"]),
        ((HTML + b"<p>rich</p>", PLAIN + b"plain"), ["rich"]),
        ((PLAIN + b"plain", HTML + b"<html><head><style>p{}</style></head><body>&nbsp;<br></body></html>"), ["plain"]),
        (
            (PLAIN + b"plain", HTML + b"<html><head><style>" + b"p{color:red} " * 1000 + b"</style></head><body> </body>"),
            ["plain"],
        ),
        ((PLAIN + b"plain", HTML + b"<html><head><style>" + b"p{color:red} " * 1000 + b"</style></head><body>x</body>"), ["x"]),
        ((PLAIN + b"plain", HTML + b"<!-- " + b"hidden <b> " * 1000 + b"-->"), ["plain"]),
        ((PLAIN + b"plain", HTML), ["plain"]),
        ((PLAIN + b"plain", b"Content-Type: text/x-unknown\r\n\r\nodd"), ["plain"]),
        ((PLAIN + b"", HTML + b""), []),
        ((PLAIN + b"plain", multipart(b"r", HTML + b"<p>related", kind=b"related")), ["related"]),
        ((PLAIN + b"plain", multipart(b"m", HTML + b"<p>one", PLAIN + b"two")), ["one", "two"]),
    ],
)
def test_alternatives(read: Read, parts: tuple[bytes, ...], expected: list[str]) -> None:
    document = read(HEADER + multipart(b"alt", *parts, kind=b"alternative"))
    assert (texts(document), names(document), list(document.issues)) == (expected, [], [])


def test_an_attachment_within_an_alternative_is_kept(read: Read) -> None:
    attached = b"Content-Type: text/csv; name=t.csv\r\nContent-Disposition: attachment\r\n\r\na,b\r\n1,2"
    parts = (PLAIN + b"plain", multipart(b"m", HTML + b"<p>rich", attached))
    document = read(HEADER + multipart(b"alt", *parts, kind=b"alternative"))
    assert texts(document) == ["rich"]
    assert names(document) == ["t.csv"]
    assert document.documents[0].elements[0].table.rows == 2


def test_related_signed_report_and_digest(read: Read) -> None:
    picture = b'Content-Type: image/gif; name="logo.gif"\r\nContent-ID: <logo>\r\n\r\nGIF89a'
    document = read(HEADER + multipart(b"x", HTML + b"<p>page", picture, kind=b"related"))
    assert texts(document) == ["page"]
    assert document.issues[0].message.startswith('"logo.gif"')
    started = multipart(b"x", picture, b"Content-ID: <r>\r\n" + HTML + b"<p>root", kind=b"related")
    assert texts(read(HEADER + started.replace(b"related;", b'related; start="<r>";'))) == ["root"]
    signature = b"Content-Type: application/pgp-signature; name=s.asc\r\n\r\n-----BEGIN PGP SIGNATURE-----"
    document = read(HEADER + multipart(b"x", PLAIN + b"signed text", signature, kind=b"signed"))
    assert (texts(document), names(document), list(document.issues)) == (["signed text"], [], [])
    status = b"Content-Type: message/delivery-status\r\n\r\nAction: failed\r\nStatus: 5.1.1"
    returned = b"Content-Type: message/rfc822\r\n\r\nSubject: returned\r\n\r\noriginal"
    document = read(HEADER + multipart(b"x", PLAIN + b"not delivered", status, returned, kind=b"report"))
    assert texts(document) == ["not delivered", "Action: failed\nStatus: 5.1.1"]
    assert document.documents[0].title == "returned"
    digest = multipart(b"x", b"\r\nSubject: one\r\n\r\nfirst", b"\r\nSubject: two\r\n\r\nsecond", kind=b"digest")
    assert [inner.title for inner in read(HEADER + digest).documents] == ["one", "two"]


def test_attachments_are_documents_with_their_own_readers(read: Read) -> None:
    mail = sample()
    mail.add_attachment("# Überschrift\n".encode(), maintype="application", subtype="octet-stream", filename="Notiz Ä.md")
    mail.add_attachment(zip_of({"in/side.txt": b"zipped"}), maintype="application", subtype="zip", filename="a.zip")
    forwarded = EmailMessage()
    forwarded["Subject"], forwarded["From"] = "forwarded", "f@example.org"
    forwarded.set_content("inner text")
    forwarded.add_attachment(b"x,y\n", maintype="text", subtype="csv", filename="deep.csv")
    mail.add_attachment(forwarded)
    document = read(mail.as_bytes())
    assert names(document) == ["Notiz Ä.md", "a.zip", "message-3.eml"]
    notes, archive, message = document.documents
    assert (notes.media_type, notes.elements[0].heading_level) == ("text/markdown", 1)
    assert names(archive) == ["in/side.txt"]
    assert (message.title, texts(message), names(message)) == ("forwarded", ["inner text"], ["deep.csv"])


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("iso-8859-1", "Grüße und Küsse"),
        ("windows-1252", "Grüße – “so” kostet €5"),
        ("iso-8859-15", "kostet €5"),
        ("iso-8859-2", "Příliš žluťoučký kůň"),
        ("koi8-r", "Съешь же ещё этих мягких булок"),
        ("windows-1251", "Съешь же ещё этих мягких булок"),
        ("iso-2022-jp", "これは日本語です"),
        ("shift_jis", "これは日本語です①"),
        ("euc-jp", "これは日本語です"),
        ("gb2312", "这是中文"),
        ("gb18030", "這是中文𠀀"),
        ("big5", "這是中文"),
        ("euc-kr", "한국어 문장"),
        ("iso-8859-8-i", "שלום עולם"),
        ("windows-1256", "مرحبا بالعالم"),
        ("utf-8", "alles 東京 🎉"),
        ("utf-7", "Grüße"),
        ("utf-16", "Grüße"),
    ],
)
@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "8bit"])
def test_charsets_in_text_and_subject(read: Read, charset: str, text: str, encoding: str) -> None:
    codec = {"iso-8859-8-i": "iso-8859-8", "shift_jis": "cp932"}.get(charset, charset)
    data = text.encode(codec)
    if encoding == "8bit" and charset == "utf-16":
        pytest.skip("UTF-16 does not travel as lines")
    body = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(encoding, bytes)(data)
    word = f"=?{charset}?B?{base64.b64encode(data).decode()}?="
    head = f"From: a@b\r\nMIME-Version: 1.0\r\nSubject: {word}\r\nContent-Type: text/plain; charset={charset}\r\n"
    document = read(head.encode() + f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body)
    assert document.title == text
    assert texts(document) == [text]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("=?utf-8?q?a_b?= =?utf-8?q?c?=", "a bc"),
        ("=?utf-8?q?=C3?=\t=?utf-8?q?=A9?=", "é"),
        ("=?utf-8?b?w6k=?= plain =?iso-8859-1?q?=E9?=", "é plain é"),
        ("=?utf-8?q?a?= =?iso-8859-1?q?=E9?=", "aé"),
        ("before =?utf-8*de?q?x?= after", "before x after"),
        ("=?utf-8?b?!!?=x", "x"),
        ("no =? words ?=", "no =? words ?="),
        (str(Header("Ünïcödé " * 20, "utf-8").encode()), "Ünïcödé " * 20),
    ],
)
def test_encoded_words(written: str, meant: str) -> None:
    assert decoded_words(written.replace("\n", "")).rstrip() == meant.rstrip()


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ('attachment; filename="plain.txt"', "plain.txt"),
        ("attachment; filename=bare.txt ; size=3", "bare.txt"),
        ("attachment; filename*=utf-8'de'Gr%C3%BC%C3%9Fe.txt", "Grüße.txt"),
        ("attachment; filename*0*=iso-8859-1''Gr%FC; filename*1*=%DFe; filename*2=.txt", "Grüße.txt"),
        ('attachment; filename="=?utf-8?b?R3LDvMOfZS50eHQ=?="', "Grüße.txt"),
        ('attachment; filename="a;b\\"c.txt"', 'a;b"c.txt'),
        ("attachment; FILENAME*1=b.txt; FILENAME*0=a", "ab.txt"),
    ],
)
def test_names_of_attachments(field: str, name: str) -> None:
    assert parse_value(field).parameters["filename"] == name


def test_flowed_text_and_quotations(read: Read) -> None:
    body = b"This line goes \r\non in the next.\r\n\r\n> quoted \r\n> further\r\n>> deeper\r\n\r\n-- \r\nsignature"
    head = HEADER + b"Content-Type: text/plain; format=flowed\r\n\r\n"
    document = read(head + body)
    assert texts(document) == ["This line goes on in the next.", "quoted further\ndeeper", "-- \nsignature"]
    assert document.elements[2].text.role == TEXT_ROLE_QUOTE
    deleted = read(head.replace(b"flowed", b"flowed; delsp=yes") + "東 \r\n京".encode())
    assert texts(deleted) == ["東京"]


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
def test_line_ends_and_a_line_before_the_header(read: Read, line_end: bytes) -> None:
    data = (HEADER + multipart(b"x", PLAIN + b"one", PLAIN + b"two")).replace(b"\r\n", line_end)
    assert texts(read(data)) == ["one", "two"]
    assert texts(read(b">From a@b Mon Jan 1 00:00:00 2024" + line_end + data)) == ["one", "two"]


def test_mbox(read: Read) -> None:
    first = b"From a@b Mon Jan  1 00:00:00 2024\nSubject: one\nMessage-ID: <1@b>\nFrom: a@b\n\nbody\n>From here\n>>From there\n\n"
    second = b"From c@d Tue Jan  2 00:00:00 2024\nSubject: two\n\nFrom the text, not a new one\n"
    document = read(first + second)
    assert (document.media_type, document.media_type_source) == ("application/mbox", "content")
    assert names(document) == ["message-1.eml", "message-2.eml"]
    assert [inner.title for inner in document.documents] == ["one", "two"]
    assert texts(document.documents[0]) == ["body\nFrom here", "From there"]
    assert document.documents[0].elements[2].text.role == TEXT_ROLE_QUOTE
    assert texts(document.documents[1]) == ["From the text, not a new one"]


def test_a_saved_web_page(read: Read) -> None:
    head = b"From: <Saved by a browser>\r\nSubject: Page\r\nDate: Mon, 1 Jan 2024 00:00:00 -0000\r\nMIME-Version: 1.0\r\n"
    page = b"Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<h1>Saved=\r\n page</h1>"
    document = read(head + multipart(b"----Boundary--1", page, kind=b"related"), "", "page.mhtml")
    assert texts(document) == ["Saved page"]


@pytest.mark.parametrize(
    ("sender", "author"),
    [
        ('"Müller, Jörg" <j@b>', "Müller, Jörg"),
        ("Jane Roe <j@b>", "Jane Roe"),
        ("=?utf-8?q?J=C3=B6rg?= <j@b>, other@b", "Jörg"),
        ("j@b", "j@b"),
        ("<j@b>", "<j@b>"),
        ("", ""),
        ('"un"quoted" <j@b>', 'un"quoted" <j@b>'),
    ],
)
def test_authors(sender: str, author: str) -> None:
    assert author_of(sender) == author


def test_large_mails_are_read_from_their_file(read: Read, tmp_path: Path) -> None:
    lines = base64.encodebytes(b"\n\n".join(b"paragraph %d of a long text" % number for number in range(300_000)))
    part = b'Content-Type: text/plain; name="long.txt"\r\nContent-Transfer-Encoding: base64\r\n\r\n' + lines
    file = tmp_path / "large.eml"
    file.write_bytes(HEADER + multipart(b"x", PLAIN + b"see below", part))
    document = read(file)
    assert texts(document) == ["see below"]
    assert len(document.documents[0].elements) == 300_000
