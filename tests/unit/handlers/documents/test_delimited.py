"""CSV and TSV: text that is no table first, then what tables hold, then any table at all, written and read again."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.v1 import document_pb2
from ingest_server.handlers import delimited
from ingest_server.handlers.extract import extract
from ingest_server.handlers.extract_options import ExtractOptions
from ingest_server.handlers.interface import Cancelled, HandlerFailure
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput, Read, SetLimits, document_of


def grid(document: document_pb2.Document) -> list[list[str]]:
    """Cells by their places; "" where there is none."""
    if not document.elements:
        return []
    table = document.elements[0].table
    rows = [[""] * table.columns for _ in range(table.rows)]
    for cell in table.cells:
        rows[cell.row][cell.column] = cell.text
    return rows


@pytest.mark.parametrize("data", [bytes(range(32)) * 50, b"a,b\n" + b"\x01\x02" * 200])
def test_binary_is_refused(read: Read, data: bytes) -> None:
    with pytest.raises(HandlerFailure, match="control characters") as caught:
        read(data, "text/csv")
    assert caught.value.reason == "DOCUMENT_MALFORMED"


def test_too_many_columns_and_bytes_are_refused(read: Read, limits: SetLimits) -> None:
    with pytest.raises(HandlerFailure, match="Row 2 of the table has 16385 fields; at most 16384 are read"):
        read(b"a,b\n" + b"," * 16_384, "text/csv")
    limits(read_text_bytes_max=5)
    with pytest.raises(HandlerFailure, match="has 6 bytes; at most 5 are read"):
        read(b"a,b,c\n", "text/csv")


def test_too_many_cells_cut_the_table_and_say_so(read: Read, limits: SetLimits) -> None:
    limits(read_table_cells_max=4)
    document = read(b"1,2\n3,4\n5,6\n", "text/csv")
    assert grid(document) == [["1", "2"], ["3", "4"]]
    assert [(issue.reason, issue.message) for issue in document.issues] == [
        ("TABLE_CUT", "the table was cut after 2 rows: at most 4 cells are read (read_table_cells_max)")
    ]


def test_a_mark_that_is_never_closed_swallows_nothing(read: Read) -> None:
    rows = "".join(f"{number},value\n" for number in range(100))
    assert len(grid(read(b'screen,"24 inch\n' + rows.encode(), "text/csv"))) == 101


def test_large_tables_are_read_within_limits(read: Read, tmp_path: Path, limits: SetLimits) -> None:
    file = tmp_path / "large.csv"
    file.write_bytes(b"".join(b"%d,%d,some text that makes the row longer\n" % (number, number % 7) for number in range(120_000)))
    table = read(file, "text/csv").elements[0].table
    assert (table.rows, table.columns, table.cells[-3].text) == (120_000, 3, "119999")
    file.write_bytes(b"," * 30_000_000)
    limits(read_child_memory_bytes_max=64 * 1024 * 1024)
    with pytest.raises(HandlerFailure, match="needs more than 67108864 bytes of memory"):
        read(file, "text/csv")


def test_a_long_field_is_whole(read: Read) -> None:
    assert grid(read(b"a,b\n" + b"x" * 500_000 + b",y\n", "text/csv"))[1] == ["x" * 500_000, "y"]


def test_a_cancelled_attempt_gives_way() -> None:
    with pytest.raises(Cancelled):
        extract(FakeContext(FakeInput(b"a,b\n" * 5_000, "text/csv"), cancel_after=3), ExtractOptions())


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"", None),
        (b"\n\n", []),
        (b"one\ntwo\n", [["one"], ["two"]]),
        (b"a,b\r\n1,2\r\n", [["a", "b"], ["1", "2"]]),
        (b"a,b\r1,2\r", [["a", "b"], ["1", "2"]]),
        (b"\xef\xbb\xbfa;b\n1,5;2\n", [["a", "b"], ["1,5", "2"]]),
        (b"a\tb, c\td\n1\t2, 3\t4\n", [["a", "b, c", "d"], ["1", "2, 3", "4"]]),
        (b"a|b\n1|2\n", [["a", "b"], ["1", "2"]]),
        (b"sep=;\na;b,c\n", [["a", "b,c"]]),
        (b'"line\none",2\n"say ""hi""",3\n', [["line\none", "2"], ['say "hi"', "3"]]),
        (b'"a"b,2\nc,3\n', [["ab", "2"], ["c", "3"]]),
        (b"1\n1,2,3\n1,2\n", [["1", "", ""], ["1", "2", "3"], ["1", "2", ""]]),
        ("naïve;Straße\n1;2\n".encode("utf-16"), [["naïve", "Straße"], ["1", "2"]]),
        (b"caf\xe9,1\nth\xe9,2\n", [["café", "1"], ["thé", "2"]]),
        (b"a,,\n,,\n,b,\n", [["a", "", ""], ["", "", ""], ["", "b", ""]]),
    ],
)
def test_tables(read: Read, data: bytes, rows: list[list[str]] | None) -> None:
    if rows is None:
        with pytest.raises(HandlerFailure, match="empty"):
            read(data, "text/csv")
    else:
        assert grid(read(data, "text/csv")) == rows


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (b"name,year\nAda,1815\n", True),
        (b"name,name\nAda,1815\n", False),
        (b"1,2\n3,4\n", False),
        (b"name,\nAda,1815\n", False),
        (b"name,year\n", False),
        (b"2024-01,x\n3,4\n", True),
    ],
)
def test_header(read: Read, data: bytes, header: bool) -> None:
    cells = read(data, "text/csv").elements[0].table.cells
    assert {cell.header for cell in cells if cell.row == 0} == {header}
    assert not any(cell.header for cell in cells if cell.row)


@pytest.mark.parametrize(("name", "media_type"), [("a.csv", "text/csv"), ("a.TSV", "text/tab-separated-values")])
def test_type_by_name(read: Read, name: str, media_type: str) -> None:
    document = read(b"a\tb\nc\td\n", "", name)
    assert (document.media_type, document.media_type_source) == (media_type, "name")
    assert grid(document) == [["a", "b"], ["c", "d"]]


words = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1, max_size=12)
fields = st.one_of(words, st.builds(lambda one, other: f'{one},"{other}"\n;\t|{one}', words, words))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.integers(2, 5).flatmap(
        lambda width: st.lists(st.lists(fields, min_size=width, max_size=width), min_size=1, max_size=6)
    ),
    delimiter=st.sampled_from(delimited.DELIMITERS),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_any_table_that_is_written_is_read_again(rows: list[list[str]], delimiter: str, end: str, encoding: str) -> None:
    file = io.StringIO(newline="")
    file.write(f"sep={delimiter}{end}")
    csv.writer(file, delimiter=delimiter, lineterminator=end).writerows(rows)
    data = file.getvalue().encode(encoding)
    document = document_of(extract(FakeContext(FakeInput(data, "text/csv; charset=utf-8")), ExtractOptions()))
    assert grid(document) == [[field.strip() for field in row] for row in rows]


@settings(max_examples=200, deadline=None)
@given(data=st.binary(min_size=1, max_size=300))
def test_any_bytes_end_as_a_table_or_a_clear_failure(data: bytes) -> None:
    try:
        output = extract(FakeContext(FakeInput(data, "text/csv")), ExtractOptions())
    except HandlerFailure as caught:
        failure: HandlerFailure | None = caught
    else:
        failure = None
        assert len(document_of(output).elements) <= 1
    assert failure is None or failure.reason in ("DOCUMENT_MALFORMED", "MEDIA_TYPE_NOT_SUPPORTED")
