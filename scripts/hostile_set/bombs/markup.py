"""Bombs by markup: entities that multiply, entities from outside, names and attributes without number."""

from __future__ import annotations

from functools import partial

from scripts.hostile_set.bombs.canary import ADDRESS, PLACE
from scripts.hostile_set.bombs.registered import bomb
from scripts.hostile_set.office import WORD, document_xml, ods_xml, office_package, sheet_xml, slide_xml

GROUP = "markup"


def _laughs(width: int = 10, depth: int = 10) -> str:
    """Entities of entities: 10 to the power of 10 words."""
    rows = "".join(f'<!ENTITY e{level + 1} "{f"&e{level};" * width}">' for level in range(depth))
    return f'<!DOCTYPE x [<!ENTITY e0 "words">{rows}]>'


def _long_entity() -> str:
    """One long entity, named often: quadratic growth without any nesting."""
    return f'<!DOCTYPE x [<!ENTITY e10 "{"words " * 100_000}">]>'


DECLARATIONS = {
    "laughs": _laughs(),
    "quadratic": _long_entity(),
    "file": f'<!DOCTYPE x [<!ENTITY e10 SYSTEM "file://{PLACE}">]>',
    "address": f'<!DOCTYPE x [<!ENTITY e10 SYSTEM "{ADDRESS}">]>',
    "outside": f'<!DOCTYPE x SYSTEM "{ADDRESS}x.dtd">',
    "parameters": f'<!DOCTYPE x [<!ENTITY % a SYSTEM "file://{PLACE}"><!ENTITY % b "<!ENTITY e10 \'%a;\'>">%b;]>',
    "circle": '<!DOCTYPE x [<!ENTITY e10 "&e11;"><!ENTITY e11 "&e10;">]>',
}
"""What stands before the root element; &e10; is used in it."""
USES = {"quadratic": "&e10;" * 20_000}
"""How it is used, where once is not enough."""


def _docx(name: str) -> bytes:
    text = f"<w:p><w:r><w:t>{USES.get(name, '&e10;')}</w:t></w:r></w:p>"
    return office_package("docx", {"word/document.xml": document_xml(text, DECLARATIONS[name])})


def _docx_styles(name: str) -> bytes:
    use = USES.get(name, "&e10;")
    styles = f'{DECLARATIONS[name]}<w:styles {WORD}><w:style w:styleId="a"><w:name w:val="{use}"/></w:style></w:styles>'
    return office_package("docx", {"word/styles.xml": styles})


def _docx_types(name: str) -> bytes:
    return office_package("docx", {"[Content_Types].xml": f"{DECLARATIONS[name]}<Types>{USES.get(name, '&e10;')}</Types>"})


def _pptx(name: str) -> bytes:
    return office_package("pptx", {"ppt/slides/slide1.xml": slide_xml(USES.get(name, "&e10;"), DECLARATIONS[name])})


def _xlsx(name: str) -> bytes:
    row = f'<row r="1"><c r="A1" t="inlineStr"><is><t>{USES.get(name, "&e10;")}</t></is></c></row>'
    return office_package("xlsx", {"xl/worksheets/sheet1.xml": sheet_xml(row, DECLARATIONS[name])})


def _xlsx_strings(name: str) -> bytes:
    strings = f"{DECLARATIONS[name]}<sst><si><t>{USES.get(name, '&e10;')}</t></si></sst>"
    return office_package("xlsx", {"xl/sharedStrings.xml": strings})


def _ods(name: str) -> bytes:
    cell = f"<table:table-row><table:table-cell><text:p>{USES.get(name, '&e10;')}</text:p></table:table-cell></table:table-row>"
    return office_package("ods", {"content.xml": ods_xml(cell, DECLARATIONS[name])})


def _xhtml(name: str) -> bytes:
    head = '<?xml version="1.0"?>' + DECLARATIONS[name]
    return f'{head}<html xmlns="http://www.w3.org/1999/xhtml"><body><p>{USES.get(name, "&e10;")}</p></body></html>'.encode()


for suffix, where, make in (
    ("docx", "docx", _docx),
    ("docx", "docx_styles", _docx_styles),
    ("docx", "docx_types", _docx_types),
    ("pptx", "pptx", _pptx),
    ("xlsx", "xlsx", _xlsx),
    ("xlsx", "xlsx_strings", _xlsx_strings),
    ("ods", "ods", _ods),
    ("xhtml", "xhtml", _xhtml),
):
    for declared in DECLARATIONS:
        one = partial(make, declared)
        one.__name__ = f"{where}_{declared}"  # type: ignore[attr-defined]  # a name for the report
        bomb(GROUP, f"{where}_{declared}.{suffix}")(one)


@bomb(GROUP, "attributes.docx")
def _many_attributes() -> bytes:
    """A hundred thousand attributes of one element."""
    attributes = " ".join(f'a{number}="1"' for number in range(100_000))
    return office_package("docx", {"word/document.xml": document_xml(f"<w:p {attributes}/>")})


@bomb(GROUP, "namespaces.docx")
def _many_namespaces() -> bytes:
    """A hundred thousand names of name spaces, one within the other."""
    body = "".join(f'<a xmlns:n{number}="u{number}">' for number in range(20_000)) + "</a>" * 20_000
    return office_package("docx", {"word/document.xml": document_xml(body)})


@bomb(GROUP, "attributes.html", heavy=True)
def _html_attributes() -> bytes:
    """Two hundred thousand attributes of one tag, each different."""
    return b"<html><body><p " + b" ".join(b"a%d=1" % number for number in range(200_000)) + b">words</p></body></html>"


@bomb(GROUP, "entities.html")
def _html_entities() -> bytes:
    """A million character references, some of them of characters that there are not."""
    return (
        b"<html><body><p>" + b"&#x110000;&#0;&amp;&CounterClockwiseContourIntegral;&notanentity" * 200_000 + b"</p></body></html>"
    )


@bomb(GROUP, "comments.html")
def _html_comments() -> bytes:
    """Half a million comments that begin and do not end."""
    return b"<html><body>" + b"<!--" * 500_000


@bomb(GROUP, "sniffed.html")
def _sniffed_comment() -> bytes:
    """Comments before the first tag, as a search for that tag meets them."""
    return (b"<!--" + b"-" * 1_990 + b"--> ") * 2_000


@bomb(GROUP, "tags.html")
def _html_open_tags() -> bytes:
    """A million tags cut off within."""
    return b"<html><body>" + b'<a href="' * 1_000_000
