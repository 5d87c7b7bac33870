"""Samples of tables: one price list as XLSX, ODS and CSV, and records as JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeAlias

from scripts.sample_documents.manifest import Element, Entry, entry
from scripts.sample_documents.packages import HEAD, OFFICE, office_parts, pack, relationships

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"

Row: TypeAlias = tuple["str | float", ...]
ROWS: tuple[Row, ...] = (("Article", "Price", "In store"), ("Lantern", 19.5, 12), ("Rope", 4.25, 300), ("Anchor", 85, 2))
RECORDS = (
    {"ship": "Marigold", "berth": 3, "arrived": "2024-03-01"},
    {"ship": "Heron", "berth": 1, "arrived": "2024-03-02"},
    {"ship": "Tern", "berth": 2, "arrived": "2024-03-04"},
)


def _table(rows: tuple[Row, ...], page: int = 0) -> Element:
    return {"table": [[f"{value}" for value in row] for row in rows], "columns": len(rows[0]), "caption": "", "page": page}


def make_xlsx(folder: Path) -> Entry:
    """A workbook of one sheet."""
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = office_parts(
        "xl/workbook.xml", f"{kind}.sheet.main+xml", {"xl/worksheets/sheet1.xml": f"{kind}.worksheet+xml"}, "Prices", "Dora Dock"
    )
    parts["xl/workbook.xml"] = (
        f'{HEAD}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}/relationships">'
        '<sheets><sheet name="Prices" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    parts["xl/_rels/workbook.xml.rels"] = relationships(("worksheet", "worksheets/sheet1.xml"))
    rows = "".join(
        f'<row r="{number}">{"".join(_cell(number, column, value) for column, value in enumerate(row))}</row>'
        for number, row in enumerate(ROWS, 1)
    )
    parts["xl/worksheets/sheet1.xml"] = f'{HEAD}<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'
    pack(folder / "prices.xlsx", parts)
    return entry("prices.xlsx", XLSX, [_table(ROWS, 1)], title="Prices", authors=["Dora Dock"], page_count=1)


def _cell(row: int, column: int, value: str | float) -> str:
    place = f"{'ABCDEFGH'[column]}{row}"
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
    return f'<c r="{place}"><v>{value}</v></c>'


def make_ods(folder: Path) -> Entry:
    """The same as an OpenDocument spreadsheet."""
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text", "meta")
    )
    cells = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'
            if isinstance(value, str)
            else f'<table:table-cell office:value-type="float" office:value="{value}"><text:p>{value}</text:p></table:table-cell>'
            for value in row
        )
        + "</table:table-row>"
        for row in ROWS
    )
    manifest = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    parts = {
        "mimetype": ODS,
        "META-INF/manifest.xml": f'{HEAD}<manifest:manifest xmlns:manifest="{manifest}" manifest:version="1.2">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{ODS}"/>'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>',
        "content.xml": f'{HEAD}<office:document-content {spaces} office:version="1.2"><office:body><office:spreadsheet>'
        f'<table:table table:name="Prices">{cells}</table:table></office:spreadsheet></office:body></office:document-content>',
    }
    pack(folder / "prices.ods", parts, stored="mimetype")
    return entry("prices.ods", ODS, [_table(ROWS, 1)], page_count=1)


def make_csv(folder: Path) -> Entry:
    """The same as comma-separated values."""
    (folder / "prices.csv").write_text("".join(",".join(map(str, row)) + "\r\n" for row in ROWS), "utf-8", newline="")
    return entry("prices.csv", "text/csv", [_table(ROWS)])


def make_json_lines(folder: Path) -> Entry:
    """One record a line."""
    (folder / "arrivals.jsonl").write_text("".join(json.dumps(record) + "\n" for record in RECORDS), "utf-8")
    rows: tuple[Row, ...] = (tuple(RECORDS[0]), *(tuple(map(str, record.values())) for record in RECORDS))
    return entry("arrivals.jsonl", "application/jsonl", [_table(rows)])
