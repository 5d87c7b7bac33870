"""Plain text and JSON: nothing steers the terminal, nothing is lost, and the formats are found by their names."""

from __future__ import annotations

import json

import pytest
from google.protobuf import json_format
from hypothesis import given

from ingest.v1 import document_pb2
from ingest.v1.document_pb2 import TEXT_ROLE_HEADING
from ingest_client.rendering import Format, plain_text, protojson, render
from tests.unit.rendering.documents import document_of, documents, image_of, table_of, text_of


@given(documents())
def test_json_is_the_same_document(document: document_pb2.Document) -> None:
    for indent in (2, None):
        text = protojson(document, indent=indent)
        assert json_format.Parse(text, document_pb2.Document()) == document
    assert "\n" not in text


@pytest.mark.parametrize("form", list(Format))
@given(document=documents())
def test_nothing_steers_a_terminal(form: Format, document: document_pb2.Document) -> None:
    text = render(document, form, page_marks=True)
    assert all(each in "\n\t" or (" " <= each < "\x7f") or each > "\x9f" for each in text)
    assert not text.endswith("\n")


def test_json_keeps_letters_and_names() -> None:
    document = document_of(text_of("é漢\x9b", TEXT_ROLE_HEADING, level=1), title="t")
    text = protojson(document, indent=None)
    assert "é漢\\u009b" in text
    assert json.loads(text) == {
        "title": "t",
        "elements": [{"headingLevel": 1, "text": {"text": "é漢\x9b", "role": "TEXT_ROLE_HEADING"}}],
    }


def test_text_of_tables_pictures_and_pages() -> None:
    document = document_of(
        text_of("a\r\nb", page=4), image_of("a\ncat"), image_of(), table_of("x,.,z", ".,y,.", caption="T"), text_of("end", page=5)
    )
    assert plain_text(document) == "a\nb\n\na cat\n\nT\nx\t\tz\n\ty\n\nend"
    assert plain_text(document, page_marks=True) == "[page 4]\n\na\nb\n\na cat\n\nT\nx\t\tz\n\ty\n\n[page 5]\n\nend"
    assert plain_text(document_of()) == ""


def test_formats_are_known_by_name() -> None:
    document = document_of(text_of("*", TEXT_ROLE_HEADING, level=1))
    assert [render(document, form).split("\n")[0] for form in ("md", "text", "json", "html")] == [
        "# *",
        "*",
        "{",
        "<!DOCTYPE html>",
    ]
    assert [form.extension for form in Format] == [".md", ".txt", ".json", ".html"]
    with pytest.raises(ValueError, match="docx"):
        render(document, "docx")
