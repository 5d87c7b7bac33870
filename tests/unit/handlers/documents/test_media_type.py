"""Which media type is decided, and by what."""

from __future__ import annotations

import pytest

from ingest_server.handlers.media_type import decide

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40
PDF = b"%PDF-1.7\n%\xe2\xe3"


@pytest.mark.parametrize(
    ("head", "declared", "name", "expected"),
    [
        # Strong signatures win over what is declared.
        (PDF, "text/plain", "a.txt", ("application/pdf", "content")),
        (b"junk before\n" + PDF, "", "", ("application/pdf", "content")),
        (PNG, "application/pdf", "a.pdf", ("image/png", "content")),
        (b"\n <!DOCTYPE html><p>Not found", "application/pdf", "a.pdf", ("text/html", "content")),
        (b"<!-- saved --><HTML><body>", "", "", ("text/html", "content")),
        ("\ufeff<html>".encode("utf-16"), "", "", ("text/html", "content")),
        (b'<?xml version="1.0"?><html xmlns="x">', "", "", ("text/html", "content")),
        (b"PK\x03\x04....word/document.xml", "", "", (
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "content")),
        (b"a.pdf".ljust(257, b"\0") + b"ustar\x0000" + bytes(247) + PDF, "", "a.pdf", ("application/x-tar", "content")),
        (b"a.pdf".ljust(257, b"\0") + b"ustar  \x00", "text/plain", "", ("application/x-tar", "content")),
        (b"PK\x03\x04" + bytes(30) + PDF, "application/x-zip-compressed", "", ("application/zip", "content")),
        (b"PK\x03\x04????", "text/plain", "a.txt", ("application/zip", "content")),
        # Then the declaration, then the name.
        (b"# Title\n", "text/markdown; charset=utf-8", "a.txt", ("text/markdown", "declared")),
        (b"# Title\n", "TEXT/X-Markdown", "", ("text/markdown", "declared")),
        (b"# Title\n", "application/octet-stream", "notes.MD", ("text/markdown", "name")),
        (b"damaged", "application/pdf", "", ("application/pdf", "declared")),
        (b"PK\x03\x04????", "application/zip", "x.epub", ("application/epub+zip", "name")),
        # Then what merely looks like text.
        (b"plain words", "", "", ("text/plain", "content")),
        (b'\xef\xbb\xbf {"a": 1}', "", "", ("application/json", "content")),
        (b'[\n  {"a": 1},\n  {"a": 2}\n]', "", "", ("application/json", "content")),
        (b'{"a": 1}\r\n{"a": 2}\n', "", "", ("application/jsonl", "content")),
        (b"[link]: {a}", "", "", ("text/plain", "content")),
        ("words".encode("utf-16-le"), "", "", ("text/plain", "content")),
        (b"caf\xe9", "", "README", ("text/plain", "content")),
        # Mails by their header: surely against what is declared, likely only if nothing is.
        (b"Received: from a\r\n by b\r\nFrom: a@b\r\n\r\nx", "text/plain", "a.txt", ("message/rfc822", "content")),
        (b"From: a@b\nTo: c@d\nSubject: x\n\ny", "", "", ("message/rfc822", "content")),
        (b"From: a@b\nTo: c@d\nSubject: x\n\ny", "", "memo.txt", ("text/plain", "name")),
        (b"From a@b Mon Jan 1 00:00:00 2024\nReceived: x\nDate: y\n\nz", "", "", ("application/mbox", "content")),
        (b"From a@b Mon Jan 1 00:00:00 2024\nReceived: x\nDate: y\n\nz", "", "a.eml", ("message/rfc822", "content")),
        (b"Note: plain words\nFrom here on", "", "", ("text/plain", "content")),
        (b"words", "", "a.eml", ("message/rfc822", "name")),
        # And nothing at all.
        (b"\x00\x01\x02\x03" * 30, "", "", ("", "")),
    ],
)  # fmt: skip
def test_decision(head: bytes, declared: str, name: str, expected: tuple[str, str]) -> None:
    decision = decide(head, declared, name)
    assert (decision.media_type, decision.source) == expected


def test_charset_is_taken_from_the_declaration() -> None:
    assert decide(b"x", 'text/plain; format=flowed; Charset="ISO-8859-2"', "").charset == "iso-8859-2"
