"""What tasks on chunks refuse, and what holds of both: names, other fields, cancels, documents inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code
from ingest_server.handlers.interface import Cancelled, HandlerFailure
from tests.unit.handlers.documents.conftest import document_of
from tests.unit.handlers.selection.conftest import context_of, document_with

Task = tuple[str, Callable[..., Any]]


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/pdf"])
def test_what_is_no_document_is_refused_with_what_to_put_before(task: Task, media_type: str) -> None:
    name, run = task
    with pytest.raises(HandlerFailure) as caught:
        run(context_of(b"some text", media_type))
    failure = caught.value
    assert (failure.reason, failure.code, failure.retryable) == ("MEDIA_TYPE_NOT_SUPPORTED", Code.UNIMPLEMENTED, False)
    assert f"Put the tasks extract and split before {name}." in failure.message


def test_bytes_that_only_say_they_are_a_document(task: Task) -> None:
    with pytest.raises(HandlerFailure) as caught:
        task[1](context_of(b"\xff\xff\xff"))
    assert (caught.value.reason, caught.value.retryable) == ("DOCUMENT_MALFORMED", False)
    assert "3 bytes" in caught.value.message


def test_a_document_that_was_never_split(task: Task) -> None:
    document = document_pb2.Document()
    document.elements.add(id="e1").text.text = "words"
    with pytest.raises(HandlerFailure) as caught:
        task[1](context_of(document))
    assert (caught.value.reason, caught.value.retryable) == ("INVALID_OPTIONS", False)
    assert f"Put the task split before {task[0]}." in caught.value.message


def test_a_document_without_text_has_no_chunks_and_that_is_right(task: Task) -> None:
    for document in (document_pb2.Document(), document_with([])):
        assert document_of(task[1](context_of(document))) == document


def test_a_cancel_is_heard_between_chunks(task: Task) -> None:
    context = context_of(document_with(["one two three", "four five six", "seven"]), cancel_after=2)
    with pytest.raises(Cancelled):
        task[1](context)


def test_everything_else_of_a_document_stays(task: Task) -> None:
    document = document_with(["one two three", "one two three", "x"], title="T", page_count=3, language="en")
    document.elements.add(id="e1", page=2).text.text = "words"
    document.chunks[0].embedding.extend([0.5, 0.25])
    output = task[1](context_of(document))
    after = document_of(output)
    assert output.name == "report.pdf"
    assert (after.title, after.page_count, after.language, after.elements) == ("T", 3, "en", document.elements)
    assert after.chunks[0] == document.chunks[0]


def test_notes_of_earlier_tasks_are_kept(task: Task) -> None:
    document = document_with(["one two three", "one two three", "x"])
    document.dropped_chunks.add(chunk_id="c0", rule="tokens_max")
    after = document_of(task[1](context_of(document)))
    assert after.dropped_chunks[0].chunk_id == "c0"
    assert len(after.dropped_chunks) == 2
