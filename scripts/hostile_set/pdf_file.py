"""Puts a PDF together from the bodies of its objects, with a right table of offsets, whatever the objects hold."""

from __future__ import annotations

from collections.abc import Iterable


def pdf_file(bodies: Iterable[bytes], catalogue: bytes = b"", trailer: bytes = b"") -> bytes:
    """A PDF.

    Args:
        bodies: of objects 2, 3, …; object 1 is the catalogue, whose pages are object 2.
        catalogue: more entries of the catalogue.
        trailer: more entries of the trailer.
    """
    out = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, body in enumerate((b"<</Type /Catalog /Pages 2 0 R %b>>" % catalogue, *bodies), 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(offsets) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<</Size %d /Root 1 0 R %b>>\nstartxref\n%d\n%%%%EOF\n" % (len(offsets) + 1, trailer, start)
    return bytes(out)


def page_of(content: bytes, entries: bytes = b"", stream: bytes = b"") -> list[bytes]:
    """Objects 2, 3 and 4: a tree of one page, the page, its content. Further objects begin at 5.

    Args:
        content: of the page, as it stands in the file.
        entries: of the page; with its own /Resources instead of a font F.
        stream: entries of the content's dictionary, such as its filter.
    """
    if b"/Resources" not in entries:
        entries += b" /Resources <</Font <</F <</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>>>>>"
    box = b"" if b"/MediaBox" in entries else b"/MediaBox [0 0 612 792]"
    return [
        b"<</Type /Pages /Kids [3 0 R] /Count 1>>",
        b"<</Type /Page /Parent 2 0 R /Contents 4 0 R %b %b>>" % (box, entries),
        b"<</Length %d %b>>\nstream\n%b\nendstream" % (len(content), stream, content),
    ]


def stream_of(content: bytes, entries: bytes = b"") -> bytes:
    """The body of a stream object."""
    return b"<</Length %d %b>>\nstream\n%b\nendstream" % (len(content), entries, content)
