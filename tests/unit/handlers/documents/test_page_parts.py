"""Documents read in parts: the same document comes of it, and what cannot be read costs no more than itself."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code, Failure
from ingest_server.handlers.extract import extract, merge
from ingest_server.handlers.extract_options import ExtractOptions
from ingest_server.handlers.interface import Cancelled, HandlerFailure, Output
from ingest_server.handlers.page_parts import HANDLER, PagesOptions, division, extract_pages, merge_pages, ranges_of
from ingest_server.handlers.parts import PARTS_MAX, STATE_BYTES_MAX, Part, PartResult, Split
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput, document_of

CRASH = Failure(Code.ABORTED, "POISON_JOB", "the job killed its worker 3 times", {"signal": "SIGSEGV"}, False)


def manual(pages: int) -> bytes:
    """A PDF whose pages have a chapter's heading here and there, and some paragraphs."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=(300, 400))
    canvas.setTitle("Manual")
    for page in range(1, pages + 1):
        if page % 3 == 1:
            canvas.setFont("Helvetica-Bold", 18 if page % 2 else 14)
            canvas.drawString(30, 360, f"Chapter {page}")
        canvas.setFont("Helvetica", 10)
        for line in range(page % 4):
            canvas.drawString(30, 320 - 40 * line, f"Text {line} of page {page}.")
        canvas.showPage()
    canvas.save()
    return file.getvalue()


MANUAL = manual(40)


def run_part(part: Part, data: bytes, *, crash_count: int = 0, attempt: int = 1) -> Output | Split:
    """Run a part as a worker does: its options through JSON."""
    options = msgspec.json.decode(msgspec.json.encode(part.options), type=PagesOptions)
    context = FakeContext(FakeInput(data))
    context.crash_count, context.attempt = crash_count, attempt
    return extract_pages(context, options)


def result_of(part: Part, output: Output | Split) -> PartResult:
    """What the merge is given of a part that has ended well."""
    assert isinstance(output, Output)
    return PartResult(None, output.media_type, len(output.data), part.units, data=bytes(output.data))


def divided(data: bytes, **options: Any) -> Split:
    """The parts of a document."""
    answer = extract(FakeContext(FakeInput(data)), ExtractOptions(**options))
    assert isinstance(answer, Split)
    assert answer.handler == HANDLER
    return answer


def merged(data: bytes, split: Split, run: Callable[[Part], PartResult] | None = None, **options: Any) -> document_pb2.Document:
    """The document of its parts."""
    run = run or (lambda part: result_of(part, run_part(part, data)))
    context = FakeContext(FakeInput(data))
    return document_of(merge(context, ExtractOptions(**options), split.state, [run(part) for part in split.parts]))


def test_a_part_that_failed_for_good_is_an_issue_for_each_of_its_pages() -> None:
    split = divided(MANUAL, pages_per_part=16)

    def run(part: Part) -> PartResult:
        return (
            PartResult(CRASH, "", 0, part.units) if part.options["first_page"] == 17 else result_of(part, run_part(part, MANUAL))
        )

    document = merged(MANUAL, split, run)
    assert [issue.page for issue in document.issues] == list(range(17, 33))
    assert {issue.reason for issue in document.issues} == {"PAGE_UNREADABLE"}
    assert "killed its worker" in document.issues[0].message
    assert {element.page for element in document.elements} == {*range(1, 17), *range(33, 41)} - {4, 8, 12, 16, 36, 40} | {
        4,
        16,
        40,
    }
    assert [element.id for element in document.elements] == [f"e{number}" for number in range(1, len(document.elements) + 1)]


def test_a_document_of_which_no_part_could_be_read_fails_as_the_first_did() -> None:
    split = divided(MANUAL, pages_per_part=20)
    with pytest.raises(HandlerFailure) as failed:
        merged(MANUAL, split, lambda part: PartResult(CRASH, "", 0, part.units))
    assert (failed.value.reason, failed.value.retryable) == ("POISON_JOB", False)


def test_whoever_wants_all_or_nothing_gets_a_failure_that_names_the_first_page() -> None:
    split = divided(MANUAL, pages_per_part=20, fail_on_partial=True)

    def run(part: Part) -> PartResult:
        return (
            PartResult(CRASH, "", 0, part.units) if part.options["first_page"] == 21 else result_of(part, run_part(part, MANUAL))
        )

    with pytest.raises(HandlerFailure) as failed:
        merged(MANUAL, split, run, fail_on_partial=True)
    assert failed.value.reason == "DOCUMENT_PARTIAL"
    assert failed.value.metadata == {"issues": "20", "page": "21", "issue_reason": "PAGE_UNREADABLE"}


@pytest.mark.parametrize("again", [{"crash_count": 1}, {"attempt": 2}])
def test_a_part_that_failed_once_is_read_page_by_page(again: dict[str, int]) -> None:
    split = divided(MANUAL, pages_per_part=16)
    inner = run_part(split.parts[1], MANUAL, **again)
    assert isinstance(inner, Split)
    assert [(part.options["first_page"], part.options["last_page"]) for part in inner.parts] == [(n, n) for n in range(17, 33)]
    assert isinstance(run_part(inner.parts[0], MANUAL, **again), Output), "a single page is not divided any more"

    def run(part: Part) -> PartResult:
        if part is not split.parts[1]:
            return result_of(part, run_part(part, MANUAL))
        results = [
            PartResult(CRASH, "", 0, 1) if page.options["first_page"] == 20 else result_of(page, run_part(page, MANUAL))
            for page in inner.parts
        ]
        options = msgspec.json.decode(msgspec.json.encode(part.options), type=PagesOptions)
        return result_of(part, merge_pages(FakeContext(FakeInput(MANUAL)), options, inner.state, results))

    document = merged(MANUAL, split, run)
    assert [issue.page for issue in document.issues] == [20]
    assert 21 in {element.page for element in document.elements}


def test_a_small_document_that_killed_its_worker_is_read_page_by_page() -> None:
    data = manual(5)
    context = FakeContext(FakeInput(data))
    context.crash_count = 1
    answer = extract(context, ExtractOptions())
    assert isinstance(answer, Split)
    assert [part.units for part in answer.parts] == [1] * 5
    one_page = FakeContext(FakeInput(manual(1)))
    one_page.crash_count = 1
    assert isinstance(extract(one_page, ExtractOptions()), Output)


def test_a_large_document_keeps_its_parts_after_a_crash() -> None:
    context = FakeContext(FakeInput(MANUAL))
    context.crash_count = 1
    assert extract(context, ExtractOptions()) == divided(MANUAL)


def test_a_document_of_no_more_pages_than_a_part_is_read_at_once() -> None:
    assert isinstance(extract(FakeContext(FakeInput(MANUAL)), ExtractOptions(pages_per_part=40)), Output)
    assert isinstance(extract(FakeContext(FakeInput(MANUAL)), ExtractOptions(first_page=5, last_page=36)), Output)
    assert [part.units for part in divided(MANUAL, first_page=5).parts] == [32, 4]


def test_there_are_never_more_parts_than_a_job_may_have() -> None:
    ranges = ranges_of(1, 3 * PARTS_MAX + 1, 1)
    assert len(ranges) <= PARTS_MAX
    assert (ranges[0], ranges[-1][1]) == ((1, 4), 3 * PARTS_MAX + 1)
    split = division(ranges_of(1, PARTS_MAX, 1), ExtractOptions(), "application/pdf", about=b"about the document")
    assert len(split.parts) == PARTS_MAX
    assert len(split.state) < STATE_BYTES_MAX


def test_a_cancel_ends_the_merge_between_parts() -> None:
    split = divided(MANUAL, pages_per_part=10)
    results = [result_of(part, run_part(part, MANUAL)) for part in split.parts]
    with pytest.raises(Cancelled):
        merge(FakeContext(FakeInput(MANUAL), cancel_after=2), ExtractOptions(), split.state, results)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 39), st.integers(1, 40), st.integers(1, 40))
def test_the_document_of_the_parts_is_the_document_read_at_once(pages_per_part: int, first: int, last: int) -> None:
    first, last = min(first, last), max(first, last)
    asked: dict[str, Any] = {"first_page": first, "last_page": last}
    at_once = document_of(extract(FakeContext(FakeInput(MANUAL)), ExtractOptions(pages_per_part=1_000, **asked)))
    answer = extract(FakeContext(FakeInput(MANUAL)), ExtractOptions(pages_per_part=pages_per_part, **asked))
    if last - first + 1 <= pages_per_part:
        assert document_of(answer) == at_once
    else:
        assert isinstance(answer, Split)
        assert merged(MANUAL, answer) == at_once


def test_parts_of_a_real_document_make_the_whole(samples: Path) -> None:
    data = (samples / "report.pdf").read_bytes()
    at_once = document_of(extract(FakeContext(FakeInput(data)), ExtractOptions()))
    assert merged(data, divided(data, pages_per_part=1)) == at_once
