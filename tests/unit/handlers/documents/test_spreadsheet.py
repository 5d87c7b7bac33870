"""Spreadsheets: hostile and damaged ones first, then what is in sound ones."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ingest.v1 import document_pb2
from ingest_server.handlers import spreadsheet
from ingest_server.handlers.extract import extract
from ingest_server.handlers.extract_options import ExtractOptions
from ingest_server.handlers.interface import Cancelled, HandlerFailure
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput, Read, SetLimits
from tests.unit.handlers.documents.spreadsheet_files import ods, packed, xls, xlsx

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CORNERS = (
    '<dimension ref="A1:XFD1048576"/><sheetData><row r="1"><c r="A1"><v>1</v></c></row>'
    '<row r="1048576"><c r="XFD1048576"><v>2</v></c></row></sheetData>'
)
BACKWARDS = '<sheetData><row r="9"><c r="A9"><v>1</v></c></row><row r="2"><c r="B2"><v>2</v></c></row></sheetData>'


def small(body: str = '<c r="A1"><v>1</v></c>') -> str:
    return f'<sheetData><row r="1">{body}</row></sheetData>'


def attempt(read: Read, data: bytes, name: str) -> tuple[document_pb2.Document | None, HandlerFailure | None]:
    """What a file is read as, or why it is not."""
    try:
        return read(data, "", name), None
    except HandlerFailure as failure:
        return None, failure


def grid(element: document_pb2.Element) -> list[list[str]]:
    """Cells of a table by their places; "" where there is none."""
    rows = [[""] * element.table.columns for _ in range(element.table.rows)]
    for cell in element.table.cells:
        rows[cell.row][cell.column] = cell.text
    return rows


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(xlsx({"S": small()})[:400], id="truncated"),
        pytest.param(xlsx({"S": small()})[:-60], id="no directory"),
        pytest.param(b"PK\x03\x04" + bytes(300), id="no zip"),
        pytest.param(packed({"xl/workbook.xml": "<workbook"}), id="no parts"),
        pytest.param(xlsx({"S": CORNERS}), id="two cells at far corners"),
        pytest.param(xlsx({"S": BACKWARDS}), id="rows in descending order"),
        pytest.param(xlsx({"S": '<sheetData><row r="1"><c r="A1"><v>1'}), id="xml cut off"),
        pytest.param(xlsx({"S": small()}, extra={"xl/bomb.xml": " " * 30_000_000}), id="zip bomb"),
        pytest.param(xlsx({"S": small('<c r="A1" t="s"><v>4294967295</v></c>')}), id="no such shared string"),
        pytest.param(xlsx({"S": small('<c r="ZZZZZZZZ1"><v>1</v></c>')}), id="no such column"),
        pytest.param(xls({(0, 0): 1.0})[:600], id="xls cut off"),
        pytest.param(xls({(0, 0): 1.0, (65_535, 65_535): 2.0}), id="xls with far corners"),
        pytest.param(ods('<table:table table:name="a"><table:table-row table:number-rows-repeated="1000000000">'
                         '<table:table-cell office:value-type="float" office:value="1" table:number-columns-repeated="16384"/>'
                         "</table:table-row></table:table>"), id="ods with a billion rows"),
    ],
)  # fmt: skip
def test_hostile_and_damaged_files_fail_or_are_read(read: Read, data: bytes) -> None:
    name = "a.ods" if b"opendocument" in data else "a.xls" if data[:1] == b"\xd0" else "a.xlsx"
    document, failure = attempt(read, data, name)
    if failure is not None:
        assert (failure.reason, failure.retryable) in (("DOCUMENT_MALFORMED", False), ("MEDIA_TYPE_NOT_SUPPORTED", False))
        assert len(str(failure)) < 500
    else:
        assert document is not None
        assert document.issues or len(document.elements) <= 2


def test_a_billion_empty_positions_cost_a_sheet_not_the_worker(read: Read) -> None:
    with pytest.raises(HandlerFailure, match="SIGABRT: it is damaged, or needs more than 1073741824 bytes of memory") as caught:
        read(xlsx({"S": CORNERS}), XLSX)
    assert caught.value.reason == "DOCUMENT_MALFORMED"


def test_a_claimed_dimension_costs_nothing(read: Read) -> None:
    document = read(xlsx({"S": '<dimension ref="A1:XFD1048576"/>' + small()}), XLSX)
    assert grid(document.elements[1]) == [["1"]]


def test_a_bomb_is_told_as_one(read: Read) -> None:
    with pytest.raises(HandlerFailure, match="unpacks to more than 400 times its"):
        read(xlsx({"S": small()}, shared=" " * 30_000_000), XLSX)


def test_too_much_processor_time_ends_it(read: Read, monkeypatch: pytest.MonkeyPatch, limits: SetLimits) -> None:
    limits(read_child_cpu_seconds_max=1)

    def forever(*_: object) -> bytes:
        while True:
            pass

    monkeypatch.setattr(spreadsheet, "_read", forever)
    with pytest.raises(HandlerFailure, match="more than 1 s of processor time") as caught:
        read(xlsx({"S": small()}), XLSX)
    assert caught.value.metadata == {"limit": "read_child_cpu_seconds_max"}


def test_too_many_positions_leave_out_the_sheet_alone(read: Read, limits: SetLimits) -> None:
    limits(read_table_cells_max=100)
    wide = '<sheetData><row r="1"><c r="A1"><v>1</v></c></row><row r="50"><c r="C50"><v>2</v></c></row></sheetData>'
    document = read(xlsx({"one": small(), "wide": wide, "three": small()}), XLSX)
    assert [element.text.text for element in document.elements if element.text.text] == ["one", "three"]
    assert [(issue.page, issue.reason) for issue in document.issues] == [(2, "SHEET_TOO_LARGE")]
    assert "'wide' of 50 × 3 positions" in document.issues[0].message


def test_a_damaged_sheet_is_an_issue(read: Read) -> None:
    document = read(xlsx({"good": small(), "bad": "<sheetData><row r='1'><c r='A1'><v>1</x></c>"}), XLSX)
    assert [element.text.text for element in document.elements if element.text.text] == ["good"]
    assert [(issue.page, issue.reason) for issue in document.issues] == [(2, "SHEET_UNREADABLE")]


def test_a_duration_beyond_all_time_costs_its_sheet(read: Read) -> None:
    endless = '<c r="A1" s="5"><v>1e308</v></c>'
    document = read(xlsx({"good": small(), "endless": small(endless)}), XLSX)
    assert [element.text.text for element in document.elements if element.text.text] == ["good"]
    assert [(issue.page, issue.reason) for issue in document.issues] == [(2, "SHEET_UNREADABLE")]


def test_a_cancelled_attempt_gives_way() -> None:
    with pytest.raises(Cancelled):
        extract(FakeContext(FakeInput(xlsx({"S": small()}), XLSX), cancel_after=1), ExtractOptions())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_mutants_give_a_result_or_a_clear_failure(read: Read, seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray([xlsx({"S": small()}), xls({(0, 0): 1.0, (1, 1): "x"}), ods('<table:table table:name="a"/>')][seed % 3])
    for _ in range(8):
        data[chance.randrange(len(data))] = chance.randrange(256)
    _, failure = attempt(read, bytes(data), "a.xls" if seed % 3 == 1 else "a.xlsx")
    if failure is not None:
        assert failure.reason in ("DOCUMENT_MALFORMED", "DOCUMENT_ENCRYPTED", "MEDIA_TYPE_NOT_SUPPORTED")
        assert not failure.retryable


def test_values_are_written_as_people_read_them(read: Read) -> None:
    cells: list[tuple[str, str]] = [
        ('<c r="B3" t="s"><v>0</v></c>', "shared & rich"),
        ('<c r="C3"><v>42</v></c>', "42"),
        ('<c r="D3"><v>0.1</v></c>', "0.1"),
        ('<c r="E3"><v>1E+20</v></c>', "1e+20"),
        ('<c r="F3" t="b"><v>1</v></c>', "TRUE"),
        ('<c r="G3" s="1"><v>45352</v></c>', "2024-03-01"),
        ('<c r="H3" s="6"><v>45352.5</v></c>', "2024-03-01 12:00:00"),
        ('<c r="I3" s="2"><v>0.125</v></c>', "12.5%"),
        ('<c s="3" r="J3"><v>1</v></c>', "100%"),
        ('<c r="K3" s="4"><v>7</v></c>', "7"),
        ('<c r="L3" s="5"><v>1.5</v></c>', "36:00:00"),
        ('<c r="M3" t="str"><f>A1&amp;"x"</f><v>cached</v></c>', "cached"),
        ('<c r="N3"><f>SUM(C3:D3)</f><v>42.1</v></c>', "42.1"),
        ('<c r="O3" t="inlineStr"><is><t xml:space="preserve"> two\nlines </t></is></c>', "two\nlines"),
    ]
    body = "<sheetData><row r='3'>" + "".join(cell for cell, _ in cells) + "</row></sheetData>"
    shared = "<si><r><t xml:space='preserve'>shared &amp; </t></r><r><t>rich</t></r></si>"
    document = read(xlsx({"Values": body}, shared=shared), "", "a.xlsx")
    assert grid(document.elements[1]) == [[text for _, text in cells]]
    assert (document.media_type, document.media_type_source) == (XLSX, "content")


def test_sheets_are_pages_with_headings(read: Read) -> None:
    data = xlsx({"First": small(), "Empty": "<sheetData/>", "Costs": small()}, states={"Costs": "hidden"})
    document = read(data, XLSX)
    seen = [(element.id, element.page, element.text.text, element.table.caption) for element in document.elements]
    assert seen == [("e1", 1, "First", ""), ("e2", 1, "", ""), ("e3", 3, "Costs", ""), ("e4", 3, "", "hidden sheet")]
    assert document.page_count == 3
    assert [element.page for element in read(data, XLSX, first_page=2).elements] == [3, 3]
    with pytest.raises(HandlerFailure, match="first_page is 4, but the spreadsheet has 3 sheets"):
        read(data, XLSX, first_page=4)


def test_header_merged_cells_and_borders(read: Read) -> None:
    def row(number: int, **texts: str) -> str:
        cells = (f'<c r="{letter}{number}" t="str"><v>{text}</v></c>' for letter, text in texts.items())
        return f'<row r="{number}">{"".join(cells)}</row>'

    body = (
        "<sheetData>" + row(2, C=" ") + row(5, C="Name", D="Year") + row(6, C="Ada", D="1815") + row(8, C="both") + row(10, C=" ")
    )
    body += '</sheetData><mergeCells><mergeCell ref="C8:XFD9"/><mergeCell ref="D8:D9"/><mergeCell ref="A1:A2"/></mergeCells>'
    table = read(xlsx({"S": body}), XLSX).elements[1].table
    cells = [(cell.row, cell.column, cell.row_span, cell.column_span, cell.text, cell.header) for cell in table.cells]
    assert (table.rows, table.columns) == (4, 2)
    assert cells == [
        (0, 0, 1, 1, "Name", True), (0, 1, 1, 1, "Year", True), (1, 0, 1, 1, "Ada", False), (1, 1, 1, 1, "1815", False),
        (3, 0, 1, 2, "both", False),
    ]  # fmt: skip


def test_title_author_and_time(read: Read) -> None:
    core = (
        '<p:coreProperties xmlns:p="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"><dc:title>Costs\n2024</dc:title>'
        "<dc:creator>Ada</dc:creator><dcterms:created>2024-03-01T08:30:00+01:00</dcterms:created></p:coreProperties>"
    )
    document = read(xlsx({"S": small()}, extra={"docProps/core.xml": core}), XLSX)
    assert (document.title, list(document.authors), document.create_time.ToJsonString()) == (
        "Costs 2024",
        ["Ada"],
        "2024-03-01T07:30:00Z",
    )


def test_ods(read: Read) -> None:
    body = (
        '<table:table table:name="Plan"><table:table-row><table:table-cell office:value-type="string"><text:p>word</text:p>'
        '</table:table-cell><table:table-cell table:number-columns-repeated="2" office:value-type="float" office:value="3"/>'
        '<table:table-cell office:value-type="date" office:date-value="2024-03-01"><text:p>1.3.</text:p></table:table-cell>'
        '</table:table-row><table:table-row table:number-rows-repeated="1048575">'
        '<table:table-cell table:number-columns-repeated="16384"/></table:table-row></table:table>'
    )
    document = read(ods(body), "", "plan.ods")
    assert (document.title, document.elements[0].text.text) == ("Plan", "Plan")
    assert grid(document.elements[1]) == [["word", "3", "3", "2024-03-01"]]


def test_xls(read: Read) -> None:
    document = read(xls({(1, 1): "naïve", (1, 2): 1.5, (3, 1): 2.0}))
    assert (document.media_type, document.media_type_source) == ("application/vnd.ms-excel", "content")
    assert document.elements[0].text.text == "Old"
    assert grid(document.elements[1]) == [["naïve", "1.5"], ["", ""], ["2", ""]]


def test_twenty_thousand_rows_are_all_there(read: Read) -> None:
    rows = "".join(
        f'<row r="{n}"><c r="A{n}"><v>{n}</v></c><c r="B{n}" t="str"><v>{"x" * (n % 300)}</v></c></row>' for n in range(1, 20_001)
    )
    document: Any = read(xlsx({"S": f"<sheetData>{rows}</sheetData>"}), XLSX)
    assert [row[0] for row in grid(document.elements[1])] == [str(n) for n in range(1, 20_001)]
    assert [len(row[1]) for row in grid(document.elements[1])] == [n % 300 for n in range(1, 20_001)]
