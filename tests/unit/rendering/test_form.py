"""What a form holds, in every format."""

from __future__ import annotations

import pytest

from ingest.v1 import document_pb2
from ingest_client.rendering import render

TEXT, BOX, RADIO = (
    document_pb2.FORM_FIELD_KIND_TEXT,
    document_pb2.FORM_FIELD_KIND_CHECKBOX,
    document_pb2.FORM_FIELD_KIND_RADIO_BUTTON,
)


def form(*fields: document_pb2.FormField) -> document_pb2.Document:
    """A document with a line of text and these fields."""
    document = document_pb2.Document(form_fields=fields)
    document.elements.add(id="e1", page=1).text.text = "Please fill in"
    return document


FIELDS = (
    document_pb2.FormField(name="a.b", label="Your <name>", kind=TEXT, value="Ann | Bob\nand Cy"),
    document_pb2.FormField(name="empty", kind=TEXT, value=" "),
    document_pb2.FormField(name="agree", kind=BOX, value="Yes", checked=True),
    document_pb2.FormField(name="other", kind=BOX, value="Yes"),
    document_pb2.FormField(name="mark", kind=BOX, checked=True),
    document_pb2.FormField(name="size", kind=RADIO, value="S"),
    document_pb2.FormField(name="size", kind=RADIO, value="L", checked=True),
    document_pb2.FormField(name="agree", kind=BOX, value="Yes", checked=True),
    document_pb2.FormField(name="signed", kind=document_pb2.FORM_FIELD_KIND_SIGNATURE),
)


def test_markdown_has_a_table_of_what_was_filled_in() -> None:
    assert render(form(*FIELDS), "md").split("\n") == [
        "Please fill in",
        "",
        "| Field | Value |",
        "| --- | --- |",
        "| Your \\<name> | Ann \\| Bob<br>and Cy |",
        "| agree | Yes |",
        "| mark | checked |",
        "| size | L |",
    ]


def test_text_and_html_too() -> None:
    assert render(form(*FIELDS), "text").split("\n")[2:] == [
        "Field\tValue",
        "Your <name>\tAnn | Bob and Cy",
        "agree\tYes",
        "mark\tchecked",
        "size\tL",
    ]
    assert "<tr><td>Your &lt;name&gt;</td><td>Ann | Bob<br>and Cy</td></tr>" in render(form(*FIELDS), "html")


@pytest.mark.parametrize("kind", ["md", "text", "html"])
def test_an_empty_form_adds_nothing(kind: str) -> None:
    assert render(form(FIELDS[1], FIELDS[3], FIELDS[8]), kind) == render(form(), kind)
