"""Scanned pages of PDFs: what cannot be recognised first, then scans between pages of text."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pytest
from reportlab.lib.utils import ImageReader as Embedded
from reportlab.pdfgen.canvas import Canvas

from ingest_server.handlers.interface import Cancelled, HandlerFailure
from ingest_server.handlers.pdf import scans
from ingest_server.handlers.pdf.reader import PdfReader
from ingest_server.handlers.reader import ReadOptions
from ingest_server.handlers.source import Source
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput, Read, SetLimits
from tests.unit.handlers.documents.pictures import needs_tesseract, page

WIDTH, HEIGHT = 480.0, 192.0
"""Points of a picture of 1,000 × 400 pixels at 150 to the inch."""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of temporary files of the test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def pdf(*pages: str, scale: float = 1.0, rotation: int = 0) -> bytes:
    """A PDF: of a page "scan: words" the words are a picture, others have text."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=(WIDTH, HEIGHT))
    for text in pages:
        kind, _, words = text.partition(": ")
        if kind == "scan":
            picture = page(words.split("|")).rotate(rotation, expand=True)
            canvas.drawImage(Embedded(picture), 0, 0, WIDTH * scale, HEIGHT * scale)
        else:
            canvas.drawString(50, 100, text)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def issues(data: bytes, read: Read) -> list[tuple[int, str, str]]:
    return [(issue.page, issue.reason, issue.message) for issue in read(data).issues]


def test_without_tesseract_the_pages_with_text_are_kept(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    document = read(pdf("Written words", "scan: Seen words", "scan: More"))
    assert [element.text.text for element in document.elements] == ["Written words"]
    assert [(issue.page, issue.reason) for issue in document.issues] == [(2, "PAGE_HAS_NO_TEXT"), (3, "PAGE_HAS_NO_TEXT")]
    for issue in document.issues:
        assert "apt-get install tesseract-ocr" in issue.message


def test_a_page_with_a_small_picture_is_no_scan(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    ((number, reason, message),) = issues(pdf("scan: Logo", scale=0.5), read)
    assert (number, reason) == (1, "PAGE_HAS_NO_TEXT")
    assert "pictures or drawings only" in message


def test_a_picture_of_too_many_pixels_is_not_drawn(read: Read, limits: SetLimits, monkeypatch: pytest.MonkeyPatch) -> None:
    limits(read_image_pixels_max=399_999)
    monkeypatch.setattr(scans, "drawn", lambda *_: pytest.fail("drawn"))
    ((_, _, message),) = issues(pdf("scan: Words"), read)
    assert "400,000 pixels" in message


def test_a_page_too_large_to_be_drawn_is_told(read: Read, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "tesseract"
    program.write_text('#!/bin/sh\nprintf "List\\neng\\n"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(scans, "DRAWN_PIXELS_MAX", 50_000)
    ((_, _, message),) = issues(pdf("scan: Words"), read)
    assert "480 × 192 points large" in message


def test_wrong_languages_fail_the_document(read: Read) -> None:
    with pytest.raises(HandlerFailure) as caught:
        read(pdf("scan: Words"), ocr_languages=("../x",))
    assert caught.value.reason == "INVALID_OPTIONS"


@needs_tesseract
def test_scans_between_pages_of_text_are_read_in_order(read: Read, temporary: Path) -> None:
    document = read(pdf("Written words", "scan: Seen by the scanner", "Written again"))
    assert [(each.id, each.page, each.text.text) for each in document.elements] == [
        ("e1", 1, "Written words"),
        ("e2", 2, "Seen by the scanner"),
        ("e3", 3, "Written again"),
    ]
    assert [each.text.HasField("confidence") for each in document.elements] == [False, True, False]
    assert 0.5 < document.elements[1].text.confidence <= 1
    assert not any(each.heading_level for each in document.elements)
    box = document.elements[1].bounding_box
    # 50 pixels of the picture are 24 points of the page.
    assert box.left == pytest.approx(24, abs=2)
    assert box.top == pytest.approx(26, abs=5)
    assert not document.issues
    assert not list(temporary.iterdir())


@needs_tesseract
def test_a_large_page_is_drawn_more_coarsely_and_read(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scans, "DRAWN_PIXELS_MAX", 400_000)  # 150 dots per inch
    document = read(pdf("scan: Seen by the scanner"))
    assert document.elements[0].text.text == "Seen by the scanner"
    assert document.elements[0].bounding_box.left == pytest.approx(24, abs=2)


@needs_tesseract
def test_a_scan_of_nothing_is_told(read: Read) -> None:
    ((_, reason, message),) = issues(pdf("scan: "), read)
    assert (reason, message) == ("PAGE_HAS_NO_TEXT", "The page is a scan; no text was found in it.")


@needs_tesseract
def test_a_cancel_leaves_no_file(temporary: Path) -> None:
    context = FakeContext(FakeInput(pdf(*["scan: Words"] * 5)), cancel_after=4)
    with pytest.raises(Cancelled):
        PdfReader().read(Source(context.input), ReadOptions(), context)
    assert not list(temporary.iterdir())
