"""PDF against what the samples hold: text, order, roles, boxes, metadata, encryption."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest_server.domain.errors import Code
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.pdf.hyphens import joined
from ingest_server.handlers.pdf.metadata import parse_date
from ingest_server.handlers.pdf.page_text import Line
from ingest_server.handlers.pdf.paragraphs import paragraphs
from ingest_server.handlers.pdf.reading_order import drawn_in_order, in_reading_order
from tests.unit.handlers.documents.conftest import Read
from tests.unit.handlers.documents.test_text_formats import seen


@pytest.mark.parametrize("name", ["report.pdf", "columns.pdf", "columns_by_row.pdf", "drawing.pdf", "owner_password.pdf"])
def test_elements_are_those_of_the_manifest(samples: Path, manifest: dict[str, Any], read: Read, name: str) -> None:
    entry = manifest[name]
    document = read(samples / name)
    assert seen(document) == entry["elements"]
    assert (document.title, list(document.authors), document.page_count) == (
        entry["title"],
        entry["authors"],
        entry["page_count"],
    )
    assert document.create_time.ToDatetime(UTC) == datetime(2000, 1, 1, tzinfo=UTC)


def test_boxes_lie_on_the_page_in_reading_order(samples: Path, read: Read) -> None:
    document = read(samples / "report.pdf")
    bottoms = dict.fromkeys(range(1, 6), 0.0)
    for element in document.elements:
        box = element.bounding_box
        assert 71 < box.left < box.right <= 595 - 71
        assert bottoms[element.page] - 3 < box.top < box.bottom < 842
        bottoms[element.page] = box.bottom


def test_page_range_keeps_page_numbers(samples: Path, read: Read) -> None:
    document = read(samples / "report.pdf", first_page=4, last_page=99)
    assert document.page_count == 5
    assert {element.page for element in document.elements} == {4, 5}
    with pytest.raises(HandlerFailure, match="first_page is 6, but the document has 5 pages"):
        read(samples / "report.pdf", first_page=6)


def test_turned_pages_have_boxes_as_shown(samples: Path, manifest: dict[str, Any], read: Read) -> None:
    expected = manifest["rotated.pdf"]["elements"]
    elements = read(samples / "rotated.pdf").elements
    assert [element.text.text for element in elements] == [each["text"] for each in expected]
    for element, each in zip(elements, expected, strict=True):
        box = element.bounding_box
        assert box.left == pytest.approx(each["left"], abs=1)
        assert box.top < each["baseline"] < box.bottom
        assert box.bottom - box.top < 1.5 * each["size"]
        assert box.right - box.left > 10 * each["size"]


def test_divided_words_are_joined_where_certain(samples: Path, manifest: dict[str, Any], read: Read) -> None:
    text = " ".join(element.text.text for element in read(samples / "hyphens.pdf").elements)
    for word in manifest["hyphens.pdf"]["words"]:
        assert word in text.split()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\ufffe\xad]", text)


@pytest.mark.parametrize(
    ("before", "after", "page", "expected"),
    [
        ("the light", "house stood", "", "the lighthouse stood"),
        ("a well", "known man", "a well-known fact", "a well-known man"),
        ("in UTF", "8 bytes", "", "in UTF-8 bytes"),
        ("by Jean", "Paul", "", "by Jean-Paul"),
        ("pre", "and postfix", "", "pre- and postfix"),
        ("Straßen", "bahn", "", "Straßenbahn"),
    ],
)
def test_joining(before: str, after: str, page: str, expected: str) -> None:
    assert joined(before, after, page) == expected


@pytest.mark.parametrize(("password", "state"), [("", "missing"), ("wrong", "wrong")])
def test_an_encrypted_document_says_what_is_missing(samples: Path, read: Read, password: str, state: str) -> None:
    with pytest.raises(HandlerFailure, match="password") as caught:
        read(samples / "encrypted.pdf", password=password)
    failure = caught.value
    assert (failure.reason, failure.code, failure.retryable) == ("DOCUMENT_ENCRYPTED", Code.FAILED_PRECONDITION, False)
    assert failure.metadata == {"password": state}
    assert "wrong" not in failure.message


def test_the_password_opens_it(samples: Path, manifest: dict[str, Any], read: Read) -> None:
    entry = manifest["encrypted.pdf"]
    assert seen(read(samples / "encrypted.pdf", password=entry["password"])) == entry["elements"]


def test_a_page_without_text_is_an_issue(samples: Path, manifest: dict[str, Any], read: Read) -> None:
    document = read(samples / "drawing.pdf")
    pages = manifest["drawing.pdf"]["pages_without_text"]
    assert [(issue.page, issue.reason) for issue in document.issues] == [(page, "PAGE_HAS_NO_TEXT") for page in pages]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("D:20240229123045+02'30'", datetime(2024, 2, 29, 10, 0, 45, tzinfo=UTC)),
        ("D:20240229123045Z", datetime(2024, 2, 29, 12, 30, 45, tzinfo=UTC)),
        ("D:2024", datetime(2024, 1, 1, tzinfo=UTC)),
        ("20240101", datetime(2024, 1, 1, tzinfo=UTC)),
        ("D:20249999", None),
        ("D:00010101000000+23'00'", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates(text: str, expected: datetime | None) -> None:
    assert parse_date(text) == expected


def line(text: str, left: float, top: float, width: float = 200, size: float = 10) -> Line:
    """A line as a page has it."""
    return Line(left, top, left + width, top + size, size, text, False, 0, len(text) - 1)


def test_columns_drawn_from_right_to_left_are_put_in_order() -> None:
    left = [line(f"left {n}", 50, 100 + 12 * n) for n in range(8)]
    right = [line(f"right {n}", 300, 100 + 12 * n) for n in range(8)]
    head = line("head", 50, 50, 450)
    foot = line("foot", 50, 700, 450)
    assert drawn_in_order([head, *left, *right, foot])
    drawn = [foot, *right, *left, head]
    assert not drawn_in_order(drawn)
    assert in_reading_order(drawn) == [head, *left, *right, foot]


def test_signs_of_a_paragraph() -> None:
    rows = [
        ("First line of a paragraph that is full", 65, 100, 235),
        ("second line of a paragraph that is full", 50, 112, 250),
        ("and its end.", 50, 124, 60),
        ("Indented start of the next paragraph is", 65, 136, 235),
        ("continued here.", 50, 148, 80),
        ("• an item", 50, 160, 60),
        ("• another item that goes on and on and on", 50, 172, 250),
        ("in a second line", 60, 184, 80),
        ("After a gap.", 50, 220, 80),
    ]
    result = paragraphs([line(text, left, top, width) for text, left, top, width in rows], "")
    assert [text for text, *_ in result] == [
        "First line of a paragraph that is full second line of a paragraph that is full and its end.",
        "Indented start of the next paragraph is continued here.",
        "• an item",
        "• another item that goes on and on and on in a second line",
        "After a gap.",
    ]
    assert result[0][1] == (50, 100, 300, 134)


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler-utils) is not installed")
@pytest.mark.parametrize("name", ["report.pdf", "columns.pdf", "columns_by_row.pdf", "rotated.pdf", "drawing.pdf"])
def test_words_agree_with_poppler(samples: Path, read: Read, name: str) -> None:
    run = subprocess.run(["pdftotext", str(samples / name), "-"], capture_output=True, text=True, timeout=30, check=True)
    theirs = Counter(re.findall(r"\w+", run.stdout))
    ours = Counter(re.findall(r"\w+", " ".join(element.text.text for element in read(samples / name).elements)))
    shared = sum((theirs & ours).values())
    assert 2 * shared / (sum(theirs.values()) + sum(ours.values())) > 0.99
