"""Pictures of pages: what is refused and why, processes that hang, and what is recognised where tesseract is installed."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from ingest.v1 import document_pb2
from ingest_server.domain.clock import SystemClock
from ingest_server.domain.errors import Code
from ingest_server.handlers.extract import extract
from ingest_server.handlers.extract_options import ExtractOptions
from ingest_server.handlers.image.reader import ImageReader
from ingest_server.handlers.inputs import MemoryInput
from ingest_server.handlers.interface import Cancelled, HandlerFailure
from ingest_server.handlers.ocr.tesseract import Tesseract, TesseractLimits
from ingest_server.handlers.reader import ReadOptions
from ingest_server.handlers.source import Source
from tests.unit.handlers.documents.conftest import FakeContext, SetLimits, document_of
from tests.unit.handlers.documents.pictures import (
    jpeg_claiming,
    needs_tesseract,
    page,
    png_claiming,
    saved,
    tiff_claiming,
)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of temporary files of the test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def read(data: bytes, media_type: str = "", name: str = "", **options: Any) -> document_pb2.Document:
    given = MemoryInput(data, media_type, name)
    try:
        return document_of(extract(FakeContext(given), ExtractOptions(**options)))
    finally:
        given.close()


def refusal(data: bytes, media_type: str = "", **options: Any) -> HandlerFailure:
    with pytest.raises(HandlerFailure) as caught:
        read(data, media_type, **options)
    assert not caught.value.retryable
    return caught.value


def program(folder: Path, text: str) -> Tesseract:
    """A program that stands for tesseract: a shell script that answers --list-langs, and does `text` with a page."""
    file = folder / "tesseract"
    file.write_text(f'#!/bin/sh\n[ "$1" = --list-langs ] && {{ printf "List\\neng\\n"; exit; }}\n{text}\n')
    file.chmod(0o755)
    return Tesseract(str(file), TesseractLimits(output_bytes_max=1_000_000))


def read_with(tesseract: Tesseract, data: bytes, context: FakeContext | None = None) -> document_pb2.Document:
    given = MemoryInput(data)
    try:
        return ImageReader(tesseract).read(Source(given), ReadOptions(), context or FakeContext(given))
    finally:
        given.close()


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (png_claiming(100_000, 100_000), "100,000 × 100,000"),
        (png_claiming(1, 40_000), "1 × 40,000"),
        (jpeg_claiming(65_500, 65_500), "65,500 × 65,500"),
        (tiff_claiming([(4_000_000_000, 4_000_000_000)]), "4,000,000,000 × 4,000,000,000"),
        (tiff_claiming([(20_000, 20_000), (20_000, 20_001)]), "20,000 × 20,000"),
    ],
)
def test_too_many_pixels_are_refused_before_anything_is_decoded(data: bytes, size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_process(*_: Any, **__: Any) -> None:
        pytest.fail("a program was started")

    monkeypatch.setattr(subprocess, "Popen", no_process)
    failure = refusal(data)
    assert (failure.reason, failure.code) == ("DOCUMENT_MALFORMED", Code.INVALID_ARGUMENT)
    assert size in failure.message
    assert "100,000,000" in failure.message


@pytest.mark.parametrize("media_type", ["image/png", "image/jpeg", "image/jpg", "image/tiff"])
def test_what_is_only_declared_an_image_never_reaches_tesseract(media_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # tesseract would take it for a list of files to read.
    monkeypatch.setenv("PATH", "/nowhere")
    assert refusal(b"/etc/passwd\n", media_type).reason == "DOCUMENT_MALFORMED"


def test_without_tesseract_the_command_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    failure = refusal(saved(page(), "PNG"))
    assert (failure.reason, failure.code) == ("MEDIA_TYPE_NOT_SUPPORTED", Code.UNIMPLEMENTED)
    assert failure.message.endswith("apt-get install tesseract-ocr")
    assert failure.metadata == {"media_type": "image/png", "install": "apt-get install tesseract-ocr"}
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("languages", [("../../etc/passwd",), ("eng+deu",), ("-c",), ("",), ("eng",) * 9])
def test_languages_that_are_no_names_are_refused(languages: tuple[str, ...]) -> None:
    assert refusal(saved(page(), "PNG"), ocr_languages=languages).reason == "INVALID_OPTIONS"


def test_a_language_that_is_not_installed_is_told_with_its_package(tmp_path: Path) -> None:
    given = MemoryInput(saved(page(), "PNG"))
    with pytest.raises(HandlerFailure) as caught:
        ImageReader(program(tmp_path, "exit 1")).read(
            Source(given), ReadOptions(ocr_languages=("eng", "chi_sim")), FakeContext(given)
        )
    assert caught.value.metadata["install"] == "apt-get install tesseract-ocr-chi-sim"
    assert "(it has eng)" in caught.value.message


def test_a_page_range_outside_is_refused() -> None:
    assert refusal(tiff_claiming([(5, 5)]), first_page=2).reason == "INVALID_OPTIONS"


def test_a_program_that_fails_is_told_with_its_words(tmp_path: Path, temporary: Path) -> None:
    with pytest.raises(HandlerFailure, match="status 3: libpng error: nonsense") as caught:
        read_with(program(tmp_path, "echo; echo libpng error: nonsense >&2; exit 3"), saved(page(), "PNG"))
    assert caught.value.reason == "DOCUMENT_MALFORMED"
    with pytest.raises(HandlerFailure, match="signal 11"):
        read_with(program(tmp_path, "kill -SEGV $$"), saved(page(), "PNG"))
    assert not list(temporary.iterdir())


def test_a_program_that_prints_without_end_is_ended(tmp_path: Path) -> None:
    with pytest.raises(HandlerFailure, match="printed more than 1,000,000 bytes"):
        read_with(program(tmp_path, "exec yes"), saved(page(), "PNG"))


class CancelOnceItRuns(FakeContext):
    """Asks to stop as soon as the program has written its process id."""

    def __init__(self, document: MemoryInput, pid_file: Path) -> None:
        super().__init__(document)
        self.pid_file = pid_file

    def check(self) -> None:
        if self.pid_file.exists() and self.pid_file.read_text().endswith("\n"):
            raise Cancelled

    def alive(self) -> bool:
        try:
            os.kill(int(self.pid_file.read_text()), 0)
        except ProcessLookupError:
            return False
        return True


@pytest.mark.parametrize("hang", ["exec sleep 600", "exec sleep 600 >&- 2>&-"])
def test_a_cancel_kills_the_process(hang: str, tmp_path: Path, temporary: Path) -> None:
    pid_file = tmp_path / "pid"
    context = CancelOnceItRuns(MemoryInput(b""), pid_file)
    with pytest.raises(Cancelled):
        read_with(program(tmp_path, f"echo $$ >{pid_file}; {hang}"), saved(page(), "PNG"), context)
    assert not context.alive()
    assert not list(temporary.iterdir())


def test_the_end_of_the_attempts_time_kills_the_process(tmp_path: Path, temporary: Path) -> None:
    pid_file = tmp_path / "pid"

    class OutOfTime(CancelOnceItRuns):
        def check(self) -> None:
            pass

        def remaining_seconds(self) -> float:
            return 0.0 if self.pid_file.exists() and self.pid_file.read_text().endswith("\n") else 100.0

    context = OutOfTime(MemoryInput(b""), pid_file)
    with pytest.raises(HandlerFailure) as caught:
        read_with(program(tmp_path, f"echo $$ >{pid_file}; exec sleep 600"), saved(page(), "PNG"), context)
    assert (caught.value.reason, caught.value.code, caught.value.retryable) == (
        "ATTEMPT_TIMEOUT",
        Code.DEADLINE_EXCEEDED,
        True,
    )
    assert not context.alive()
    assert not list(temporary.iterdir())


def test_a_page_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    class LateOnceItRuns(SystemClock):
        seconds = 0.0

        def monotonic(self) -> float:
            self.seconds += 400.0 if pid_file.exists() and pid_file.read_text().endswith("\n") else 0.0
            return self.seconds

    class NeverCancelled(CancelOnceItRuns):
        def check(self) -> None:
            pass

    tesseract = Tesseract(program(tmp_path, f"echo $$ >{pid_file}; exec sleep 600")._program, clock=LateOnceItRuns())
    context = NeverCancelled(MemoryInput(b""), pid_file)
    with pytest.raises(HandlerFailure, match="did not end within 300 seconds"):
        read_with(tesseract, saved(page(), "PNG"), context)
    assert not context.alive()


def test_one_bad_page_does_not_lose_the_others(tmp_path: Path) -> None:
    row = "1\t1\t0\t0\t0\t0\t0\t0\t100\t50\t-1\t\n5\t1\t1\t1\t1\t1\t10\t20\t30\t5\t90\tWord"
    tesseract = program(tmp_path, f'case "$*" in *number=1*) exit 1;; esac; printf "{row}\n"')
    document = read_with(tesseract, tiff_claiming([(100, 50), (100, 50), (90_000, 90_000), (100, 50)], after_last=8))
    assert document.page_count == 4
    assert [(each.page, each.text.text) for each in document.elements] == [(1, "Word"), (4, "Word")]
    assert [(each.page, each.reason) for each in document.issues] == [(page, "PAGE_UNREADABLE") for page in (2, 3, 5)]
    box = document.elements[0].bounding_box
    assert (box.left, box.top, box.right, box.bottom) == (10, 20, 40, 25)  # without a resolution a pixel is a point


@needs_tesseract
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_a_picture_is_read_with_boxes_and_confidence(kind: str, temporary: Path) -> None:
    document = read(saved(page(), kind), "application/octet-stream", "scan")
    assert (document.media_type, document.media_type_source) == (f"image/{kind.lower()}", "content")
    assert document.page_count == 1
    (element,) = document.elements
    assert element.text.text == "Harbour Report of the year ships came in and went out."
    assert 0.5 < element.text.confidence <= 1
    box = element.bounding_box
    # 50 pixels from the left, at 150 to the inch, are 24 points.
    assert box.left == pytest.approx(24, abs=2)
    assert box.top == pytest.approx(26, abs=5)
    assert box.left < box.right < 480
    assert box.top < box.bottom < 192
    assert not document.issues
    assert not list(temporary.iterdir())


@needs_tesseract
def test_paragraphs_and_divided_words() -> None:
    lines = ("The masters of the har-", "bour were content.", "", "", "Another paragraph follows", "and ends here.")
    document = read(saved(page(lines, height=600), "PNG"))
    assert [element.text.text for element in document.elements] == [
        "The masters of the harbour were content.",
        "Another paragraph follows and ends here.",
    ]


@needs_tesseract
def test_the_pages_of_a_tiff_one_by_one_and_a_range_of_them() -> None:
    pages = [page([f"Content of page {word}"], height=200) for word in ("one", "two", "three")]
    data = saved(pages[0], "TIFF", *pages[1:])
    document = read(data)
    assert document.page_count == 3
    assert [(each.page, each.text.text) for each in document.elements] == [
        (1, "Content of page one"),
        (2, "Content of page two"),
        (3, "Content of page three"),
    ]
    assert [each.page for each in read(data, first_page=2, last_page=2).elements] == [2]


@needs_tesseract
def test_a_picture_without_text_has_an_issue() -> None:
    document = read(saved(page([]), "PNG"))
    assert not document.elements
    assert [(issue.page, issue.reason) for issue in document.issues] == [(1, "PAGE_HAS_NO_TEXT")]


@needs_tesseract
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_a_truncated_picture_is_refused(kind: str) -> None:
    # A TIFF's directory may stand at its end, a PNG's header does not.
    data = saved(page(), kind)
    failure = refusal(data[: len(data) * 2 // 3])
    assert failure.reason == "DOCUMENT_MALFORMED"


@needs_tesseract
def test_mutants_end_in_a_result_or_a_clear_failure(limits: SetLimits, temporary: Path) -> None:
    limits(read_image_pixels_max=10_000_000)
    retryable = False
    for kind in ("PNG", "JPEG", "TIFF"):
        whole = saved(page(["Word"], width=200, height=120), kind)
        for index in range(0, len(whole), len(whole) // 8):
            mutant = bytearray(whole)
            mutant[index] ^= 0xFF
            try:
                read(bytes(mutant), f"image/{kind.lower()}")
            except HandlerFailure as failure:
                retryable = retryable or failure.retryable
    assert not retryable
    assert not list(temporary.iterdir())
