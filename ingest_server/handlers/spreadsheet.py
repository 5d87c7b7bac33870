"""Reads spreadsheets (XLSX, XLSM, XLSB, XLS, ODS): each sheet is a page with its name as heading and its cells as a table.

Values are those the file holds: a formula gives the value it was last saved with. Dates, times, booleans and percentages (of XLSX
and XLSM) are written as people read them. Rows and columns outside the used area are left out, empty cells are not in the table,
and a merged cell is one cell with its spans (not in ODS and XLSB: the library does not tell them there). The table of a hidden
sheet has the caption "hidden sheet".

The library answers a sheet whose corners are far apart by a failed allocation that ends the process, so it runs in a child.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import UTC, datetime

import python_calamine as calamine

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.elements import HEADING
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.isolation import Report, child_limits, run_isolated
from ingest_server.handlers.office.xml_events import PartFault
from ingest_server.handlers.operator import reader_limits
from ingest_server.handlers.reader import DocumentReader, ReadOptions
from ingest_server.handlers.source import Source
from ingest_server.handlers.spreadsheet_package import SpreadsheetPackage
from ingest_server.handlers.table_bytes import HEADER_SAMPLE_ROWS, CellBytes, Value, has_header

SHEETS_MAX = 10_000
"""Sheets of a document; the largest in use have some hundred."""
HIDDEN_CAPTION = "hidden sheet"

_ENCRYPTED = calamine.PasswordError
_DAMAGED = (calamine.CalamineError, PartFault, OSError, ValueError, OverflowError)
"""OverflowError: a duration of more days than Python's type holds."""


class SpreadsheetReader(DocumentReader):
    """Reads spreadsheets. See the module."""

    media_types = (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.ms-excel.sheet.macroenabled.12",
        "application/vnd.ms-excel.sheet.binary.macroenabled.12",
        "application/vnd.ms-excel",
        "application/vnd.oasis.opendocument.spreadsheet",
    )

    def read(self, source: Source, options: ReadOptions, context: Context) -> document_pb2.Document:
        """Read it. Pages are sheets. See `DocumentReader.read`."""
        return document_pb2.Document.FromString(self.read_serialized(source, options, context))

    def read_serialized(self, source: Source, options: ReadOptions, context: Context) -> bytes:
        """Read it in a child process: 200,000 cells take 0.25 s. See `DocumentReader.read_serialized`."""
        path = None if source.in_memory else str(source.path())
        data = source.data() if path is None else b""

        def work(report: Report) -> bytes:
            return _read(data if path is None else path, options, report)

        return run_isolated(work, child_limits(), context, "page")


def _read(given: bytes | str, options: ReadOptions, report: Report) -> bytes:
    """All of the document, serialized. Runs in the child."""
    document = document_pb2.Document()
    try:
        with io.BytesIO(given) if isinstance(given, bytes) else open(given, "rb") as file:
            package = SpreadsheetPackage.of(file)
            if package is not None:
                package.check_sizes()
                _fill(document, package)
            file.seek(0)
            workbook = calamine.load_workbook(file if isinstance(given, bytes) else given)
            return _sheets(workbook, package, document, options, report)
    except _ENCRYPTED as error:
        raise _encrypted() from error
    except _DAMAGED as error:
        raise _malformed(f"The spreadsheet is damaged, or not what its type says: {error}") from error


def _fill(document: document_pb2.Document, package: SpreadsheetPackage) -> None:
    """Set what the document says about itself."""
    about = package.about()
    document.title = about.get("title", "")
    if about.get("creator"):
        document.authors.append(about["creator"])
    try:
        created = datetime.fromisoformat(about.get("created", ""))
        document.create_time.FromDatetime((created if created.tzinfo else created.replace(tzinfo=UTC)).astimezone(UTC))
    except (ValueError, OverflowError):
        pass  # Missing, or no date: unset.


def _sheets(
    workbook: calamine.CalamineWorkbook,
    package: SpreadsheetPackage | None,
    document: document_pb2.Document,
    options: ReadOptions,
    report: Report,
) -> bytes:
    """Read the sheets asked for, in order; those that cannot be read become issues."""
    sheets = workbook.sheets_metadata
    total = len(sheets)
    if total > SHEETS_MAX:
        raise _malformed(f"The spreadsheet has {total} sheets; at most {SHEETS_MAX} are read")
    document.page_count = total
    first, last = max(options.first_page, 1), min(options.last_page or total, total)
    if first > max(total, 1):
        raise HandlerFailure(
            f"first_page is {first}, but the spreadsheet has {total} sheets. Ask for pages 1 to {total}.",
            reason=Reason.INVALID_OPTIONS,
            code=Code.INVALID_ARGUMENT,
            retryable=False,
            metadata={"page_count": str(total)},
        )
    elements: list[bytes] = []
    # Positions are rows × columns between the used corners; the library keeps 32 bytes for each, empty or not.
    room = positions_max = reader_limits().read_table_cells_max
    faults: list[str] = []
    for page in range(first, last + 1):
        about = sheets[page - 1]
        try:
            sheet = workbook.get_sheet_by_index(page - 1)
            positions = sheet.height * sheet.width
            if positions > room:
                _issue(document, page, "SHEET_TOO_LARGE", f"the sheet {about.name!r} of {sheet.height} × {sheet.width} positions "
                       f"is left out: at most {positions_max} are read of a document (read_table_cells_max)")  # fmt: skip
                continue
            room -= positions
            cells = _cells(sheet, package.percents(about.name) if package is not None else set())
        except _ENCRYPTED:
            raise
        except _DAMAGED as error:
            # Charts and dialogs are sheets, too, and have no cells.
            if about.typ == calamine.SheetTypeEnum.WorkSheet:
                faults.append(f"the sheet {about.name!r} cannot be read: {error}")
                _issue(document, page, "SHEET_UNREADABLE", faults[-1])
            continue
        if cells.cells:
            hidden = about.visible != calamine.SheetVisibleEnum.Visible
            elements += (_heading(about.name, len(elements) + 1, page), b"")
            elements[-1] = cells.element(len(elements), page=page, caption=HIDDEN_CAPTION if hidden else "")
        report(page - first + 1, last - first + 1)
    if faults and not elements and len(faults) == last - first + 1:
        raise _malformed(f"The spreadsheet is damaged: {faults[0]}")
    return document.SerializeToString() + b"".join(elements)


def _cells(sheet: calamine.CalamineSheet, percents: set[tuple[int, int]]) -> CellBytes:
    """The used area of a sheet. `percents`: (row, column) from 0 of cells that are percentages."""
    cells = CellBytes()
    start = sheet.start
    if start is None:
        return cells
    top, left = start
    # Rows come from the first of the sheet on, columns from the first that is used.
    rows: list[list[Value]] = [row for index, row in enumerate(sheet.iter_rows()) if index >= top]
    for row, column in percents:
        if 0 <= row - top < len(rows) and 0 <= column - left < len(rows[row - top]):
            value = rows[row - top][column - left]
            if isinstance(value, float):
                rows[row - top][column - left] = f"{value * 100:.12g}%"
    while rows and not any(map(_shown, rows[-1])):
        rows.pop()
    skipped = 0
    while skipped < len(rows) and not any(map(_shown, rows[skipped])):
        skipped += 1
    del rows[:skipped]
    spans = _merge(rows, sheet.merged_cell_ranges or [], top + skipped, left)
    header = has_header(rows[: HEADER_SAMPLE_ROWS + 1])
    for index, values in enumerate(rows):
        cells.add(values, header=header and index == 0, spans=spans.get(index))
    return cells


def _shown(value: Value) -> bool:
    """Whether a cell shows anything."""
    return not isinstance(value, str) or bool(value.strip())


def _merge(
    rows: list[list[Value]], ranges: Iterable[tuple[tuple[int, int], tuple[int, int]]], top: int, left: int
) -> dict[int, dict[int, tuple[int, int]]]:
    """Empty the places that merged cells cover, and tell the spans of those that cover them: row → column → (down, across).

    Ranges are cut to the used area. Of two that overlap the first counts; that also bounds the work by the area.
    """
    spans: dict[int, dict[int, tuple[int, int]]] = {}
    taken: set[tuple[int, int]] = set()
    width = len(rows[0]) if rows else 0
    for (row, column), (last_row, last_column) in ranges:
        row, last_row = max(row - top, 0), min(last_row - top, len(rows) - 1)
        column, last_column = max(column - left, 0), min(last_column - left, width - 1)
        if row > last_row or column > last_column or (row, column) == (last_row, last_column):
            continue
        corners = {(row, column), (last_row, column), (row, last_column), (last_row, last_column)}
        if corners & taken:
            continue
        for down in range(row, last_row + 1):
            taken.update((down, across) for across in range(column, last_column + 1))
            covered = range(column + (down == row), last_column + 1)
            rows[down][covered.start : covered.stop] = [""] * len(covered)
        spans.setdefault(row, {})[column] = (last_row - row + 1, last_column - column + 1)
    return spans


def _heading(name: str, number: int, page: int) -> bytes:
    element = document_pb2.Element(id=f"e{number}", page=page, heading_level=1)
    element.text.text, element.text.role = name, HEADING
    return document_pb2.Document(elements=[element]).SerializeToString()


def _issue(document: document_pb2.Document, page: int, reason: str, message: str) -> None:
    document.issues.append(document_pb2.DocumentIssue(page=page, reason=reason, message=message))


def _encrypted() -> HandlerFailure:
    return HandlerFailure(
        "The spreadsheet is encrypted, and no method of encrypting spreadsheets is supported. Save it without a password.",
        reason=Reason.DOCUMENT_ENCRYPTED,
        code=Code.FAILED_PRECONDITION,
        retryable=False,
        metadata={"password": "unsupported"},
    )


def _malformed(message: str) -> HandlerFailure:
    return HandlerFailure(
        message.rstrip(".") + ". Open it in a spreadsheet program and save it anew.",
        reason=Reason.DOCUMENT_MALFORMED,
        code=Code.INVALID_ARGUMENT,
        retryable=False,
    )
