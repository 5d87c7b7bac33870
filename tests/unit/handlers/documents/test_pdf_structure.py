"""Outlines, links, form fields and properties of PDFs against what the samples hold."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from reportlab.pdfgen.canvas import Canvas

from ingest.v1 import document_pb2
from ingest_server.handlers.pdf.reader import PdfReader
from ingest_server.handlers.reader import ReadOptions
from ingest_server.handlers.source import Source
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput, Read
from tests.unit.handlers.documents.pdf_files import document, words, written
from tests.unit.handlers.documents.pdf_structure_files import everything

KIND = document_pb2.FormFieldKind.Name


def edges(box: document_pb2.BoundingBox) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom


def test_nothing_is_read_that_was_not_asked_for(read: Read) -> None:
    result = read(everything())
    assert not result.outline
    assert not result.links
    assert not result.page_images
    assert not any(each.HasField("image") for each in result.elements)
    assert not result.issues


def test_the_outline(read: Read) -> None:
    result = read(everything(), outline=True)
    assert [(item.title, item.level, item.page) for item in result.outline] == [("One", 1, 1), ("Äfter 2", 2, 2), ("Away", 1, 0)]


def test_the_outline_is_that_of_the_whole_document_whatever_pages_are_read(read: Read) -> None:
    assert [item.page for item in read(everything(), outline=True, first_page=2).outline] == [1, 2, 0]


def test_an_outline_by_another_program(read: Read) -> None:
    file = io.BytesIO()
    canvas = Canvas(file)
    truth = [("Part I", 1, 1), ("Chapter (1)", 2, 1), ("Section\n\u2014 a", 3, 2), ("Chapter 2", 2, 3), ("Part II", 1, 4)]
    for page in range(1, 5):
        for title, level, of_page in truth:
            if of_page == page:
                canvas.bookmarkPage(title)
                canvas.addOutlineEntry(title, title, level - 1)
        canvas.drawString(50, 500, f"Page {page}")
        canvas.showPage()
    canvas.save()
    found = [(item.title, item.level, item.page) for item in read(file.getvalue(), outline=True).outline]
    assert found == [(" ".join(title.split()), level, page) for title, level, page in truth]


def test_links(read: Read) -> None:
    result = read(everything(), links=True)
    first = [link for link in result.links if link.page == 1]
    assert [(link.WhichOneof("target"), link.target_page, link.uri, link.text) for link in first] == [
        ("target_page", 2, "", "First page"),
        ("uri", 0, "https://example.org/?a=\ufffd", "Below the picture"),
    ]
    assert edges(first[0].bounding_box) == (48, 38, 120, 54)
    # The same annotations are on page 2, over other text.
    assert [(link.target_page, link.text) for link in result.links if link.page == 2] == [(2, "Second page"), (0, "")]


@pytest.mark.parametrize("option", ["links", "images", "page_images_dpi"])
def test_parts_belong_to_the_pages_that_are_read(read: Read, option: str) -> None:
    def pages(**options: int) -> list[set[int]]:
        result = read(everything(), **{option: 72 if option == "page_images_dpi" else True}, **options)
        pictures = [each for each in result.elements if each.HasField("image")]
        return [{each.page for each in parts} for parts in (result.links or pictures or result.page_images, result.form_fields)]

    assert pages() == [{1, 2}, {1, 2}]
    assert pages(first_page=2) == [{2}, {2}]
    assert pages(last_page=1) == [{1}, {1}]


def test_form_fields(read: Read) -> None:
    fields = [field for field in read(everything()).form_fields if field.page == 1]
    assert [(field.name, KIND(field.kind).removeprefix("FORM_FIELD_KIND_"), field.value, field.checked) for field in fields] == [
        ("name", "TEXT", "Ann\nand Bob", False),
        ("town", "COMBO_BOX", "Oslo", False),
        ("agree", "CHECKBOX", "Yes", True),
        ("size", "RADIO_BUTTON", "S", False),
        ("size", "RADIO_BUTTON", "L", True),
        ("signed", "SIGNATURE", "", False),
    ]
    assert [list(field.options) for field in fields] == [[], ["Oslo", "Bergen"], [], [], [], []]
    assert [field.label for field in fields][:2] == ["Your name", ""]
    assert edges(fields[0].bounding_box) == (50, 240, 150, 260)


@pytest.mark.parametrize(
    ("rotation", "expected"),
    [(0, (48, 38, 120, 54)), (90, (246, 48, 262, 120)), (180, (280, 246, 352, 262)), (270, (38, 280, 54, 352))],
)
def test_boxes_stand_on_the_page_as_it_is_shown(read: Read, rotation: int, expected: tuple[float, float, float, float]) -> None:
    result = read(everything(rotation), links=True, images=True, page_images_dpi=72)
    link = result.links[0]
    assert edges(link.bounding_box) == expected
    assert link.text == "First page"
    # The link lies over the text; both are turned alike.
    box = next(each for each in result.elements if each.text.text == "First page").bounding_box
    assert box.left < (link.bounding_box.left + link.bounding_box.right) / 2 < box.right
    assert box.top < (link.bounding_box.top + link.bounding_box.bottom) / 2 < box.bottom
    shown = (result.page_images[0].width_pixels, result.page_images[0].height_pixels)
    assert shown == ((400, 300) if rotation in (0, 180) else (300, 400))
    for each in (result.form_fields[0].bounding_box, next(x for x in result.elements if x.HasField("image")).bounding_box):
        assert 0 <= each.left < each.right <= shown[0]
        assert 0 <= each.top < each.bottom <= shown[1]


def test_properties(read: Read) -> None:
    data = written(
        {
            1: b"<< /Type /Catalog /Pages 2 0 R >>",
            2: b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
            3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>",
            4: b"<< /Title (T) /Subject (What it\nis about) /Keywords (a, b) /Creator (Writer) "
            b"/ModDate (D:20240102030405+01'00') >>",
        },
        information=4,
    )
    result = read(data)
    assert dict(result.properties) == {
        "subject": "What it is about",
        "keywords": "a, b",
        "creator": "Writer",
        "modify_time": "2024-01-02T02:04:05Z",
        "pdf_version": "1.7",
    }
    assert result.title == "T"
    assert dict(read(document([words("x", 50, 50)])).properties) == {"pdf_version": "1.7"}


@pytest.mark.parametrize("data", [everything(), everything(90)], ids=["upright", "turned"])
def test_read_in_parts_it_is_the_same_document(data: bytes) -> None:
    context = FakeContext(FakeInput(data))
    source, reader = Source(context.input), PdfReader()
    wanted = ReadOptions(images=True, page_images_dpi=36, links=True, outline=True)
    parts = [
        reader.read_pages(source, replace(wanted, first_page=page, last_page=page, continued=page > 1), context)
        for page in (1, 2)
    ]
    joined = document_pb2.Document.FromString(reader.finish_pages(reader.join_pages(parts)))
    assert joined == reader.read(source, wanted, context)
    assert len(joined.outline) == 3
    assert {link.page for link in joined.links} == {each.page for each in joined.page_images} == {1, 2}
