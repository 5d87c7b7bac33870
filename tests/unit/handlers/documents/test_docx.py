"""Word processing documents with known content: what is read of them, in which order, as what."""

from __future__ import annotations

import pytest

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Code
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.office.package import DOCX
from tests.unit.handlers.documents.conftest import Read
from tests.unit.handlers.documents.office_files import NAMESPACES, STRICT, docx, docx_parts, relationships, zipped

STYLES = """
<w:docDefaults><w:rPrDefault><w:rPr><w:lang w:val="fr-FR"/></w:rPr></w:rPrDefault></w:docDefaults>
<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>
<w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
<w:style w:type="paragraph" w:styleId="H2"><w:name w:val="Heading 2"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Mine"><w:name w:val="My own"/><w:basedOn w:val="H2"/></w:style>
<w:style w:type="paragraph" w:styleId="T"><w:name w:val="Title"/></w:style>
<w:style w:type="paragraph" w:styleId="Q"><w:name w:val="Quote"/></w:style>
<w:style w:type="paragraph" w:styleId="C"><w:name w:val="Source Code"/></w:style>
<w:style w:type="paragraph" w:styleId="LB"><w:name w:val="List Bullet"/>
<w:pPr><w:numPr><w:numId w:val="3"/></w:numPr></w:pPr></w:style>
<w:style w:type="table" w:styleId="Grid"><w:name w:val="Grid"/></w:style>
<w:style w:type="table" w:styleId="Fine"><w:name w:val="Fine"/><w:tblStylePr w:type="firstRow"/></w:style>
"""


def run(text: str) -> str:
    """A run of text."""
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def paragraph(content: str, properties: str = "") -> str:
    """A paragraph; `content` is text or runs."""
    return f"<w:p><w:pPr>{properties}</w:pPr>{content if content.startswith('<') else run(content)}</w:p>"


def styled(text: str, style: str, more: str = "") -> str:
    """A paragraph with a style."""
    return paragraph(text, f'<w:pStyle w:val="{style}"/>{more}')


def cell(text: str, properties: str = "") -> str:
    """A cell with a paragraph."""
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(text)}</w:tc>"


def row(*cells: str, properties: str = "") -> str:
    """A row."""
    return f"<w:tr><w:trPr>{properties}</w:trPr>{''.join(cells)}</w:tr>"


def texts(document: document_pb2.Document) -> list[str]:
    """Texts of the elements that have one."""
    return [element.text.text for element in document.elements if element.HasField("text")]


def roles(document: document_pb2.Document) -> list[tuple[str, int, str]]:
    """(role, heading level, text) of the texts."""
    return [
        (document_pb2.TextRole.Name(element.text.role)[10:].lower(), element.heading_level, element.text.text)
        for element in document.elements
    ]


def grid(element: document_pb2.Element) -> list[tuple[int, int, int, int, str, bool]]:
    """The cells of a table."""
    return [(c.row, c.column, c.row_span, c.column_span, c.text, c.header) for c in element.table.cells]


def test_what_the_document_says_of_itself(read: Read) -> None:
    document = read(docx(paragraph("words")))
    assert (document.title, list(document.authors), document.language) == ("The & Title", ["Ada Quay", "Ben Mole"], "de-AT")
    assert document.create_time.ToJsonString() == "2024-03-01T08:30:00Z"
    assert dict(document.properties) == {
        "subject": "Ports",
        "keywords": "sea; ships",
        "description": "A longer word about it",
        "category": "Reports",
        "last_modified_by": "Cy Rope",
        "modify_time": "2024-03-02T09:00:00Z",
    }
    assert (document.media_type, document.media_type_source, document.page_count) == (DOCX, "content", 0)


def test_the_language_of_the_styles_stands_in(read: Read) -> None:
    parts = docx_parts(paragraph("mots"), styles=STYLES)
    del parts["docProps/core.xml"]
    document = read(zipped(parts))
    assert (document.language, document.title, list(document.issues)) == ("fr-FR", "", [])


def test_roles_by_style_and_by_the_paragraph_itself(read: Read) -> None:
    body = (
        styled("Title", "T")
        + styled("One", "berschrift1")
        + styled("Two", "H2")
        + styled("Inherited", "Mine")
        + paragraph("Outlined", '<w:outlineLvl w:val="3"/>')
        + styled("Not outlined", "H2", '<w:outlineLvl w:val="9"/>')
        + styled("Numbered heading", "H2", '<w:numPr><w:numId w:val="1"/></w:numPr>')
        + styled("Item", "LB")
        + styled("No item", "LB", '<w:numPr><w:numId w:val="0"/></w:numPr>')
        + paragraph("Direct item", '<w:numPr><w:ilvl w:val="1"/><w:numId w:val="7"/></w:numPr>')
        + styled("Said", "Q")
        + styled(run("if x:") + "<w:r><w:br/></w:r>" + run("    y"), "C")
        + styled("Unknown style", "Nowhere")
    )
    assert roles(read(docx(body, styles=STYLES))) == [
        ("heading", 1, "Title"),
        ("heading", 1, "One"),
        ("heading", 2, "Two"),
        ("heading", 2, "Inherited"),
        ("heading", 4, "Outlined"),
        ("paragraph", 0, "Not outlined"),
        ("heading", 2, "Numbered heading"),
        ("list_item", 0, "Item"),
        ("paragraph", 0, "No item"),
        ("list_item", 0, "Direct item"),
        ("quote", 0, "Said"),
        ("code", 0, "if x:\n    y"),
        ("paragraph", 0, "Unknown style"),
    ]


def test_runs_are_joined_as_they_are_shown(read: Read) -> None:
    body = paragraph(
        run("A ") + run("bro") + run("ken  word") + "<w:r><w:tab/></w:r>" + run("tab") + "<w:r><w:br/></w:r>" + run("line")
        + "<w:r><w:noBreakHyphen/></w:r>" + run("end") + "<w:r><w:softHyphen/></w:r>" + run("ing &amp; more")
        + '<w:hyperlink r:id="rId9"><w:r><w:t> a link</w:t></w:r></w:hyperlink>'
        + "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>" + '<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t>!</w:t></w:r>'
        + '<w:r><w:sym w:font="Wingdings" w:char="F0B7"/><w:sym w:font="Arial" w:char="00B5"/></w:r>'
        + "<m:oMath><m:r><m:t>x=1</m:t></m:r></m:oMath>"
        + "<w:r><w:ruby><w:rt><w:r><w:t>ka</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>漢</w:t></w:r></w:rubyBase></w:ruby></w:r>"
    )  # fmt: skip
    assert texts(read(docx(body + paragraph("   ")))) == ["A broken word tab\nline-ending & more a link!µx=1漢"]


def test_fields_show_their_result_only(read: Read) -> None:
    def mark(kind: str) -> str:
        return f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'

    code = "<w:r><w:instrText>IF PAGE</w:instrText></w:r>"
    inner = mark("begin") + code + mark("separate") + run("condition") + mark("end")
    body = paragraph(run("Page ") + mark("begin") + code + inner + mark("separate") + run("7") + mark("end") + run(" of 9"))
    assert texts(read(docx(body + paragraph('<w:fldSimple w:instr="PAGE"><w:r><w:t>3</w:t></w:r></w:fldSimple>')))) == [
        "Page 7 of 9",
        "3",
    ]


def test_changes_are_read_as_accepted(read: Read) -> None:
    gone = "<w:rPr><w:del/></w:rPr>"
    body = (
        paragraph(
            run("The ") + f"<w:del>{run('old')}<w:r><w:delText>er</w:delText></w:r></w:del>"
            + f"<w:ins>{run('new')}</w:ins>" + run(" word")
        )
        + paragraph(f"<w:moveFrom>{run('moved')}</w:moveFrom>{run('stays')}")
        + paragraph(f"<w:moveTo>{run('moved')}</w:moveTo>")
        + styled("One sentence, ", "H2", gone) + paragraph("joined.")
        + styled("Was a heading once", "Normal", '<w:pPrChange><w:pPr><w:pStyle w:val="H2"/></w:pPr></w:pPrChange>')
        + f"<w:tbl>{row(cell('kept'))}{row(cell('deleted'), properties='<w:del/>')}{row(cell('below'))}</w:tbl>"
        + paragraph("Nothing follows", gone)
    )  # fmt: skip
    document = read(docx(body, styles=STYLES))
    assert roles(document)[:5] == [
        ("paragraph", 0, "The new word"),
        ("paragraph", 0, "stays"),
        ("paragraph", 0, "moved"),
        ("paragraph", 0, "One sentence, joined."),
        ("paragraph", 0, "Was a heading once"),
    ]
    assert grid(document.elements[5]) == [(0, 0, 1, 1, "kept", False), (1, 0, 1, 1, "below", False)]
    assert texts(document)[-1] == "Nothing follows"


def test_tables_stand_in_their_place_with_merged_cells(read: Read) -> None:
    restart, goes_on = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    table = (
        "<w:tbl><w:tblPr/>"
        + row(cell("A", restart), cell("B C", '<w:gridSpan w:val="2"/>'), properties="<w:tblHeader/>")
        + row(cell("", goes_on), cell("D", restart), cell("E"))
        + row(cell("F", restart), cell("", goes_on), cell("G"))
        + row(cell("H"), properties='<w:gridBefore w:val="2"/>')
        + "</w:tbl>"
    )
    document = read(docx(paragraph("before") + table + paragraph("after")))
    assert texts(document) == ["before", "after"]
    assert (document.elements[1].table.rows, document.elements[1].table.columns) == (4, 3)
    assert grid(document.elements[1]) == [
        (0, 0, 2, 1, "A", True),
        (0, 1, 1, 2, "B C", True),
        (1, 1, 2, 1, "D", False),
        (1, 2, 1, 1, "E", False),
        (2, 0, 1, 1, "F", False),
        (2, 2, 1, 1, "G", False),
        (3, 2, 1, 1, "H", False),
    ]


@pytest.mark.parametrize(
    ("style", "look", "headed"),
    [
        ("Fine", 'w:val="04A0"', True),
        ("Fine", 'w:firstRow="1" w:val="0000"', True),
        ("Fine", 'w:firstRow="0" w:val="04A0"', False),
        ("Grid", 'w:val="04A0"', False),
    ],
)
def test_the_first_row_is_a_header_if_it_looks_like_one(read: Read, style: str, look: str, headed: bool) -> None:
    look = f'<w:tblPr><w:tblStyle w:val="{style}"/><w:tblLook {look}/></w:tblPr>'
    (table,) = read(docx(f"<w:tbl>{look}{row(cell('A'))}{row(cell('B'))}</w:tbl>", styles=STYLES)).elements
    assert [c.header for c in table.table.cells] == [headed, False]


def test_a_cell_is_text_whatever_it_holds(read: Read) -> None:
    inner = f"<w:tbl>{row(cell('i'), cell('j'))}{row(cell('k'))}</w:tbl>"
    held = f"<w:tc>{paragraph('one')}{styled('two', 'H2')}{inner}{paragraph('three')}</w:tc>"
    (table,) = read(docx(f"<w:tbl>{row(held, cell('beside'))}</w:tbl>", styles=STYLES)).elements
    assert [c.text for c in table.table.cells] == ["one\ntwo\ni j\nk\nthree", "beside"]


def test_text_boxes_follow_their_paragraph_once(read: Read) -> None:
    box = f"<w:txbxContent>{styled('In the box', 'H2')}{paragraph('and more')}</w:txbxContent>"
    drawing = (
        "<w:r><mc:AlternateContent><mc:Choice Requires='wps'><w:drawing><wps:txbx>" + box + "</wps:txbx></w:drawing></mc:Choice>"
        "<mc:Fallback><w:pict><v:textbox>" + box + "</v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r>"
    )
    older = f"<w:r><w:pict><v:textbox>{box}</v:textbox></w:pict></w:r>"
    document = read(docx(paragraph(drawing + run("The anchor")) + paragraph(older + run("Another")), styles=STYLES))
    assert roles(document) == [
        ("paragraph", 0, "The anchor"),
        ("heading", 2, "In the box"),
        ("paragraph", 0, "and more"),
        ("paragraph", 0, "Another"),
        ("heading", 2, "In the box"),
        ("paragraph", 0, "and more"),
    ]


def test_pictures_are_told_by_their_alternative_text(read: Read) -> None:
    def picture(words: str) -> str:
        return f'<w:r><w:drawing><wp:docPr id="1" descr="{words}"/><a:blip r:embed="rId1"/></w:drawing></w:r>'

    document = read(docx(paragraph(picture("A  boat") + run("See")) + paragraph(picture(""))))
    assert [element.WhichOneof("kind") for element in document.elements] == ["text", "image"]
    assert document.elements[1].image.alt_text == "A boat"


def test_notes_follow_what_refers_to_them_and_headers_stay_out(read: Read) -> None:
    footnotes = (
        f'<w:footnote w:id="-1" w:type="separator">{paragraph("line")}</w:footnote>'
        f'<w:footnote w:id="2">{paragraph("The note")}{paragraph("goes on")}</w:footnote>'
        f'<w:footnote w:id="3">{paragraph("Of the cell")}</w:footnote>'
    )
    endnotes = f'<w:endnote w:id="2">{paragraph("At the end")}</w:endnote>'
    reference = '<w:r><w:footnoteReference w:id="2"/></w:r>'
    body = (
        paragraph(run("Text") + reference + run(" goes") + '<w:r><w:endnoteReference w:id="2"/></w:r>')
        + f"<w:tbl>{row(cell(run('cell') + reference.replace('2', '3')))}</w:tbl>"
        + paragraph(run("Again") + reference)
    )
    parts = docx_parts(body, footnotes=footnotes, endnotes=endnotes, header1=paragraph("HEADER"), comments=paragraph("COMMENT"))
    document = read(zipped(parts))
    assert [entry for entry in roles(document) if entry[2]] == [
        ("paragraph", 0, "Text goes"),
        ("note", 0, "The note\ngoes on"),
        ("note", 0, "At the end"),
        ("note", 0, "Of the cell"),
        ("paragraph", 0, "Again"),
    ]


def test_content_controls_and_custom_markup_are_read_through(read: Read) -> None:
    body = f"<w:sdt><w:sdtPr><w:alias w:val='x'/></w:sdtPr><w:sdtContent>{paragraph('inside')}</w:sdtContent></w:sdt>"
    tagged = f"<w:smartTag>{run('tagged')}</w:smartTag>"
    body += f"<w:customXml>{paragraph(tagged)}</w:customXml>"
    assert texts(read(docx(body))) == ["inside", "tagged"]


RENDERED, HARD = "<w:r><w:lastRenderedPageBreak/></w:r>", '<w:r><w:br w:type="page"/></w:r>'
SPLIT_ROW = row(
    f"<w:tc>{paragraph('a')}{paragraph(RENDERED + run('b'))}</w:tc>", f"<w:tc>{paragraph(RENDERED + run('c'))}</w:tc>"
)
PAGES = (
    paragraph("first")
    + paragraph(run("flows") + RENDERED + run(" over"))
    + paragraph(HARD)
    + paragraph(RENDERED + run("third"))
    + f"<w:tbl>{SPLIT_ROW}</w:tbl>"
    + paragraph("fourth")
    + paragraph(RENDERED + run("fifth"), "<w:pageBreakBefore/>")
)


def test_pages_are_those_the_document_notes(read: Read) -> None:
    document = read(docx(PAGES))
    assert document.page_count == 5
    assert [(element.page, element.text.text) for element in document.elements] == [
        (1, "first"),
        (1, "flows over"),
        (3, "third"),
        (3, ""),
        (4, "fourth"),
        (5, "fifth"),
    ]


def test_a_page_range_selects_what_begins_there(read: Read) -> None:
    document = read(docx(PAGES), first_page=4)
    assert ([element.text.text for element in document.elements], document.page_count) == (["fourth", "fifth"], 5)
    with pytest.raises(HandlerFailure, match="5 pages") as caught:
        read(docx(PAGES), first_page=6)
    assert (caught.value.reason, caught.value.code) == ("INVALID_OPTIONS", Code.INVALID_ARGUMENT)


def test_without_breaks_no_page_is_told_and_a_range_is_ignored(read: Read) -> None:
    document = read(docx(paragraph("words", "<w:pageBreakBefore/>")), first_page=7)
    assert ([element.page for element in document.elements], document.page_count) == ([0], 0)


def test_the_strict_edition_reads_the_same(read: Read) -> None:
    parts = docx_parts(styled("Strict", "berschrift1") + f"<w:tbl>{row(cell('x'))}</w:tbl>", styles=STYLES)
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    assert word in NAMESPACES
    for name, part in parts.items():
        assert isinstance(part, str)
        strict = part.replace(word, f"{STRICT}/wordprocessingml/main")
        parts[name] = strict.replace(
            "http://schemas.openxmlformats.org/officeDocument/2006/relationships", f"{STRICT}/officeDocument"
        )
    document = read(zipped(parts))
    assert (document.elements[0].heading_level, document.elements[1].table.cells[0].text) == (1, "x")


def test_damaged_parts_beside_the_text_are_issues(read: Read) -> None:
    parts = docx_parts(paragraph("words"), styles=STYLES, footnotes="")
    for name in ("word/styles.xml", "word/footnotes.xml", "docProps/core.xml"):
        parts[name] = "<broken"
    document = read(zipped(parts))
    assert texts(document) == ["words"]
    assert [issue.reason for issue in document.issues] == ["PROPERTIES_UNREADABLE", "STYLES_UNREADABLE", "NOTES_UNREADABLE"]


def test_a_damaged_list_of_parts_is_an_issue(read: Read) -> None:
    document = read(zipped(docx_parts(paragraph("words")) | {"word/_rels/document.xml.rels": "<broken"}))
    assert (texts(document), [issue.reason for issue in document.issues]) == (["words"], ["STYLES_UNREADABLE"])


def test_part_names_differ_in_case_and_lie_anywhere(read: Read) -> None:
    parts = docx_parts(styled("Far", "berschrift1"))
    parts["word/_rels/document.xml.rels"] = relationships(("styles", "/Styles/MINE.xml"))
    parts["styles/mine.XML"] = f"<w:styles {NAMESPACES}>{STYLES}</w:styles>"
    assert read(zipped(parts)).elements[0].heading_level == 1
