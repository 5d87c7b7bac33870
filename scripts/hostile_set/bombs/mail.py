"""Mail that is nested, endless, or never closed."""

from __future__ import annotations

import base64

from scripts.hostile_set.bombs.compression import flat_member
from scripts.hostile_set.bombs.registered import bomb
from scripts.hostile_set.bombs.tables import ole_circle

GROUP = "mail"
MIB = 1024 * 1024
HEAD = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: words\r\nMIME-Version: 1.0\r\n"


@bomb(GROUP, "multiparts.eml")
def _nested_multiparts() -> bytes:
    """Ten thousand multiparts within each other, each with a boundary of its own."""
    begin = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(10_000))
    return HEAD + begin + b"Content-Type: text/plain\r\n\r\nwords\r\n"


@bomb(GROUP, "closed.eml")
def _nested_and_closed() -> bytes:
    """The same, properly closed."""
    end = b"".join(b"\r\n--b%d--" % level for level in reversed(range(2_000)))
    begin = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(2_000))
    return HEAD + begin + b"Content-Type: text/plain\r\n\r\nwords" + end + b"\r\n"


@bomb(GROUP, "messages.eml")
def _nested_messages() -> bytes:
    """Ten thousand messages, each attached to the one before."""
    return (HEAD + b"Content-Type: message/rfc822\r\n\r\n") * 10_000 + HEAD + b"\r\nwords\r\n"


@bomb(GROUP, "parts.eml", heavy=True)
def _many_parts() -> bytes:
    """Two hundred thousand parts."""
    part = b"--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nw\r\n"
    return HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 200_000 + b"--b--\r\n"


@bomb(GROUP, "boundaries.eml", heavy=True)
def _nearly_boundaries() -> bytes:
    """A million lines that begin like a boundary."""
    return HEAD + b"Content-Type: multipart/mixed; boundary=" + b"b" * 60 + b"\r\n\r\n" + (b"--" + b"b" * 59 + b"\r\n") * 500_000


@bomb(GROUP, "header.eml")
def _long_header() -> bytes:
    """A header line of thirty megabytes."""
    return b"Subject: " + b"w" * (30 * MIB) + b"\r\n" + HEAD + b"\r\nwords\r\n"


@bomb(GROUP, "headers.eml")
def _many_headers() -> bytes:
    """Three hundred thousand headers, folded."""
    return b"X-A: words\r\n words\r\n" * 300_000 + HEAD + b"\r\nwords\r\n"


@bomb(GROUP, "words.eml")
def _encoded_words() -> bytes:
    """A subject of a hundred thousand encoded words, in encodings that there are not."""
    return b"Subject: " + b"=?x-none?B?d29yZHM=?=\r\n =?utf-8?Q?=FF=FE?=\r\n " * 50_000 + b"w\r\n" + HEAD + b"\r\nwords\r\n"


@bomb(GROUP, "addresses.eml")
def _addresses() -> bytes:
    """Two hundred thousand brackets, quotes and comments where addresses are expected."""
    return b'To: "' + b"((((<<<<" * 50_000 + b"\r\nFrom: " + b"<a@b>," * 100_000 + b"\r\n" + HEAD + b"\r\nwords\r\n"


@bomb(GROUP, "parameters.eml")
def _parameters() -> bytes:
    """A hundred thousand pieces of one parameter, out of order."""
    pieces = b"".join(b";\r\n name*%d*=utf-8''w" % (100_000 - number) for number in range(100_000))
    return HEAD + b"Content-Type: text/plain" + pieces + b"\r\n\r\nwords\r\n"


@bomb(GROUP, "base64.eml", heavy=True)
def _bad_base64() -> bytes:
    """Thirty megabytes that are nearly base64."""
    body = b"=A=" * (10 * MIB)
    return HEAD + b"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body


@bomb(GROUP, "quoted.eml")
def _soft_line_ends() -> bytes:
    """Ten million soft line ends."""
    return (
        HEAD
        + b"Content-Type: text/plain; charset=utf-7\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        + b"=\r\n" * 5_000_000
    )


@bomb(GROUP, "attached.eml")
def _attached_bombs() -> bytes:
    """Sixteen ZIP bombs as attachments, and the mail's own text."""
    packed = base64.encodebytes(flat_member("zeros.txt", 64 * MIB))
    part = b"--b\r\nContent-Type: application/zip; name=a.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n" + packed
    text = b"--b\r\nContent-Type: text/plain\r\n\r\nwords\r\n"
    return HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + text + part * 16 + b"--b--\r\n"


@bomb(GROUP, "many.mbox", heavy=True)
def _many_messages() -> bytes:
    """Fifty thousand messages in a box."""
    return (b"From a@example.org Thu Jan  1 00:00:00 2026\n" + HEAD.replace(b"\r", b"") + b"\nwords\n\n") * 50_000


@bomb(GROUP, "circle.msg")
def _outlook_circle() -> bytes:
    """A message of Outlook whose container leads to itself."""
    return ole_circle()


@bomb(GROUP, "page.mhtml", heavy=True)
def _saved_page() -> bytes:
    """A saved page whose parts refer to each other, a hundred thousand times."""
    head = HEAD + b'Content-Type: multipart/related; type="text/html"; boundary=b\r\n\r\n'
    part = b"--b\r\nContent-Type: text/html\r\nContent-Location: cid:%d\r\n\r\n<html><body><iframe src='cid:%d'>words\r\n"
    return head + b"".join(part % (number, number + 1) for number in range(100_000)) + b"--b--\r\n"


@bomb(GROUP, "outside.eml")
def _attached_outside() -> bytes:
    """Attachments whose names lead out of any folder, and a body that lies elsewhere."""
    names = (b"../../../tmp/ingest-escaped.txt", b"/tmp/ingest-escaped.txt", b"a\\r\\nX: y.txt", b"=?utf-8?B?Li4vLi4vYQ==?=")
    parts = b"".join(
        b'--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename="%b"\r\n\r\nwords\r\n' % name
        for name in names
    )
    away = b'--b\r\nContent-Type: message/external-body; access-type=local-file; name="/etc/passwd"\r\n\r\n\r\n'
    return HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + parts + away + b"--b--\r\n"
