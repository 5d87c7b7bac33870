"""JSON and JSON lines: damaged ones first, then what is made of sound ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.v1 import document_pb2
from ingest_server.handlers.extract import extract
from ingest_server.handlers.extract_options import ExtractOptions
from ingest_server.handlers.interface import Cancelled, HandlerFailure
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput, Read, SetLimits, document_of

JSON, LINES = "application/json", "application/jsonl"
ROOT = Path(__file__).parents[4]


def seen(document: document_pb2.Document) -> list[Any]:
    """Texts with a mark of their role, tables as rows."""
    marks = {2: "# ", 3: "- "}
    result: list[Any] = []
    for element in document.elements:
        if element.WhichOneof("kind") == "text":
            result.append(marks.get(element.text.role, "") + element.text.text)
            continue
        rows = [[""] * element.table.columns for _ in range(element.table.rows)]
        for cell in element.table.cells:
            rows[cell.row][cell.column] = cell.text
            assert cell.header == (cell.row == 0)
        result.append(rows)
    return result


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a": ', "no JSON: Expecting value: line 1 column 7"),
        (b"[" * 200_000, "nested too deeply"),
        (b"1" * 5_000, "no JSON: Exceeds the limit"),
        (b"[1, 2] x", "no JSON: Extra data"),
    ],
)
def test_damaged_json_is_refused(read: Read, data: bytes, message: str) -> None:
    with pytest.raises(HandlerFailure, match=message) as caught:
        read(data, JSON)
    assert (caught.value.reason, caught.value.retryable) == ("DOCUMENT_MALFORMED", False)


def test_bad_lines_are_issues_and_the_others_are_kept(read: Read) -> None:
    document = read(b'{"a": 1}\nbroken\n\n{"a": 2}\r\n' + b"x\n" * 150, LINES)
    assert seen(document) == [[["a"], ["1"], ["2"]]]
    assert document.issues[0].reason == "LINE_UNREADABLE"
    assert document.issues[0].message.startswith("line 2 is no JSON: Expecting value")
    assert (len(document.issues), document.issues[100].message) == (101, "51 further lines are no JSON")
    with pytest.raises(HandlerFailure, match="None of the 2 lines is JSON; line 1"):
        read(b"x\ny\n", LINES)


def test_large_documents_are_read_apart_and_too_large_ones_refused(read: Read, tmp_path: Path, limits: SetLimits) -> None:
    file = tmp_path / "large"
    file.write_bytes(b"[" + b",".join([b'{"name": "a long value that fills the file", "other": 1}'] * 90_000) + b"]")
    assert read(file, JSON).elements[0].table.rows == 90_001
    limits(read_text_bytes_max=1)
    with pytest.raises(HandlerFailure, match="at most 1 of JSON are read"):
        read(file, JSON)


READ_WITHIN = """
import sys
from pathlib import Path
from ingest_server.domain.reader_limits import ReaderLimits
from ingest_server.handlers.extract import ExtractOptions, extract
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.operator import OperatorSettings, use_operator_settings
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput

use_operator_settings(OperatorSettings(readers=ReaderLimits(read_child_memory_bytes_max=64 << 20)))
for path in map(Path, sys.argv[1:]):
    try:
        extract(FakeContext(FakeInput(path, "application/json")), ExtractOptions())
        print("read")
    except HandlerFailure as failure:
        print(failure.reason, failure.metadata)
"""


@pytest.mark.slow
def test_memory_of_what_is_read_apart_is_bounded(tmp_path: Path) -> None:
    """In a fresh process: the child inherits what memory its parent has to spare, and that of the tests' process is anybody's
    guess. Two million empty lists are 6 MB of text and 130 MB of objects; one string takes about what its text takes."""
    many, one = tmp_path / "many", tmp_path / "one"
    many.write_bytes(b"[" + b",".join([b"[]"] * 2_000_000) + b"]")
    one.write_bytes(b'"' + b"x" * 6_000_000 + b'"')
    command = [sys.executable, "-c", READ_WITHIN, str(many), str(one)]
    paths = os.pathsep.join((str(ROOT), str(ROOT / "protos")))
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True, env={"PYTHONPATH": paths})
    assert ended.stdout.splitlines() == ["DOCUMENT_MALFORMED {'limit': 'memory_bytes_max'}", "read"]


def test_a_cancelled_attempt_gives_way() -> None:
    data = json.dumps([[number] for number in range(3_000)]).encode()
    with pytest.raises(Cancelled):
        extract(FakeContext(FakeInput(data, JSON), cancel_after=2), ExtractOptions())


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        ("words", ["words"]),
        ([1, "two", None, True], ["- 1", "- two", "- true"]),
        ({"a": 1, "b": {"c": "x", "d": [1, 2]}}, ["a: 1", "# b", "c: x", "# b.d", "- 1", "- 2"]),
        ([{"a": 1, "b": "x"}, {"b": "y", "c": [1]}], [[["a", "b", "c"], ["1", "x", ""], ["", "y", "[1]"]]]),
        ([{"a": 1}, {"b": 2}, {"c": 3}], ["# [0]", "a: 1", "# [1]", "b: 2", "# [2]", "c: 3"]),
        ({"lone": "\ud800x"}, ["lone: ?x"]),
        ({"empty": [], "none": None}, ["empty: []", "none: "]),
        ([], []),
    ],
)
def test_values(read: Read, value: Any, elements: list[Any]) -> None:
    assert seen(read(json.dumps(value).encode(), JSON)) == elements


def test_deep_nesting_ends_as_json(read: Read) -> None:
    document = read(b'{"a":' * 100 + b"1" + b"}" * 100, JSON)
    assert document.elements[-1].text.text.count("{") == 68
    assert {element.heading_level for element in document.elements[:-1]} == {1, 2, 3, 4, 5, 6}


@pytest.mark.parametrize(
    ("name", "declared", "expected"),
    [
        ("a.json", "", (JSON, "name")),
        ("a.jsonl", "", (LINES, "name")),
        ("a.ndjson", "", (LINES, "name")),
        ("", "application/x-ndjson", (LINES, "declared")),
        ("", "", (JSON, "content")),
        ("a.md", "", ("text/markdown", "name")),
    ],
)
def test_type(read: Read, name: str, declared: str, expected: tuple[str, str]) -> None:
    document = read(b'{"a": 1}', declared, name)
    assert (document.media_type, document.media_type_source) == expected


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=100, deadline=None)
@given(value=values)
def test_any_value_is_read_and_numbered(value: Any) -> None:
    document = document_of(extract(FakeContext(FakeInput(json.dumps(value).encode(), JSON)), ExtractOptions()))
    assert [element.id for element in document.elements] == [f"e{number}" for number in range(1, len(document.elements) + 1)]
