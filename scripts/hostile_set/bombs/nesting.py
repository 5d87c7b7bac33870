"""Bombs by depth: XML, HTML, Markdown, JSON and PDF within themselves, as far as it goes."""

from __future__ import annotations

from scripts.hostile_set.bombs.registered import bomb
from scripts.hostile_set.office import document_xml, ods_xml, office_package, sheet_xml
from scripts.hostile_set.pdf_file import page_of, pdf_file

GROUP = "nesting"
DEEP = 100_000
MILLION = 1_000_000


@bomb(GROUP, "elements.docx")
def _docx_elements() -> bytes:
    """A million elements within each other."""
    return office_package("docx", {"word/document.xml": document_xml("<w:sdt>" * MILLION)})


@bomb(GROUP, "tables.docx")
def _docx_tables() -> bytes:
    """Tables within tables, properly closed."""
    body = "<w:tbl><w:tr><w:tc>" * 5_000 + "<w:p/>" + "</w:tc></w:tr></w:tbl>" * 5_000
    return office_package("docx", {"word/document.xml": document_xml(body)})


@bomb(GROUP, "styles.docx")
def _docx_style_chain() -> bytes:
    """Each of fifty thousand styles is based on the next, the last on the first."""
    styles = "".join(
        f'<w:style w:styleId="s{number}"><w:basedOn w:val="s{(number + 1) % 50_000}"/></w:style>' for number in range(50_000)
    )
    spaces = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    paragraph = '<w:p><w:pPr><w:pStyle w:val="s0"/></w:pPr><w:r><w:t>words</w:t></w:r></w:p>'
    parts = {"word/styles.xml": f"<w:styles {spaces}>{styles}</w:styles>", "word/document.xml": document_xml(paragraph * 1_000)}
    return office_package("docx", dict(parts))


@bomb(GROUP, "elements.xlsx")
def _xlsx_elements() -> bytes:
    """A million elements within each other."""
    return office_package("xlsx", {"xl/worksheets/sheet1.xml": sheet_xml("<row>" * MILLION)})


@bomb(GROUP, "elements.ods")
def _ods_elements() -> bytes:
    """A million elements within each other."""
    return office_package("ods", {"content.xml": ods_xml("<table:table-row><table:table-cell>" * (MILLION // 2))})


@bomb(GROUP, "lists.json")
def _json_lists() -> bytes:
    """A million brackets."""
    return b'{"a":' + b"[" * MILLION + b"]" * MILLION + b"}"


@bomb(GROUP, "objects.json")
def _json_objects() -> bytes:
    """A hundred thousand objects within each other."""
    return b'{"a":' * DEEP + b"1" + b"}" * DEEP


@bomb(GROUP, "shallow.json")
def _json_below_the_limit() -> bytes:
    """Nine hundred levels, ten thousand times: each within what the parser takes."""
    one = b'{"a":' * 900 + b"1" + b"}" * 900
    return b"[" + b",".join([one] * 2_000) + b"]"


@bomb(GROUP, "lines.jsonl")
def _json_lines() -> bytes:
    """Lines of brackets that never close, and one record."""
    return b'{"a": 1}\n' + (b"[" * 5_000 + b"\n") * 1_000


@bomb(GROUP, "digits.json")
def _json_digits() -> bytes:
    """A number of a million digits, and an exponent of as many."""
    return b'{"a": ' + b"9" * MILLION + b', "b": 1e' + b"9" * MILLION + b"}"


@bomb(GROUP, "names.json")
def _json_names() -> bytes:
    """Records each with other names."""
    return b"[" + b",".join(b'{"n%d": %d}' % (number, number) for number in range(200_000)) + b"]"


@bomb(GROUP, "boxes.html")
def _html_boxes() -> bytes:
    """Two hundred thousand boxes within each other."""
    return b"<html><body>" + b"<div>" * 200_000 + b"words"


@bomb(GROUP, "tables.html")
def _html_tables() -> bytes:
    """Tables within tables."""
    return b"<html><body>" + b"<table><tr><td>" * 50_000 + b"words"


@bomb(GROUP, "lists.html")
def _html_lists() -> bytes:
    """Lists within lists, each with words."""
    return b"<html><body>" + b"<ul><li>words" * 20_000


@bomb(GROUP, "formats.html")
def _html_misnested() -> bytes:
    """Formats that overlap, which a parser has to open anew in each paragraph."""
    return b"<html><body>" + b"".join(b"<b><i a=%d><p>words" % number for number in range(3_000))


@bomb(GROUP, "quotes.md")
def _markdown_quotes() -> bytes:
    """A line of quotes within quotes, and lines of many."""
    return b">" * DEEP + b" words\n\n" + (b"> " * 500 + b"words\n") * 500


@bomb(GROUP, "lists.md")
def _markdown_lists() -> bytes:
    """Lists within lists, each item deeper."""
    return b"".join(b"  " * depth + b"- words\n" for depth in range(3_000))


@bomb(GROUP, "brackets.md", heavy=True)
def _markdown_brackets() -> bytes:
    """Brackets that may be links until the last byte is read."""
    return b"[" * DEEP + b"\n\n" + b"[a](" * DEEP + b"\n\n" + b"![" * DEEP


@bomb(GROUP, "emphasis.md")
def _markdown_emphasis() -> bytes:
    """Stars and underscores that may be emphasis."""
    return b"*a _b " * DEEP + b"\n\n" + b"*" * DEEP + b"a" + b"_" * DEEP


@bomb(GROUP, "ticks.md")
def _markdown_ticks() -> bytes:
    """Runs of back quotes of every length, none of which is closed."""
    return b" ".join(b"`" * length for length in range(1, 2_000))


@bomb(GROUP, "references.md")
def _markdown_references() -> bytes:
    """Definitions of links, and uses of what is not defined."""
    return b"".join(b"[r%d]: /u\n" % number for number in range(20_000)) + b"\n" + b"[x][y] " * DEEP


@bomb(GROUP, "table.md")
def _markdown_table() -> bytes:
    """A table of twenty thousand columns and rows of one cell."""
    return b"|" + b"a|" * 20_000 + b"\n|" + b"-|" * 20_000 + b"\n" + b"|a\n" * 2_000


@bomb(GROUP, "html.md")
def _markdown_html() -> bytes:
    """HTML in Markdown that never closes."""
    return b"<div>\n" * 50_000 + b"words\n\n" + b"<a <" * DEEP


@bomb(GROUP, "groups.rtf", heavy=True)
def _rtf_groups() -> bytes:
    """A million groups within each other."""
    return b"{\\rtf1 " + b"{\\b " * MILLION + b"words" + b"}" * MILLION + b"}"


@bomb(GROUP, "destinations.rtf", heavy=True)
def _rtf_destinations() -> bytes:
    """Tables within destinations within tables, none of which ends."""
    return b"{\\rtf1 " + b"{\\*\\nesttableprops\\trowd\\itap32767 {\\field{\\*\\fldinst x}{\\fldrslt " * DEEP


@bomb(GROUP, "lists.pdf")
def _pdf_lists() -> bytes:
    """A million brackets in an object."""
    return pdf_file([*page_of(b"BT /F 12 Tf 72 720 Td (words) Tj ET"), b"[" * MILLION + b"]" * MILLION], b"/Extra 5 0 R")


@bomb(GROUP, "objects.pdf")
def _pdf_dictionaries() -> bytes:
    """Dictionaries within dictionaries in the page."""
    return pdf_file(page_of(b"BT ET", b"/Resources " + b"<</A " * DEEP + b"null" + b">>" * DEEP))


@bomb(GROUP, "content.pdf")
def _pdf_content() -> bytes:
    """Brackets and dictionaries in the content of a page."""
    return pdf_file(page_of(b"[" * MILLION + b"(words)" + b"]" * MILLION + b" TJ " + b"<<" * DEEP))


@bomb(GROUP, "states.pdf")
def _pdf_states() -> bytes:
    """A million states of drawing kept, one on the other."""
    return pdf_file(page_of(b"q 1 0 0 1 0 0 cm " * MILLION + b"BT /F 12 Tf (words) Tj ET"))


@bomb(GROUP, "marks.pdf")
def _pdf_marks() -> bytes:
    """Marked content within marked content."""
    return pdf_file(page_of(b"/Span <</ActualText (w)>> BDC " * DEEP + b"BT /F 12 Tf 9 9 Td (words) Tj ET"))


@bomb(GROUP, "forms.pdf")
def _pdf_forms() -> bytes:
    """A form that draws itself twice, and a chain of forms that double each time."""
    count = 30
    page = page_of(b"/X Do", b"/Resources <</XObject <</X 5 0 R>>>>")
    forms = []
    for number in range(count):
        target = 5 + (number + 1) % count
        forms.append(
            b"<</Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources <</XObject <</X %d 0 R>>>> /Length 12>>\n"
            b"stream\n/X Do /X Do \nendstream" % target
        )
    return pdf_file([*page, *forms])
