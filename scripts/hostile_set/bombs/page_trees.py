"""PDFs whose trees are too wide, too deep, or go round in circles: pages, cross-references, outlines, forms."""

from __future__ import annotations

import struct
import zlib

from scripts.hostile_set.bombs.registered import bomb
from scripts.hostile_set.pdf_file import page_of, pdf_file, stream_of

GROUP = "PDF trees"
PAGES = 100_000
WORDS = b"BT /F 12 Tf 72 720 Td (words) Tj ET"
FONT = b"/Resources <</Font <</F <</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>>>>>"


@bomb(GROUP, "flat.pdf", heavy=True)
def _flat() -> bytes:
    """A hundred thousand pages in one node, all with the same content."""
    kids = b" ".join(b"%d 0 R" % (number + 4) for number in range(PAGES))
    tree = b"<</Type /Pages /Count %d /MediaBox [0 0 612 792] %b /Kids [%b]>>" % (PAGES, FONT, kids)
    page = b"<</Type /Page /Parent 2 0 R /Contents 3 0 R>>"
    return pdf_file([tree, stream_of(WORDS), *[page] * PAGES])


@bomb(GROUP, "same.pdf", heavy=True)
def _same_page() -> bytes:
    """A hundred thousand times the same page object."""
    tree = b"<</Type /Pages /Count %d /MediaBox [0 0 612 792] %b /Kids [%b]>>" % (PAGES, FONT, b"4 0 R " * PAGES)
    return pdf_file([tree, stream_of(WORDS), b"<</Type /Page /Parent 2 0 R /Contents 3 0 R>>"])


@bomb(GROUP, "deep.pdf")
def _deep() -> bytes:
    """A hundred thousand nodes, each the only child of the one above."""
    nodes = [b"<</Type /Pages /Count 1 /Kids [%d 0 R]>>" % (number + 3) for number in range(PAGES)]
    page = b"<</Type /Page /Parent %d 0 R /MediaBox [0 0 612 792] /Contents %d 0 R %b>>" % (PAGES + 1, PAGES + 3, FONT)
    return pdf_file([*nodes, page, stream_of(WORDS)])


@bomb(GROUP, "stairs.pdf")
def _stairs() -> bytes:
    """Each of five thousand nodes has a page and the next node."""
    count = 5_000
    bodies = []
    for number in range(count):
        node = 2 + 2 * number
        below = b" %d 0 R" % (node + 2) if number + 1 < count else b""
        bodies.append(b"<</Type /Pages /Count %d /Kids [%d 0 R%b]>>" % (count - number, node + 1, below))
        bodies.append(b"<</Type /Page /Parent %d 0 R /MediaBox [0 0 9 9]>>" % node)
    return pdf_file(bodies)


@bomb(GROUP, "circle.pdf", heavy=True)
def _circle() -> bytes:
    """Nodes that are each other's children."""
    return pdf_file(
        [
            b"<</Type /Pages /Count 1000000 /Kids [3 0 R 3 0 R]>>",
            b"<</Type /Pages /Count 1000000 /Parent 2 0 R /Kids [2 0 R 2 0 R]>>",
        ]
    )


@bomb(GROUP, "doubling.pdf")
def _doubling() -> bytes:
    """Forty levels, each of which names the next one twice: a million million pages."""
    nodes = [b"<</Type /Pages /Count 2147483647 /Kids [%d 0 R %d 0 R]>>" % (number + 3, number + 3) for number in range(40)]
    return pdf_file([*nodes, b"<</Type /Page /MediaBox [0 0 9 9]>>"])


@bomb(GROUP, "count.pdf")
def _false_count() -> bytes:
    """One page, and a count of two thousand million."""
    bodies = page_of(WORDS)
    bodies[0] = b"<</Type /Pages /Kids [3 0 R] /Count 2147483647>>"
    return pdf_file(bodies)


@bomb(GROUP, "million.pdf", heavy=True)
def _missing_pages() -> bytes:
    """A million children of which none is there."""
    return pdf_file([b"<</Type /Pages /Count 1000000 /Kids [%b]>>" % (b"9 0 R " * 1_000_000)])


@bomb(GROUP, "minus.pdf")
def _negative_count() -> bytes:
    """A count below nothing."""
    bodies = page_of(WORDS)
    bodies[0] = b"<</Type /Pages /Kids [3 0 R] /Count -1>>"
    return pdf_file(bodies)


@bomb(GROUP, "previous.pdf")
def _circular_previous() -> bytes:
    """A table of offsets whose predecessor is itself."""
    data = pdf_file(page_of(WORDS), trailer=b"/Prev 0000000000")
    at = data.rindex(b"xref\n0")
    return data.replace(b"/Prev 0000000000", b"/Prev %010d" % at)


@bomb(GROUP, "chain.pdf", heavy=True)
def _long_history() -> bytes:
    """A hundred thousand updates, each a table of its own."""
    data = bytearray(pdf_file(page_of(WORDS)))
    before = data.rindex(b"xref\n0")
    for _ in range(100_000):
        start = len(data)
        data += b"xref\n0 0\ntrailer\n<</Size 5 /Root 1 0 R /Prev %d>>\n" % before
        before = start
    return bytes(data) + b"startxref\n%d\n%%%%EOF\n" % before


@bomb(GROUP, "size.pdf")
def _claimed_objects() -> bytes:
    """A cross-reference stream that claims four thousand million objects and holds five."""
    body = zlib.compress(b"".join(struct.pack(">BQH", 1, 9, 0) for _ in range(5)))
    entries = b"/Type /XRef /Size 4294967295 /Index [0 4294967295] /W [1 8 2] /Root 1 0 R /Filter /FlateDecode"
    head = b"%PDF-1.7\n1 0 obj\n<</Type /Catalog /Pages 2 0 R>>\nendobj\n"
    return head + b"9 0 obj\n" + stream_of(body, entries) + b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(head)


@bomb(GROUP, "widths.pdf")
def _wide_fields() -> bytes:
    """A cross-reference stream whose fields are two thousand million bytes wide."""
    entries = b"/Type /XRef /Size 5 /W [2147483647 2147483647 2147483647] /Root 1 0 R"
    head = b"%PDF-1.7\n"
    return head + b"9 0 obj\n" + stream_of(bytes(40), entries) + b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(head)


@bomb(GROUP, "within.pdf")
def _object_streams_in_a_circle() -> bytes:
    """Streams of objects that extend each other, and hold a million objects of which none is there."""
    streams = [stream_of(b"1 0 ", b"/Type /ObjStm /N 1000000 /First 4 /Extends %d 0 R" % other) for other in (6, 5)]
    return pdf_file([*page_of(WORDS), *streams])


@bomb(GROUP, "outline.pdf")
def _circular_outline() -> bytes:
    """An outline whose entries follow and contain each other."""
    entry = b"<</Title (words) /Parent 5 0 R /Next %d 0 R /First %d 0 R /Last %d 0 R /Count 1000000>>"
    outline = b"<</Type /Outlines /First 6 0 R /Last 7 0 R /Count 1000000>>"
    return pdf_file([*page_of(WORDS), outline, entry % (7, 7, 6), entry % (6, 6, 7)], b"/Outlines 5 0 R")


@bomb(GROUP, "long-outline.pdf")
def _long_outline() -> bytes:
    """Two hundred thousand entries, each within the one before."""
    count = 200_000
    entries = [b"<</Title (words) /Parent %d 0 R /First %d 0 R /Last %d 0 R>>" % (n + 5, n + 7, n + 7) for n in range(count)]
    outline = b"<</Type /Outlines /First 6 0 R /Last 6 0 R>>"
    return pdf_file([*page_of(WORDS), outline, *entries], b"/Outlines 5 0 R")


@bomb(GROUP, "fields.pdf", heavy=True)
def _circular_fields() -> bytes:
    """Fields of a form that are each other's children."""
    form = b"<</Fields [6 0 R 6 0 R]>>"
    field = b"<</T (words) /FT /Tx /V (words) /Parent %d 0 R /Kids [%d 0 R %d 0 R]>>"
    return pdf_file([*page_of(WORDS, b"/Annots [6 0 R 7 0 R]"), form, field % (7, 7, 7), field % (6, 6, 6)], b"/AcroForm 5 0 R")


@bomb(GROUP, "links.pdf")
def _many_links() -> bytes:
    """A page of two hundred thousand links, all the same object."""
    link = b"<</Type /Annot /Subtype /Link /Rect [0 0 612 792] /A <</S /URI /URI (http://127.0.0.1:9/)>>>>"
    return pdf_file([*page_of(WORDS, b"/Annots [%b]" % (b"5 0 R " * 200_000)), link])


@bomb(GROUP, "names.pdf")
def _circular_names() -> bytes:
    """A tree of names, of destinations and of attached files, in a circle."""
    node = b"<</Kids [%d 0 R %d 0 R] /Limits [(a) (z)]>>"
    names = b"/Names <</EmbeddedFiles 5 0 R /Dests 5 0 R>> /PageLabels 5 0 R"
    return pdf_file([*page_of(WORDS), node % (6, 6), node % (5, 5)], names)
