"""Tables and texts too wide, too long, or too far apart."""

from __future__ import annotations

import random
import struct

from scripts.hostile_set.bombs.registered import bomb
from scripts.hostile_set.office import SHEET, ods_xml, office_package, related, sheet_xml, workbook_xml

GROUP = "tables and texts"
MIB = 1024 * 1024
MILLION = 1_000_000


def _sheet(rows: str, *, after: str = "", **parts: str) -> bytes:
    return office_package("xlsx", {"xl/worksheets/sheet1.xml": sheet_xml(rows, after=after), **parts})


def _cell(place: str) -> str:
    return f'<c r="{place}"><v>1</v></c>'


def _column(number: int) -> str:
    name = ""
    while number:
        number, letter = divmod(number - 1, 26)
        name = chr(65 + letter) + name
    return name


@bomb(GROUP, "columns.xlsx", heavy=True)
def _xlsx_columns() -> bytes:
    """A row of a million columns, as no program writes."""
    return _sheet(f'<row r="1">{"".join(_cell(f"{_column(number)}1") for number in range(1, MILLION + 1))}</row>')


@bomb(GROUP, "corners.xlsx")
def _xlsx_corners() -> bytes:
    """Two cells, at the corners of a sheet of seventeen thousand million."""
    return _sheet(f'<row r="1">{_cell("A1")}</row><row r="1048576">{_cell("XFD1048576")}</row>')


@bomb(GROUP, "beyond.xlsx")
def _xlsx_beyond() -> bytes:
    """Cells beyond any sheet."""
    places = ("ZZZZZZZ99999999999", "A0", "A4294967296", "", "1", "A", "\u0000A1".strip("\0"), "FXSHRXX2147483648")
    return _sheet("".join(f'<row r="{number}">{_cell(place)}</row>' for number, place in enumerate(places)))


@bomb(GROUP, "merged.xlsx")
def _xlsx_merged() -> bytes:
    """Fifty thousand merged ranges over the whole sheet."""
    merged = '<mergeCell ref="A1:XFD1048576"/>' * 50_000
    return _sheet(f'<row r="1">{_cell("A1")}</row>', after=f'<mergeCells count="50000">{merged}</mergeCells>')


@bomb(GROUP, "rows.xlsx")
def _xlsx_rows() -> bytes:
    """A million empty rows, one of which has a cell."""
    return _sheet(
        "".join(f'<row r="{number}"/>' for number in range(1, MILLION)) + f'<row r="{MILLION}">{_cell("B1000000")}</row>'
    )


@bomb(GROUP, "strings.xlsx")
def _xlsx_strings() -> bytes:
    """Cells that name strings that are not there, and a count of two thousand million."""
    strings = f'<sst {SHEET} count="2147483647" uniqueCount="2147483647"><si><t>a</t></si></sst>'
    row = '<row r="1"><c r="A1" t="s"><v>2147483647</v></c><c r="B1" t="s"><v>-1</v></c><c r="C1" t="s"><v>x</v></c></row>'
    return _sheet(row, **{"xl/sharedStrings.xml": strings})


@bomb(GROUP, "long.xlsx")
def _xlsx_one_string_everywhere() -> bytes:
    """A string of a hundred kilobytes in a hundred thousand cells: ten gigabytes of text."""
    strings = f"<sst {SHEET}><si><t>{'words ' * 17_000}</t></si></sst>"
    rows = "".join(f'<row r="{number}"><c r="A{number}" t="s"><v>0</v></c></row>' for number in range(1, 100_001))
    return _sheet(rows, **{"xl/sharedStrings.xml": strings})


@bomb(GROUP, "sheets.xlsx")
def _xlsx_sheets() -> bytes:
    """Fifty thousand sheets that are all the same part."""
    sheets = "".join(f'<sheet name="S{number}" sheetId="{number}" r:id="r1"/>' for number in range(1, 50_001))
    workbook = workbook_xml(sheets)
    return _sheet(f'<row r="1">{_cell("A1")}</row>', **{"xl/workbook.xml": workbook})


@bomb(GROUP, "formats.xlsx")
def _xlsx_formats() -> bytes:
    """Dates, durations and percentages of numbers that are none."""
    styles = (
        f'<styleSheet {SHEET}><numFmts count="1"><numFmt numFmtId="164" formatCode="{"[h]:mm;" * 5_000}"/></numFmts>'
        '<cellXfs><xf numFmtId="14"/><xf numFmtId="46"/><xf numFmtId="9"/><xf numFmtId="164"/></cellXfs></styleSheet>'
    )
    values = ("1e308", "-1e308", "nan", "inf", "99999999999999999999", "-1", "2958466", "")
    cells = "".join(
        f'<c r="{_column(style + 1)}{row}" s="{style}"><v>{value}</v></c>'
        for row, value in enumerate(values, 1)
        for style in range(5)
    )
    links = related(("worksheet", "worksheets/sheet1.xml"), ("sharedStrings", "sharedStrings.xml"), ("styles", "styles.xml"))
    return _sheet(f'<row r="1">{cells}</row>', **{"xl/styles.xml": styles, "xl/_rels/workbook.xml.rels": links})


@bomb(GROUP, "repeated.ods")
def _ods_repeated() -> bytes:
    """One cell, repeated two thousand million times in rows repeated as often."""
    most = 2**31 - 1
    cell = f'<table:table-cell table:number-columns-repeated="{most}"><text:p>words</text:p></table:table-cell>'
    return office_package(
        "ods", {"content.xml": ods_xml(f'<table:table-row table:number-rows-repeated="{most}">{cell}</table:table-row>')}
    )


@bomb(GROUP, "empty.ods")
def _ods_empty_repeats() -> bytes:
    """A cell behind two thousand million empty ones."""
    cell = '<table:table-cell table:number-columns-repeated="2147483647"/><table:table-cell><text:p>w</text:p></table:table-cell>'
    row = f"<table:table-row>{cell}</table:table-row>"
    return office_package("ods", {"content.xml": ods_xml(f'<table:table-row table:number-rows-repeated="2147483647"/>{row}')})


def _biff(*records: tuple[int, bytes]) -> bytes:
    return b"".join(struct.pack("<HH", kind, len(data)) + data for kind, data in records)


@bomb(GROUP, "claims.xls")
def _xls_claims() -> bytes:
    """A workbook of the old kind, without its container, whose strings are four thousand million."""
    return _biff(
        (0x809, bytes((0, 6, 5, 0)) + bytes(12)), (0xFC, struct.pack("<LL", 2**32 - 1, 2**32 - 1) + bytes(16)), (0xA, b"")
    )


@bomb(GROUP, "circle.xls")
def ole_circle() -> bytes:
    """A container whose table of sectors leads to itself."""
    header = bytearray(512)
    header[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    struct.pack_into("<5H", header, 24, 0x3E, 3, 0xFFFE, 9, 6)
    struct.pack_into("<9L", header, 40, 0, 0x7FFFFFFF, 0, 0, 4_096, 0, 0x7FFFFFFF, 0, 0x7FFFFFFF)
    struct.pack_into("<109L", header, 76, *[0] * 109)
    return bytes(header) + bytes(512) * 8


@bomb(GROUP, "field.csv", heavy=True)
def _csv_field() -> bytes:
    """One field of a hundred megabytes."""
    return b"name\n" + b"w" * (100 * MIB)


@bomb(GROUP, "commas.csv", heavy=True)
def _csv_commas() -> bytes:
    """One line of a hundred million empty fields."""
    return b"," * (100 * MIB)


@bomb(GROUP, "quoted.csv", heavy=True)
def _csv_quotes() -> bytes:
    """A hundred megabytes of quotation marks."""
    return b'a,"' + b'"' * (100 * MIB)


@bomb(GROUP, "open.csv", heavy=True)
def _csv_open_quote() -> bytes:
    """A field that is opened in the first of four million lines and never closed."""
    return b'a,"b\n' + b"words,words,words,words\n" * 4_000_000


@bomb(GROUP, "columns.csv")
def _csv_columns() -> bytes:
    """A million columns in each of three rows."""
    return (b"a," * MILLION + b"\n") * 3


@bomb(GROUP, "errors.csv")
def _csv_quote_errors() -> bytes:
    """A million fields with text behind the closing mark: each an error of the strict parser."""
    return b'"a"b,"c"d\n' * 300_000


@bomb(GROUP, "zeros.csv")
def _csv_zeros() -> bytes:
    """Zero bytes between commas."""
    return b"a,b\n" + b"\0,\0\n" * 500_000


@bomb(GROUP, "tabs.tsv")
def _tsv_cells() -> bytes:
    """Ten million cells of one letter."""
    return (b"a\t" * 1_000 + b"\n") * 10_000


@bomb(GROUP, "line.txt", heavy=True)
def _text_line() -> bytes:
    """A line of two hundred megabytes."""
    return b"words " * (33 * MIB)


@bomb(GROUP, "feeds.txt")
def _text_feeds() -> bytes:
    """Ten million form feeds: as many pages."""
    return b"w\f" * 10_000_000


@bomb(GROUP, "marks.txt")
def _text_combining() -> bytes:
    """A letter with five million accents."""
    return b"a" + "\u0301".encode() * 5_000_000


@bomb(GROUP, "bytes.txt")
def _text_of_no_encoding() -> bytes:
    """Sixteen megabytes that are valid in no encoding."""
    return random.Random(1).randbytes(16 * MIB).translate(None, bytes(range(32)))


@bomb(GROUP, "spaces.txt")
def _text_spaces() -> bytes:
    """Blank lines of blanks: a search for paragraphs may go back over them."""
    return (b" " * 100_000 + b"\n") * 100 + b"w"


@bomb(GROUP, "binary.rtf")
def _rtf_binary() -> bytes:
    """Binary data of two thousand million bytes, of less than none, and letters beyond all alphabets."""
    return b"{\\rtf1 \\bin2147483647 words\\bin-1 " + b"\\u-99999 ?\\uc2147483647 \\u65536?" * 200_000 + b"}"


@bomb(GROUP, "cells.rtf", heavy=True)
def _rtf_cells() -> bytes:
    """A row of five million cells."""
    return b"{\\rtf1 \\trowd" + b"\\cellx1" * 100_000 + b"\\cell" * 5_000_000 + b"\\row}"


@bomb(GROUP, "array.json", heavy=True)
def _json_numbers() -> bytes:
    """Forty million numbers."""
    return b'{"a":[' + b"1," * 40_000_000 + b"1]}"


@bomb(GROUP, "records.json", heavy=True)
def _json_records() -> bytes:
    """A million empty records."""
    return b'[{"a":1}' + b",{}" * MILLION + b"]"


@bomb(GROUP, "surrogates.json")
def _json_surrogates() -> bytes:
    """Halves of characters, and a name of them."""
    return b'{"\\ud800": ["\\udfff\\ud800", "\\u0000"], "a": NaN, "b": -Infinity}'
