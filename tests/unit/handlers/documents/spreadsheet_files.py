"""Makes small spreadsheets by hand, so that each byte of a test's document is the test's own."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping

_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"

STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><numFmts><numFmt numFmtId="164" formatCode="0.0%"/>'
    '<numFmt numFmtId="165" formatCode="0&quot;%&quot;"/>'
    '</numFmts><cellStyleXfs><xf numFmtId="9"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="10"/>'
    '<xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="46"/><xf numFmtId="22"/></cellXfs></styleSheet>'
)
"""Cell styles: 0 general, 1 date, 2 and 3 percent, 4 a percent sign that is text, 5 hours beyond a day, 6 date and time."""


def packed(parts: Mapping[str, str | bytes]) -> bytes:
    """A ZIP file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def xlsx(
    sheets: Mapping[str, str],
    *,
    states: Mapping[str, str] | None = None,
    shared: str = "",
    extra: Mapping[str, str] | None = None,
) -> bytes:
    """An XLSX file.

    Args:
        sheets: name → what stands in its `worksheet` element; a name or body may be anything.
        states: name → its state ("hidden").
        shared: what stands in `sst`.
        extra: further parts.
    """
    numbers = range(1, len(sheets) + 1)
    main = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    overrides = f'<Override PartName="/xl/workbook.xml" ContentType="{main}"/>'
    listed = "".join(
        f'<sheet name="{name}" sheetId="{number}" r:id="r{number}" state="{(states or {}).get(name, "visible")}"/>'
        for number, name in zip(numbers, sheets, strict=True)
    )
    used = "".join(
        f'<Relationship Id="r{number}" Type="{_OFFICE}/relationships/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number in numbers
    )
    used += "".join(
        f'<Relationship Id="{kind}" Type="{_OFFICE}/relationships/{kind}" Target="{kind}.xml"/>'
        for kind in ("styles", "sharedStrings")
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">{overrides}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{_OFFICE}/relationships/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}/relationships"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{used}</Relationships>',
        "xl/styles.xml": STYLES,
        "xl/sharedStrings.xml": f'<sst xmlns="{_MAIN}">{shared}</sst>',
    }
    parts |= {
        f"xl/worksheets/sheet{number}.xml": f'<worksheet xmlns="{_MAIN}">{body}</worksheet>'
        for number, body in zip(numbers, sheets.values(), strict=True)
    }
    return packed(parts | dict(extra or {}))


def ods(body: str) -> bytes:
    """An ODS file with so many tables."""
    names = {"office": "office", "table": "table", "text": "text"}
    spaces = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{value}:1.0"' for name, value in names.items())
    return packed(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
            "content.xml": f"<office:document-content {spaces}><office:body><office:spreadsheet>{body}</office:spreadsheet>"
            "</office:body></office:document-content>",
            "meta.xml": '<office:document-meta xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
            'xmlns:dc="http://purl.org/dc/elements/1.1/"><office:meta><dc:title>Plan</dc:title></office:meta></office:document-meta>',
        }
    )


def xls(cells: Mapping[tuple[int, int], float | str]) -> bytes:
    """An XLS file with one sheet, "Old": BIFF8 records ([MS-XLS]) in a compound file ([MS-CFB])."""

    def record(kind: int, data: bytes = b"") -> bytes:
        return struct.pack("<HH", kind, len(data)) + data

    def text(value: str, count_format: str) -> bytes:
        return struct.pack(count_format + "B", len(value), 1) + value.encode("utf-16-le")

    begin = struct.pack("<HHHHII", 0x600, 5, 0, 1996, 0, 6)
    sheet_begin = struct.pack("<HHHHII", 0x600, 0x10, 0, 1996, 0, 6)
    bound = struct.pack("<IBB", 0, 0, 0) + text("Old", "<B")
    offset = len(record(0x809, begin)) + len(record(0x85, bound)) + len(record(0x0A))
    stream = (
        record(0x809, begin) + record(0x85, struct.pack("<I", offset) + bound[4:]) + record(0x0A) + record(0x809, sheet_begin)
    )
    for (row, column), value in cells.items():
        place = struct.pack("<HHH", row, column, 0)
        stream += (
            record(0x203, place + struct.pack("<d", value))
            if isinstance(value, float)
            else record(0x204, place + text(value, "<H"))
        )
    stream += record(0x0A)
    stream += bytes(max(4096, -len(stream) % 512 + len(stream)) - len(stream))
    sectors = len(stream) // 512
    free, end = 0xFFFFFFFF, 0xFFFFFFFE
    chain = [0xFFFFFFFD, end, *range(3, 2 + sectors), end]
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, end, 0, end, 0) + struct.pack("<I", 0) + struct.pack("<I", free) * 108

    def entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
        raw = (name + "\0").encode("utf-16-le")
        return (
            raw.ljust(64, b"\0")
            + struct.pack("<HBBIII", len(raw), kind, 1, free, free, child)
            + bytes(36)
            + struct.pack("<IQ", start, size)
        )

    directory = entry("Root Entry", 5, 1, end, 0) + entry("Workbook", 2, free, 2, len(stream)) + bytes(256)
    return head + struct.pack(f"<{len(chain)}I", *chain).ljust(512, b"\xff") + directory + stream
