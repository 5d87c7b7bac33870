"""PDFs whose streams claim too much: filters, predictors, fonts, pictures, drawings, encryption."""

from __future__ import annotations

import struct
import zlib

from scripts.hostile_set.bombs.compression import zeros
from scripts.hostile_set.bombs.registered import bomb
from scripts.hostile_set.pdf_file import page_of, pdf_file, stream_of

GROUP = "PDF streams"
MIB = 1024 * 1024
WORDS = b"BT /F 12 Tf 72 720 Td (words) Tj ET"
DRAWN = b"612 0 0 792 0 0 cm /X Do"
PICTURE = b"/Resources <</XObject <</X 5 0 R>>>>"


def _predicted(parameters: bytes) -> bytes:
    content = zlib.compress(WORDS)
    return pdf_file(page_of(content, stream=b"/Filter /FlateDecode /DecodeParms <<%b>>" % parameters))


@bomb(GROUP, "columns.pdf")
def _predictor_columns() -> bytes:
    """A PNG predictor over rows of two thousand million columns."""
    return _predicted(b"/Predictor 15 /Columns 2147483647 /Colors 32 /BitsPerComponent 16")


@bomb(GROUP, "columns2.pdf")
def _predictor_tiff() -> bytes:
    """The same by TIFF's predictor."""
    return _predicted(b"/Predictor 2 /Columns 2147483647 /Colors 1 /BitsPerComponent 1")


@bomb(GROUP, "minus.pdf")
def _predictor_negative() -> bytes:
    """Columns, colours and bits below nothing."""
    return _predicted(b"/Predictor 12 /Columns -1 /Colors -4 /BitsPerComponent -8")


@bomb(GROUP, "xref.pdf")
def _predicted_table() -> bytes:
    """A cross-reference stream with such a predictor."""
    body = zlib.compress(bytes(MIB))
    entries = (
        b"/Type /XRef /Size 100000000 /W [1 4 2] /Root 1 0 R /Filter /FlateDecode "
        b"/DecodeParms <</Predictor 12 /Columns 100000000 /Colors 4>>"
    )
    return b"%PDF-1.7\n9 0 obj\n" + stream_of(body, entries) + b"\nendobj\nstartxref\n9\n%%EOF\n"


@bomb(GROUP, "flate.pdf")
def _flate_content() -> bytes:
    """A gibibyte of zeros as the content of a page."""
    return pdf_file(page_of(zeros(1024 * MIB, 15), stream=b"/Filter /FlateDecode"))


@bomb(GROUP, "operators.pdf")
def _flate_operators() -> bytes:
    """Two hundred megabytes of drawing in 200 KB."""
    content = zlib.compress(b"0 0 m 9 9 l S " * (15 * MIB), 9)
    return pdf_file(page_of(content, stream=b"/Filter /FlateDecode"))


@bomb(GROUP, "filters.pdf")
def _chain_of_filters() -> bytes:
    """A hundred filters, one behind the other."""
    content = WORDS
    for _ in range(100):
        content = zlib.compress(content)
    return pdf_file(page_of(content, stream=b"/Filter [%b]" % (b"/FlateDecode " * 100)))


@bomb(GROUP, "twice.pdf")
def _flate_in_flate() -> bytes:
    """Four gibibytes, packed twice."""
    return pdf_file(page_of(zlib.compress(zeros(4 * 1024 * MIB, 15), 9), stream=b"/Filter [/FlateDecode /FlateDecode]"))


@bomb(GROUP, "run.pdf")
def _run_lengths() -> bytes:
    """Runs of 128, a million of them, packed."""
    runs = zlib.compress(b"\x81 " * MIB + b"\x80", 9)
    return pdf_file(page_of(runs, stream=b"/Filter [/FlateDecode /RunLengthDecode]"))


@bomb(GROUP, "lzw.pdf")
def _lzw() -> bytes:
    """LZW codes without a beginning."""
    return pdf_file(page_of(b"\xff" * MIB, stream=b"/Filter /LZWDecode"))


@bomb(GROUP, "contents.pdf")
def _same_content() -> bytes:
    """A page whose content is the same megabyte ten thousand times."""
    bodies = page_of(zlib.compress(b"BT /F 12 Tf 72 720 Td (words) Tj ET\n" * 30_000, 9), stream=b"/Filter /FlateDecode")
    bodies[1] = bodies[1].replace(b"/Contents 4 0 R", b"/Contents [%b]" % (b"4 0 R " * 10_000))
    return pdf_file(bodies)


def _with_picture(entries: bytes, data: bytes) -> bytes:
    return pdf_file([*page_of(DRAWN, PICTURE), stream_of(data, b"/Type /XObject /Subtype /Image " + entries)])


GREY = b"/Width 100000 /Height 100000 /ColorSpace /DeviceGray /BitsPerComponent 8 "


@bomb(GROUP, "pixel.pdf")
def _picture_of_one_pixel() -> bytes:
    """One byte that claims to be ten gigapixels."""
    return _with_picture(GREY, b"\x80")


@bomb(GROUP, "flate-picture.pdf")
def _flate_picture() -> bytes:
    """Ten gigapixels of zeros in ten megabytes."""
    return _with_picture(GREY + b"/Filter /FlateDecode", zeros(10_000 * MIB, 15))


@bomb(GROUP, "fax.pdf")
def _fax_picture() -> bytes:
    """Ten gigapixels of fax, which packs empty lines into single bits."""
    entries = b"/Width 100000 /Height 100000 /ImageMask true /BitsPerComponent 1 /Filter /CCITTFaxDecode "
    return _with_picture(entries + b"/DecodeParms <</K -1 /Columns 100000 /Rows 100000>>", b"\xff" * 12_500)


@bomb(GROUP, "jbig2.pdf")
def _jbig2_picture() -> bytes:
    """A JBIG2 page of four thousand million pixels a side."""
    page = struct.pack(">LBBL", 0, 48, 1, 19) + struct.pack(">4LBH", 0xFFFFFFFF, 0xFFFFFFFF, 0, 0, 0, 0)
    region = (
        struct.pack(">LBBL", 1, 38, 1, 30)
        + struct.pack(">4LB", 0x7FFFFFFF, 0x7FFFFFFF, 0, 0, 0)
        + b"\0\3\xff\xfd\xff\2\xfe\xfe"
        + bytes(5)
    )
    return _with_picture(
        b"/Width 100000 /Height 100000 /ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /JBIG2Decode", page + region
    )


@bomb(GROUP, "jpx.pdf")
def _jpx_picture() -> bytes:
    """A JPEG 2000 of four thousand million pixels a side, in tiles of one pixel."""
    size = struct.pack(">HHH8LH", 0xFF51, 41, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0, 1, 1, 0, 0, 1) + b"\7\1\1"
    return _with_picture(GREY + b"/Filter /JPXDecode", b"\xff\x4f" + size + b"\xff\x52\0\x0c\0\0\0\1\0\5\4\4\0\0" + b"\xff\xd9")


@bomb(GROUP, "dct.pdf")
def _dct_picture() -> bytes:
    """A JPEG header of 65,535 pixels a side, and nothing behind it."""
    header = b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\3\1\x22\0\2\x11\1\3\x11\1\xff\xd9"
    return _with_picture(b"/Width 65535 /Height 65535 /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode", header)


@bomb(GROUP, "masks.pdf", heavy=True)
def _masks_of_masks() -> bytes:
    """A picture that is its own mask."""
    entries = b"/Width 2000 /Height 2000 /ColorSpace /DeviceGray /BitsPerComponent 8 /SMask 5 0 R /Filter /FlateDecode"
    return _with_picture(entries, zeros(4 * MIB, 15))


@bomb(GROUP, "pictures.pdf", heavy=True)
def _many_pictures() -> bytes:
    """The same picture of a megapixel a hundred thousand times on a page."""
    bodies = page_of(zlib.compress(b"q 612 0 0 792 0 0 cm /X Do Q\n" * 100_000, 9), PICTURE, b"/Filter /FlateDecode")
    size = b"/Width 1000 /Height 1000 /BitsPerComponent 8"
    entries = b"/Type /XObject /Subtype /Image /ColorSpace /DeviceGray /Filter /FlateDecode " + size
    return pdf_file([*bodies, stream_of(zeros(MIB, 15), entries)])


@bomb(GROUP, "inline.pdf")
def _inline_picture() -> bytes:
    """A picture within the content that claims ten gigapixels."""
    return pdf_file(page_of(b"612 0 0 792 0 0 cm BI /W 100000 /H 100000 /CS /G /BPC 8 ID x EI"))


def _with_font(font: bytes, *more: bytes, content: bytes = WORDS) -> bytes:
    return pdf_file([*page_of(content, b"/Resources <</Font <</F 5 0 R>>>>"), font, *more])


@bomb(GROUP, "tounicode.pdf", heavy=True)
def _unicode_ranges() -> bytes:
    """A map of characters with ranges of all numbers, and targets of many letters."""
    ranges = b"".join(b"<%04X> <FFFF> <%b>\n" % (number % 65_536, b"0041" * 50) for number in range(50_000))
    cmap = b"/CIDInit /ProcSet findresource begin begincmap 50000 beginbfrange\n" + ranges + b"endbfrange endcmap"
    return _with_font(b"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R>>", stream_of(cmap))


@bomb(GROUP, "widths.pdf")
def _font_widths() -> bytes:
    """A composite font with widths of four thousand million characters."""
    descendant = b"<</Type /Font /Subtype /CIDFontType2 /BaseFont /A /W [0 4294967295 500 1 [%b]] /CIDSystemInfo <<>>>>" % (
        b"500 " * 1_000_000
    )
    font = b"<</Type /Font /Subtype /Type0 /BaseFont /A /Encoding /Identity-H /DescendantFonts [6 0 R]>>"
    return _with_font(font, descendant)


@bomb(GROUP, "type3.pdf")
def _drawn_font() -> bytes:
    """A font whose letters are drawn with the font itself."""
    font = (
        b"<</Type /Font /Subtype /Type3 /FontBBox [0 0 9 9] /FontMatrix [1 0 0 1 0 0] /FirstChar 97 /LastChar 122 "
        b"/Widths [%b] /Encoding <</Differences [97 /a]>> /CharProcs <</a 6 0 R>> /Resources <</Font <</F 5 0 R>>>>>>"
        % (b"9 " * 26)
    )
    return _with_font(font, stream_of(b"9 0 d0 BT /F 9 Tf (aaaa) Tj ET"), content=b"BT /F 9 Tf (aaaa) Tj ET")


@bomb(GROUP, "fontfile.pdf")
def _truetype_claims() -> bytes:
    """A TrueType file whose tables lie at the end of the world."""
    tables = b"".join(
        struct.pack(">4sLLL", name, 0, 0xFFFFFFF0, 0x7FFFFFFF) for name in (b"cmap", b"glyf", b"loca", b"hmtx", b"maxp")
    )
    file = struct.pack(">LHHHH", 0x10000, 0xFFFF, 0, 0, 0) + tables
    font = b"<</Type /Font /Subtype /TrueType /BaseFont /A /FontDescriptor 6 0 R>>"
    return _with_font(font, b"<</Type /FontDescriptor /FontName /A /Flags 4 /FontFile2 7 0 R>>", stream_of(file))


@bomb(GROUP, "letters.pdf")
def _million_letters() -> bytes:
    """Two million letters on a page, each set by itself."""
    content = zlib.compress(b"BT /F 1 Tf " + b"1 0 Td (w) Tj " * 2_000_000 + b"ET", 9)
    return pdf_file(page_of(content, stream=b"/Filter /FlateDecode"))


@bomb(GROUP, "columns-of-words.pdf", heavy=True)
def _scattered_letters() -> bytes:
    """A hundred thousand words at places that make no lines: a search for columns has to weigh them all."""
    places = b"".join(b"1 0 0 1 %d %d Tm (w) Tj " % (number * 7_919 % 600, number * 104_729 % 780) for number in range(100_000))
    return pdf_file(page_of(zlib.compress(b"BT /F 3 Tf " + places + b"ET"), stream=b"/Filter /FlateDecode"))


@bomb(GROUP, "far.pdf")
def _far_away() -> bytes:
    """Words at places and in sizes that no number can hold."""
    places = (b"1e38", b"-1e38", b"nan", b"inf", b"99999999999999999999999999999999", b"0.0000000000001", b"2147483648")
    content = b"BT " + b"".join(b"/F %b Tf 1 0 0 1 %b %b Tm (words) Tj " % (each, each, each) for each in places) + b"ET"
    return pdf_file(page_of(content, b"/MediaBox [-1e38 -1e38 1e38 1e38] /Rotate 2147483647 /UserUnit 1e38"))


@bomb(GROUP, "box.pdf")
def _endless_page() -> bytes:
    """A scan on a page a million inches wide."""
    bodies = page_of(b"72000000 0 0 72000000 0 0 cm /X Do", b"/MediaBox [0 0 72000000 72000000] " + PICTURE)
    entries = b"/Type /XObject /Subtype /Image /Width 8 /Height 8 /ColorSpace /DeviceGray /BitsPerComponent 8"
    return pdf_file([*bodies, stream_of(bytes(64), entries)])


@bomb(GROUP, "pattern.pdf")
def _tiles() -> bytes:
    """A page filled with tiles a millionth of a point wide."""
    tile = stream_of(
        b"0 0 1 1 re f",
        b"/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 1 1] /XStep 1e-6 /YStep 0.000001 /Resources <<>>",
    )
    content = b"/Pattern cs /P scn 0 0 612 792 re f 612 0 0 792 0 0 cm /X Do"
    entries = b"/Resources <</Pattern <</P 5 0 R>> /XObject <</X 6 0 R>>>>"
    picture = b"/Type /XObject /Subtype /Image /Width 8 /Height 8 /ColorSpace /DeviceGray /BitsPerComponent 8"
    return pdf_file([*page_of(content, entries), tile, stream_of(bytes(64), picture)])


@bomb(GROUP, "encrypted.pdf")
def _odd_encryption() -> bytes:
    """Encryption of a version that there is not, with keys of no length."""
    trailer = b"/Encrypt <</Filter /Standard /V 99 /R 99 /Length 0 /O () /U () /P -1>> /ID [() ()]"
    return pdf_file(page_of(WORDS), trailer=trailer)


@bomb(GROUP, "crypt.pdf")
def _circular_encryption() -> bytes:
    """The description of the encryption is a stream that is encrypted by it."""
    crypt = stream_of(
        b"x", b"/Filter /Standard /V 4 /R 4 /Length 2147483647 /O <00> /U <00> /P 0 /CF <</StdCF 5 0 R>> /StmF /StdCF"
    )
    return pdf_file([*page_of(WORDS), crypt], trailer=b"/Encrypt 5 0 R /ID [<00> <00>]")


@bomb(GROUP, "length.pdf")
def _length_of_itself() -> bytes:
    """A stream whose length is another's, whose length is the first's."""
    bodies = page_of(WORDS)
    bodies[2] = b"<</Length 5 0 R>>\nstream\n%b\nendstream" % WORDS
    return pdf_file([*bodies, b"<</Length 4 0 R>>\nstream\n99\nendstream"])


@bomb(GROUP, "title.pdf")
def _long_title() -> bytes:
    """A title of fifty megabytes, and an author with every byte there is."""
    info = b"<</Title (%b) /Author <%b> /CreationDate (D:99999999999999)>>" % (b"t" * 50 * MIB, bytes(range(256)).hex().encode())
    return pdf_file([*page_of(WORDS), info], trailer=b"/Info 5 0 R")
