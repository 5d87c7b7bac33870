"""Reads delimited text (CSV, TSV; RFC 4180 and what programs make of it) into one table.

The encoding is decided as for all text. The delimiter is the one that parts the first lines most evenly, unless the first line
names it ("sep=;", as spreadsheet programs write). Rows may have different lengths. A quotation mark that is never closed is text.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections import Counter
from collections.abc import Callable, Iterator

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.encoding import decode
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.isolation import read_apart_if_large
from ingest_server.handlers.operator import reader_limits
from ingest_server.handlers.reader import DocumentReader, ReadOptions
from ingest_server.handlers.source import Source
from ingest_server.handlers.table_bytes import HEADER_SAMPLE_ROWS, CellBytes, has_header

COLUMNS_MAX = 16_384
"""Columns, as in spreadsheets. More is text that merely has many commas."""
SAMPLE_CHARACTERS = 64 * 1024
"""How much is looked at to tell the delimiter."""
ROWS_PER_CHECK = 1_000
"""Rows read between two looks at the cancel flag; a few milliseconds."""
DELIMITERS = ",;\t|"
"""In the order in which ties are broken: the format is named after the first."""

csv.field_size_limit(2**31 - 1)  # A field may be as long as a document; the library's own limit is 128 KiB.


class DelimitedReader(DocumentReader):
    """Reads CSV and TSV. See the module."""

    media_types = ("text/csv", "text/tab-separated-values")

    def read(self, source: Source, options: ReadOptions, context: Context) -> document_pb2.Document:
        """Read it; it has no pages. See `DocumentReader.read`."""
        return document_pb2.Document.FromString(self.read_serialized(source, options, context))

    def read_serialized(self, source: Source, options: ReadOptions, context: Context) -> bytes:
        """Read it row by row. See `DocumentReader.read_serialized`."""
        bytes_max = reader_limits().read_text_bytes_max  # the text is held whole, in up to four bytes a character
        if source.size_bytes > bytes_max:
            raise _malformed(
                f"The table has {source.size_bytes} bytes; at most {bytes_max} are read (read_text_bytes_max). Split it"
            )
        # One row of commas takes eight times its size, so what is large is read within limits.
        return read_apart_if_large(source, _read, context)


def _read(source: Source, check: Callable[[], None]) -> bytes:
    """All of the document, serialized; `check` is called every `ROWS_PER_CHECK` rows."""
    text, _ = decode(source.data(), source.media_type.charset)
    text, delimiter = _named_delimiter(text)
    if not delimiter:
        usual = "\t" if source.media_type.media_type == "text/tab-separated-values" else ","
        delimiter = delimiter_of(text[:SAMPLE_CHARACTERS], usual)
    quoting = csv.QUOTE_MINIMAL if _closed(text, delimiter) else csv.QUOTE_NONE
    cells, cut = _cells(rows_of(text, delimiter, quoting), check)
    document = document_pb2.Document()
    if cut:
        document.issues.append(document_pb2.DocumentIssue(reason="TABLE_CUT", message=cut))
    return document.SerializeToString() + (cells.element(1) if cells.cells else b"")


def delimiter_of(sample: str, usual: str) -> str:
    """The delimiter of some text.

    Args:
        sample: its beginning; the last line may be cut off.
        usual: what its type suggests; taken where nothing tells.

    Returns:
        Of `DELIMITERS` the one by which most rows have the same number of fields, two or more; of several the one with more
        fields.
    """
    cut = sample.rfind("\n")
    lines = sample[: cut + 1] if cut > 0 and len(sample) >= SAMPLE_CHARACTERS else sample
    best, best_score = usual, (0.0, 0)
    for delimiter in sorted(DELIMITERS, key=lambda candidate: candidate != usual):
        counts = Counter(map(len, rows_of(lines, delimiter, csv.QUOTE_MINIMAL)))
        total = sum(counts.values())
        fields, rows = max(
            ((fields, rows) for fields, rows in counts.items() if fields > 1), key=lambda pair: pair[1], default=(0, 0)
        )
        score = (round(rows / total, 1) if total else 0.0, fields)
        if fields and score > best_score:
            best, best_score = delimiter, score
    return best


def rows_of(text: str, delimiter: str, quoting: int) -> Iterator[list[str]]:
    """Rows that are not blank. Lines end with LF, CR LF or CR; within quotation marks they belong to the field."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting)  # type: ignore[arg-type]
    return (row for row in rows if row)


def _named_delimiter(text: str) -> tuple[str, str]:
    """The text without a first line that names the delimiter, and that; "" if there is no such line."""
    head = text[:16].partition("\n")[0].removesuffix("\r").strip('"')
    if len(head) == 5 and head.lower().startswith("sep=") and head[4] not in '"\r\n':
        return text.partition("\n")[2], head[4]
    return text, ""


def _closed(text: str, delimiter: str) -> bool:
    """Whether every quotation mark that opens a field is closed."""
    if '"' not in text:
        return True
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        try:
            for _ in rows:
                pass
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                return False
            continue  # Text behind a closing mark is common, and read as it stands.
        return True


def _cells(rows: Iterator[list[str]], check: Callable[[], None]) -> tuple[CellBytes, str]:
    """The table, and why it was cut; "" if it is whole."""
    cells = CellBytes()
    cells_max = reader_limits().read_table_cells_max  # with text; about 25 bytes each in the result besides the text
    first = list(itertools.islice(rows, HEADER_SAMPLE_ROWS + 1))
    header = has_header(first)
    for number, row in enumerate(itertools.chain(first, rows)):
        if number % ROWS_PER_CHECK == 0:
            check()
        if cells.cells >= cells_max:
            return cells, f"the table was cut after {cells.rows} rows: at most {cells_max} cells are read (read_table_cells_max)"
        if len(row) > COLUMNS_MAX:
            raise _malformed(
                f"Row {number + 1} of the table has {len(row)} fields; at most {COLUMNS_MAX} are read. Declare its true type"
            )
        cells.add(row, header=header and number == 0)
    return cells, ""


def _malformed(message: str) -> HandlerFailure:
    return HandlerFailure(
        message + ".",
        reason=Reason.DOCUMENT_MALFORMED,
        code=Code.INVALID_ARGUMENT,
        retryable=False,
    )
