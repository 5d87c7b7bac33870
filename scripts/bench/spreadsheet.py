"""Seconds to read an XLSX of 20,000 × 10 cells, half numbers and half words, by the extract task; beside it the library alone.

python -m scripts.bench.spreadsheet

Both are timed in each round, in wall time (the reader works in a child process); medians are printed. Required: 0.3 s.
"""

from __future__ import annotations

import statistics
import tempfile
import zipfile
from pathlib import Path
from time import perf_counter

import python_calamine

from ingest.v1 import document_pb2
from ingest_server.handlers.extract import preload
from scripts.bench.pdf_pages import our_reader

ROWS, COLUMNS, WORDS = 20_000, 10, 5_000
ROUNDS = 5

_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def make(file: Path) -> None:
    """Write the workbook."""
    rows = []
    for row in range(1, ROWS + 1):
        cells = (
            f'<c r="{chr(65 + column)}{row}"><v>{row * column}.5</v></c>'
            if column % 2
            else f'<c r="{chr(65 + column)}{row}" t="s"><v>{(row * 7 + column) % WORDS}</v></c>'
            for column in range(COLUMNS)
        )
        rows.append(f'<row r="{row}">{"".join(cells)}</row>')
    words = "".join(f"<si><t>text number {number}</t></si>" for number in range(WORDS))
    main = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    relation = '<Relationship Id="{0}" Type="' + _OFFICE + '/relationships/{1}" Target="{2}"/>'
    used = relation.format("r1", "worksheet", "sheet1.xml") + relation.format("r2", "sharedStrings", "sharedStrings.xml")
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Override PartName="/xl/workbook.xml" '
        f'ContentType="{main}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f"{relation.format('r1', 'officeDocument', 'xl/workbook.xml')}</Relationships>",
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}/relationships"><sheets>'
        '<sheet name="One" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{used}</Relationships>',
        "xl/sharedStrings.xml": f'<sst xmlns="{_MAIN}">{words}</sst>',
        "xl/sheet1.xml": f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(rows)}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def library(file: Path) -> int:
    """The library alone: its cells as Python values. Returns how many."""
    sheet = python_calamine.load_workbook(file).get_sheet_by_index(0)
    return sum(len(row) for row in sheet.iter_rows())


def main() -> None:
    """Make the workbook, time both, print one line."""
    preload()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "book.xlsx"
        make(file)
        cells = document_pb2.Document.FromString(bytes(our_reader(file).data)).elements[1].table.cells
        if len(cells) != ROWS * COLUMNS or library(file) != len(cells):
            raise RuntimeError(f"{len(cells)} cells were read of {ROWS * COLUMNS}")
        times: dict[str, list[float]] = {"ours": [], "library": []}
        for _ in range(ROUNDS):
            for name, run in (("ours", our_reader), ("library", library)):
                begin = perf_counter()
                run(file)
                times[name].append(perf_counter() - begin)
    ours, bare = statistics.median(times["ours"]), statistics.median(times["library"])
    print(
        f"{ROWS} x {COLUMNS} cells: {ours:.3f} s ({min(times['ours']):.3f}-{max(times['ours']):.3f}), library alone {bare:.3f} s"
    )


if __name__ == "__main__":
    main()
