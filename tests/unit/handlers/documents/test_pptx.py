"""Presentations with known content, and some made to harm."""

from __future__ import annotations

import pytest

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code
from ingest_server.handlers.extract import extract
from ingest_server.handlers.extract_options import ExtractOptions
from ingest_server.handlers.interface import Cancelled, HandlerFailure
from ingest_server.handlers.office import slide
from ingest_server.handlers.office.package import PPTX
from tests.unit.handlers.documents.conftest import FakeContext, FakeInput, Read, SetLimits, document_of
from tests.unit.handlers.documents.office_files import pptx_parts, zipped

Told = tuple[int, str, int, str]


def text(*paragraphs: str, lang: str = "en-GB") -> str:
    """Paragraphs of a text body."""
    return "".join(
        f'<a:p><a:r><a:rPr lang="{lang}"/><a:t>{content}</a:t></a:r></a:p>' if not content.startswith("<") else content
        for content in paragraphs
    )


def shape(content: str, placeholder: str | None = None, about: str = "") -> str:
    """A shape; `placeholder` is the attributes of the placeholder it fills."""
    fills = "" if placeholder is None else f"<p:ph {placeholder}/>"
    head = f'<p:nvSpPr><p:cNvPr id="2" name="x" {about}/><p:nvPr>{fills}</p:nvPr></p:nvSpPr>'
    return f"<p:sp>{head}<p:txBody>{content}</p:txBody></p:sp>"


def titled(title: str) -> str:
    """A title."""
    return shape(text(title), 'type="title"')


def told(document: document_pb2.Document) -> list[Told]:
    """(page, role, heading level, text) of each element; tables as their cells, pictures as their alternative text."""
    entries: list[Told] = []
    for element in document.elements:
        kind = element.WhichOneof("kind")
        if kind == "text":
            role = document_pb2.TextRole.Name(element.text.role)[10:].lower()
            entries.append((element.page, role, element.heading_level, element.text.text))
        elif kind == "table":
            entries.append((element.page, "table", 0, "|".join(cell.text for cell in element.table.cells)))
        else:
            entries.append((element.page, "image", 0, element.image.alt_text))
    return entries


def test_slides_are_pages_in_the_order_of_the_show(read: Read) -> None:
    document = read(zipped(pptx_parts(*(titled(f"Slide {number}") for number in range(1, 13)))))
    assert told(document) == [(number, "heading", 1, f"Slide {number}") for number in range(1, 13)]
    assert (document.page_count, document.media_type, document.media_type_source) == (12, PPTX, "content")
    assert (document.title, list(document.authors), document.language) == ("The & Title", ["Ada Quay", "Ben Mole"], "de-AT")


def test_the_title_comes_first_then_the_order_of_the_file(read: Read) -> None:
    shapes = (
        shape(text("Left"), 'idx="1"')
        + shape(text("12"), 'type="sldNum" idx="12"')
        + shape(text("Imprint"), 'type="ftr"')
        + shape(text("A note on the side"))
        + f"<p:grpSp><p:grpSp>{shape(text('Deep in groups'))}</p:grpSp>{shape(text('In a group'))}</p:grpSp>"
        + shape(text("Secret"), about='hidden="1"')
        + '<p:pic><p:nvPicPr><p:cNvPr id="4" descr="A  boat"/></p:nvPicPr></p:pic>'
        + shape(text("The", "title"), 'type="ctrTitle"')
        + shape(text("Under it"), 'type="subTitle"')
    )
    assert told(read(zipped(pptx_parts(shapes)))) == [
        (1, "heading", 1, "The title"),
        (1, "list_item", 0, "Left"),
        (1, "paragraph", 0, "A note on the side"),
        (1, "paragraph", 0, "Deep in groups"),
        (1, "paragraph", 0, "In a group"),
        (1, "image", 0, "A boat"),
        (1, "paragraph", 0, "Under it"),
    ]


def test_bullets_make_items(read: Read) -> None:
    def bulleted(words: str, bullet: str) -> str:
        return f"<a:p><a:pPr><{bullet}/></a:pPr><a:r><a:t>{words}</a:t></a:r></a:p>"

    shapes = (
        shape(text("by the master", bulleted("not this", "a:buNone")), 'type="body"')
        + shape(text("plain", bulleted("dotted", "a:buChar"), bulleted("counted", "a:buAutoNum")))
        + shape("<a:lstStyle><a:lvl1pPr><a:buNone/></a:lvl1pPr></a:lstStyle>" + text("by its own style"), 'type="body"')
    )
    assert [(role, words) for _, role, _, words in told(read(zipped(pptx_parts(shapes))))] == [
        ("list_item", "by the master"),
        ("paragraph", "not this"),
        ("paragraph", "plain"),
        ("list_item", "dotted"),
        ("list_item", "counted"),
        ("paragraph", "by its own style"),
    ]


def test_runs_breaks_and_fields_are_joined(read: Read) -> None:
    words = "<a:p><a:r><a:t>A wo</a:t></a:r><a:r><a:t>rd</a:t></a:r><a:br/><a:fld><a:t>next  line</a:t></a:fld></a:p>"
    assert told(read(zipped(pptx_parts(shape(words))))) == [(1, "paragraph", 0, "A word\nnext line")]


def test_tables_with_merged_cells(read: Read) -> None:
    def cell(words: str, spans: str = "") -> str:
        return f"<a:tc {spans}><a:txBody>{text(*words.split('/'))}</a:txBody></a:tc>"

    rows = (
        "<a:tr>" + cell("wide", 'gridSpan="2"') + cell("", 'hMerge="1"') + cell("C") + "</a:tr>"
        "<a:tr>" + cell("tall", 'rowSpan="9"') + cell("one/two") + cell("D") + "</a:tr>"
        "<a:tr>" + cell("", 'vMerge="1"') + cell("E") + cell("F") + "</a:tr>"
    )  # fmt: skip
    frame = f'<p:graphicFrame><a:tbl><a:tblPr firstRow="1"/>{rows}</a:tbl></p:graphicFrame>'
    (element,) = read(zipped(pptx_parts(frame))).elements
    assert (element.page, element.table.rows, element.table.columns) == (1, 3, 3)
    assert [(c.row, c.column, c.row_span, c.column_span, c.text, c.header) for c in element.table.cells] == [
        (0, 0, 1, 2, "wide", True),
        (0, 2, 1, 1, "C", True),
        (1, 0, 2, 1, "tall", False),
        (1, 1, 1, 1, "one\ntwo", False),
        (1, 2, 1, 1, "D", False),
        (2, 1, 1, 1, "E", False),
        (2, 2, 1, 1, "F", False),
    ]


def test_notes_follow_their_slide(read: Read) -> None:
    notes = shape(text("Say", "this"), 'type="body" idx="1"') + shape(text("2"), 'type="sldNum"') + shape("", 'type="sldImg"')
    data = zipped(pptx_parts(titled("One"), titled("Two"), titled("Three"), notes={2: notes}))
    assert told(read(data)) == [
        (1, "heading", 1, "One"),
        (2, "heading", 1, "Two"),
        (2, "note", 0, "Say\nthis"),
        (3, "heading", 1, "Three"),
    ]


def test_alternatives_are_read_once(read: Read) -> None:
    shapes = (
        f"<mc:AlternateContent><mc:Choice Requires='p14'>{shape(text('new'))}</mc:Choice>"
        f"<mc:Fallback>{shape(text('old'))}</mc:Fallback></mc:AlternateContent>"
    )
    assert told(read(zipped(pptx_parts(shapes)))) == [(1, "paragraph", 0, "new")]


def test_the_language_of_most_of_the_text_stands_in(read: Read) -> None:
    parts = pptx_parts(shape(text("kurz", lang="de-DE") + text("a longer sentence", lang="en-GB")))
    del parts["docProps/core.xml"]
    assert read(zipped(parts)).language == "en-GB"


def test_a_page_range_and_progress() -> None:
    context = FakeContext(FakeInput(zipped(pptx_parts(*map(titled, "ABCD")))))
    document = document_of(extract(context, ExtractOptions(first_page=2, last_page=3)))
    assert (told(document), document.page_count) == ([(2, "heading", 1, "B"), (3, "heading", 1, "C")], 4)
    assert context.reports == [(1, 2, "page"), (2, 2, "page")]


def test_a_range_outside_is_refused(read: Read) -> None:
    with pytest.raises(HandlerFailure, match="has 1 slides") as caught:
        read(zipped(pptx_parts(titled("A"))), first_page=2)
    assert (caught.value.reason, caught.value.code) == ("INVALID_OPTIONS", Code.INVALID_ARGUMENT)


def test_a_cancel_is_heard() -> None:
    context = FakeContext(FakeInput(zipped(pptx_parts(*map(titled, "ABCDEFGH")))), cancel_after=12)
    with pytest.raises(Cancelled):
        extract(context, ExtractOptions())


def test_an_empty_presentation_is_read(read: Read) -> None:
    document = read(zipped(pptx_parts()))
    assert (document.page_count, len(document.elements)) == (0, 0)


@pytest.mark.parametrize("damage", ["<broken", "<!DOCTYPE x><x/>", " " * (30 * 1024 * 1024)])
def test_a_damaged_slide_costs_only_itself(read: Read, damage: str) -> None:
    parts = pptx_parts(*map(titled, "ABC"), notes={1: shape("")})
    parts["ppt/slides/slide2.xml"] = damage
    parts["ppt/notes/slide3.xml"] = "<broken"
    document = read(zipped(parts))
    assert told(document) == [(1, "heading", 1, "A"), (3, "heading", 1, "C")]
    assert [(issue.page, issue.reason) for issue in document.issues] == [(1, "NOTES_UNREADABLE"), (2, "PAGE_UNREADABLE")]


def test_a_missing_slide_is_an_issue(read: Read) -> None:
    parts = pptx_parts(*map(titled, "AB"))
    del parts["ppt/slides/slide1.xml"]
    document = read(zipped(parts))
    assert [(issue.page, issue.reason) for issue in document.issues] == [(2, "PAGE_UNREADABLE")]
    assert "missing" in document.issues[0].message


def refused(read: Read, data: bytes, *words: str) -> None:
    """The document must fail as malformed, with these words."""
    with pytest.raises(HandlerFailure) as caught:
        read(data, PPTX)
    assert (caught.value.reason, caught.value.retryable) == ("DOCUMENT_MALFORMED", False)
    for word in words:
        assert word in caught.value.message


def test_no_readable_slide_is_a_failure(read: Read) -> None:
    parts = pptx_parts(*map(titled, "AB"))
    parts["ppt/slides/slide1.xml"] = parts["ppt/slides/slide2.xml"] = "<!DOCTYPE x><x/>"
    refused(read, zipped(parts), "document type")


def test_a_damaged_main_part_and_every_cut_are_failures(read: Read) -> None:
    parts = pptx_parts(titled("A"))
    refused(read, zipped(parts | {"ppt/presentation.xml": "<broken"}), "main part")
    refused(read, zipped(parts | {"ppt/_rels/presentation.xml.rels": "<broken"}), "main part")
    data = zipped(parts)
    for size in range(4, len(data) - 1, 53):
        refused(read, data[:size], "cut off")


def test_one_slide_shown_without_end_ends(limits: SetLimits, read: Read) -> None:
    parts = pptx_parts(shape(text("word " * 10_000)))
    shown = '<p:sldId r:id="rId1"/>'
    main = str(parts["ppt/presentation.xml"])
    again = main.replace("<p:sldIdLst>", "<p:sldIdLst>" + shown * 9_999)
    limits(read_office_bytes_max=2_000_000)
    document = read(zipped(parts | {"ppt/presentation.xml": again}))
    assert 0 < len(document.elements) < 40
    assert {issue.reason for issue in document.issues} == {"PAGE_UNREADABLE"}
    refused(read, zipped(parts | {"ppt/presentation.xml": again.replace("<p:sldIdLst>", "<p:sldIdLst>" + shown)}), "10000 slides")


def test_limits_of_content_hold(monkeypatch: pytest.MonkeyPatch, read: Read) -> None:
    monkeypatch.setattr(slide, "BLOCKS_MAX", 50)
    refused(read, zipped(pptx_parts(shape(text("x") * 50))), "50 shapes")
    refused(read, zipped(pptx_parts("<a:tbl><a:tr>" + "<a:tc/>" * 51 + "</a:tr></a:tbl>")), "50 shapes")
    monkeypatch.setattr(slide, "CHARACTERS_MAX", 100)
    refused(read, zipped(pptx_parts(shape(text("x" * 101)))), "100 characters")


def test_absurd_spans_end_where_the_table_does(read: Read) -> None:
    cell = f'<a:tc gridSpan="999999999999" rowSpan="-5"><a:txBody>{text("x")}</a:txBody></a:tc>'
    (element,) = read(zipped(pptx_parts(f"<p:graphicFrame><a:tbl><a:tr>{cell}{cell}</a:tr></a:tbl></p:graphicFrame>"))).elements
    assert [(c.row_span, c.column_span) for c in element.table.cells] == [(1, 2), (1, 1)]
    assert element.table.columns == 2
