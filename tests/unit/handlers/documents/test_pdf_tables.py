"""Tables of PDFs: hostile pages first, then that the right cells are found, and nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from reportlab.lib import colors
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Table

from ingest.v1 import document_pb2, job_pb2
from ingest_server.domain.errors import Code
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.pdf.library import close_page, load_page, open_bytes, pointer
from ingest_server.handlers.pdf.tables import rulings
from ingest_server.handlers.pdf.tables.lattice import lattices
from ingest_server.handlers.pdf.tables.rulings import Ruling, Rulings
from tests.unit.handlers.documents.conftest import Read

WHOLE = ((0, 0), (-1, -1))
GRID = [("GRID", *WHOLE, 0.5, colors.black)]
LINES = [["Name", "Weight", "Price"], ["Anchor", "12.5", "99"], ["Buoy", "3.0", "17"], ["Cleat", "0.4", "5"]]


def pdf(draw: Callable[[Canvas], None]) -> bytes:
    output = io.BytesIO()
    canvas = Canvas(output, (600, 800), invariant=1)
    draw(canvas)
    canvas.showPage()
    canvas.save()
    return output.getvalue()


def with_table(lines: Sequence[Sequence[str]], style: Sequence[object] = (), x: float = 80, y: float = 500) -> bytes:
    def draw(canvas: Canvas) -> None:
        table = Table(lines, style=list(style))
        table.wrap(10_000, 10_000)
        canvas.drawString(80, 760, "The words above the table are a paragraph of their own.")
        table.drawOn(canvas, x, y)
        canvas.drawString(80, 300, "The words below the table are another paragraph.")

    return pdf(draw)


def tables(document: document_pb2.Document) -> list[document_pb2.Element]:
    return [element for element in document.elements if element.WhichOneof("kind") == "table"]


def texts(document: document_pb2.Document) -> str:
    return " ".join(element.text.text for element in document.elements)


def rows(element: document_pb2.Element) -> list[list[str]]:
    table = element.table
    found = [[""] * table.columns for _ in range(table.rows)]
    for cell in table.cells:
        found[cell.row][cell.column] = cell.text
    return found


def test_a_page_of_200_000_lines_is_read_as_text_in_bounded_work(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.BytesIO()
    canvas = Canvas(output, (600, 800), invariant=1)
    canvas.drawString(80, 700, "A map of some town")
    canvas.drawString(80, 680, "in two lines")
    canvas._code += [f"{number % 600} {number % 800} m {number % 599 + 1} {number % 800} l S" for number in range(200_000)]
    canvas.showPage()
    canvas.save()
    looked_at = 0
    of_path = rulings._Gatherer._path

    def counted(*arguments: object) -> object:
        nonlocal looked_at
        looked_at += 1
        return of_path(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(rulings._Gatherer, "_path", counted)
    document = read(output.getvalue())
    assert not tables(document)
    assert "A map of some town" in texts(document)
    assert looked_at <= rulings.PATHS_MAX


def test_one_path_of_a_million_corners_is_not_gone_through(read: Read) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.drawString(80, 700, "One line")
        canvas.drawString(80, 680, "and another")
        path = canvas.beginPath()
        path.moveTo(0, 0)
        for number in range(60_000):
            path.lineTo(number % 600, number % 2 * 800)
        canvas.drawPath(path)

    document = read(pdf(draw))
    assert not tables(document)
    assert "One line" in texts(document)


@pytest.mark.parametrize("huge", ["9e30", "-9e30", "340282346638528859811704183484516925440", "0.0000001"])
def test_coordinates_beyond_any_page_do_no_harm(read: Read, huge: str) -> None:
    data = with_table(LINES, GRID)

    def draw(canvas: Canvas) -> None:
        for number in range(20):
            canvas._code.append(f"0 {huge} m {huge} {number} l S {huge} {huge} {huge} {huge} re f 0 0 0 0 re f")
        table = Table(LINES, style=GRID)
        table.wrap(1000, 1000)
        table.drawOn(canvas, 80, 500)

    assert rows(tables(read(data))[0]) == LINES
    assert [rows(table) for table in tables(read(pdf(draw)))] == [LINES]


def test_forms_within_forms_end(read: Read) -> None:
    """A form that draws itself: pdfium stops, and so do we."""
    content = b"0 0 m 10 0 l S /F Do"
    stream = b"<< /Type /XObject /Subtype /Form /BBox [0 0 600 800] /Resources << /XObject << /F 4 0 R >> >> /Length %d >>"
    page = b"BT /T 12 Tf 80 700 Td (Some words) Tj 0 -20 Td (and more) Tj ET /F Do"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 5 0 R /Resources << /XObject << /F 4 0 R >> "
        b"/Font << /T << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        stream % len(content) + b"\nstream\n" + content + b"\nendstream",
        b"<< /Length %d >>\nstream\n" % len(page) + page + b"\nendstream",
    ]
    data = b"%PDF-1.7\n" + b"".join(b"%d 0 obj\n%s\nendobj\n" % (number, each) for number, each in enumerate(objects, 1))
    document = read(data + b"trailer << /Root 1 0 R /Size 6 >>\n")
    assert "Some words" in texts(document)
    assert not tables(document)


def test_a_lattice_of_more_places_than_a_page_holds_is_none() -> None:
    across = [Ruling(4.0 * number, 0.0, 800.0) for number in range(200)]
    assert lattices(Rulings(across, across)) == ([], [])


def test_rulings_of_a_page_with_too_many_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rulings, "RULINGS_MAX", 3)
    with open_bytes(with_table(LINES, GRID), "") as document:
        address = load_page(document.address, 0)

        class Text:
            width, height = 600.0, 800.0

            def shown(self, *edges: object) -> object:
                return edges

        assert rulings.rulings_of(address, Text()) is rulings.NO_RULINGS  # type: ignore[arg-type]
        close_page(pointer(address))


@pytest.mark.parametrize("style", [GRID, [], [("LINEBELOW", (0, 0), (-1, 0), 1, colors.black)]], ids=["grid", "none", "head"])
def test_a_table_stands_between_its_neighbours_and_in_no_paragraph(read: Read, style: list[object]) -> None:
    document = read(with_table(LINES, style))
    above, table, below = document.elements
    assert above.text.text.startswith("The words above")
    assert below.text.text.startswith("The words below")
    assert rows(table) == LINES
    assert [element.id for element in document.elements] == ["e1", "e2", "e3"]
    assert [cell.header for cell in table.table.cells] == [True] * 3 + [False] * 9
    box = table.bounding_box
    assert 70 < box.left < 95 < 170 < box.right < 300
    assert 200 < box.top < 240 < 290 <= box.bottom < 310


def test_columns_of_numbers_without_a_header_have_none(read: Read) -> None:
    table = tables(read(with_table([["1", "2.5"], ["3", "4.5"], ["5", "6.5"]], GRID)))[0].table
    assert not any(cell.header for cell in table.cells)


def test_cells_span_rows_and_columns(read: Read) -> None:
    lines = [["Place", "Depth", ""], ["", "low", "high"], ["North", "1", "2"], ["", "3", "4"]]
    spans = [("SPAN", (0, 0), (0, 1)), ("SPAN", (1, 0), (2, 0)), ("SPAN", (0, 2), (0, 3))]
    table = tables(read(with_table(lines, [*GRID, *spans, ("VALIGN", *WHOLE, "MIDDLE")])))[0].table
    found = {cell.text: (cell.row, cell.column, cell.row_span, cell.column_span, cell.header) for cell in table.cells}
    assert (table.rows, table.columns) == (4, 3)
    assert found["Place"] == (0, 0, 2, 1, True)
    assert found["Depth"] == (0, 1, 1, 2, True)
    assert found["high"] == (1, 2, 1, 1, True)
    assert found["North"] == (2, 0, 2, 1, False)
    assert found["4"] == (3, 2, 1, 1, False)


def test_lines_of_one_cell_are_joined(read: Read) -> None:
    lines = [["Part", "What it is for"], ["Anchor", "holds the ship\nwhere it is"], ["Buoy", "tells\nwhere\nit is"]]
    for style in (GRID, [("LINEBELOW", *WHOLE, 0.5, colors.black)]):
        found = rows(tables(read(with_table(lines, [*style, ("VALIGN", *WHOLE, "TOP")])))[0])
        assert found == [[" ".join(text.split()) for text in line] for line in lines]


def test_backgrounds_part_cells(read: Read) -> None:
    def draw(fill: colors.Color) -> Callable[[Canvas], None]:
        def on(canvas: Canvas) -> None:
            for row in range(3):
                for column in range(2):
                    canvas.setFillColor(fill)
                    canvas.rect(100 + 62 * column, 600 - 22 * row, 60, 20, stroke=0, fill=1)
                    canvas.setFillColor(colors.black)
                    canvas.drawString(104 + 62 * column, 605 - 22 * row, f"r{row} c{column}")

        return on

    (table,) = tables(read(pdf(draw(colors.lightgrey))))
    assert rows(table) == [["r0 c0", "r0 c1"], ["r1 c0", "r1 c1"], ["r2 c0", "r2 c1"]]


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_table_on_a_turned_page_is_read_as_shown(read: Read, turn: int) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setPageRotation(turn)
        canvas.translate(*{90: (800, 0), 180: (600, 800), 270: (0, 600)}[turn])
        canvas.rotate(turn)
        table = Table(LINES, style=GRID)
        table.wrap(1000, 1000)
        table.drawOn(canvas, 80, 500)

    (table,) = tables(read(pdf(draw)))
    assert rows(table) == LINES
    assert 70 < table.bounding_box.left < 90


def test_lines_within_a_form_count(read: Read) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.beginForm("lines")
        for place in range(5):
            canvas.line(0, 20 * place, 160, 20 * place)
        for place in range(3):
            canvas.line(80 * place, 0, 80 * place, 80)
        canvas.endForm()
        canvas.saveState()
        canvas.translate(100, 500)
        canvas.doForm("lines")
        canvas.restoreState()
        for row in range(4):
            # One cell may reach to the next: only the lines part them.
            canvas.drawString(103, 565 - 20 * row, "is up to the line"[: 13 + row])
            canvas.drawString(183, 565 - 20 * row, f"right {row}")

    (table,) = tables(read(pdf(draw)))
    assert [line[1] for line in rows(table)] == ["right 0", "right 1", "right 2", "right 3"]


def test_tables_are_left_as_text_when_they_are_not_wanted(read: Read) -> None:
    document = read(with_table(LINES, GRID), tables=job_pb2.TABLE_MODE_OFF)
    assert not tables(document)
    assert "Anchor 12.5 99" in texts(document)
    assert len(tables(read(with_table(LINES, GRID), tables=job_pb2.TABLE_MODE_ON))) == 1
    with pytest.raises(HandlerFailure, match="tables must be one of 0") as refused:
        read(with_table(LINES, GRID), tables=3)
    assert refused.value.code is Code.INVALID_ARGUMENT


def test_a_frame_around_text_is_no_table(read: Read) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.rect(90, 580, 300, 100)
        for line in range(5):
            canvas.drawString(100, 660 - 16 * line, "Text within a frame, line after line of it.")

    assert not tables(read(pdf(draw)))


def test_bars_and_labels_of_a_chart_are_no_table(read: Read) -> None:
    def draw(canvas: Canvas) -> None:
        for place in range(6):
            canvas.line(100, 400 + 40 * place, 400, 400 + 40 * place)
            canvas.drawRightString(95, 397 + 40 * place, str(20 * place))
            canvas.drawString(110 + 50 * place, 385, f"{2000 + place}")
            canvas.rect(110 + 50 * place, 400, 20, 30 * place, fill=1)
        canvas.line(100, 400, 100, 600)

    assert not tables(read(pdf(draw)))


def test_the_samples_without_tables_have_none(samples: Path, read: Read) -> None:
    for name in ("report.pdf", "columns.pdf", "columns_by_row.pdf", "rotated.pdf"):
        assert not tables(read(samples / name)), name
