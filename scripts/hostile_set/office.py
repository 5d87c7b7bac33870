"""The smallest packages that are read as DOCX, PPTX, XLSX and ODS, of which any part can be replaced by something worse."""

from __future__ import annotations

import io
import zipfile

OFFICE = "http://schemas.openxmlformats.org"
RELATIONSHIPS = f"{OFFICE}/package/2006/relationships"
LINKS = f"{OFFICE}/officeDocument/2006/relationships"
MAIN = "application/vnd.openxmlformats-officedocument"
WORD = f'xmlns:w="{OFFICE}/wordprocessingml/2006/main"'
SHEET = f'xmlns="{OFFICE}/spreadsheetml/2006/main"'
SLIDE = f'xmlns:p="{OFFICE}/presentationml/2006/main" xmlns:a="{OFFICE}/drawingml/2006/main" xmlns:r="{LINKS}"'


def _types(part: str, kind: str) -> str:
    return (
        f'<Types xmlns="{OFFICE}/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/{part}" ContentType="{MAIN}.{kind}.main+xml"/></Types>'
    )


def related(*links: tuple[str, str]) -> str:
    """A part of relationships: (last word of the type, target) each; ids are r1, r2, …"""
    rows = "".join(
        f'<Relationship Id="r{number}" Type="{LINKS}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(links, 1)
    )
    return f'<Relationships xmlns="{RELATIONSHIPS}">{rows}</Relationships>'


def document_xml(body: str, before: str = "") -> str:
    """The main part of a DOCX."""
    return f"{before}<w:document {WORD}><w:body>{body}</w:body></w:document>"


def sheet_xml(rows: str, before: str = "", after: str = "") -> str:
    """A sheet of an XLSX."""
    return f"{before}<worksheet {SHEET}><sheetData>{rows}</sheetData>{after}</worksheet>"


def workbook_xml(sheets: str) -> str:
    """The main part of an XLSX."""
    return f'<workbook {SHEET} xmlns:r="{LINKS}"><sheets>{sheets}</sheets></workbook>'


def slide_xml(text: str, before: str = "") -> str:
    """A slide of a PPTX."""
    shape = f"<p:sp><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"
    return f"{before}<p:sld {SLIDE}><p:cSld><p:spTree>{shape}</p:spTree></p:cSld></p:sld>"


PARTS: dict[str, dict[str, str | bytes]] = {
    "docx": {
        "[Content_Types].xml": _types("word/document.xml", "wordprocessingml.document"),
        "_rels/.rels": related(("officeDocument", "word/document.xml")),
        "word/document.xml": document_xml("<w:p><w:r><w:t>words</w:t></w:r></w:p>"),
        "word/_rels/document.xml.rels": related(("styles", "styles.xml"), ("numbering", "numbering.xml")),
    },
    "pptx": {
        "[Content_Types].xml": _types("ppt/presentation.xml", "presentationml.presentation"),
        "_rels/.rels": related(("officeDocument", "ppt/presentation.xml")),
        "ppt/presentation.xml": f'<p:presentation {SLIDE}><p:sldIdLst><p:sldId r:id="r1"/></p:sldIdLst></p:presentation>',
        "ppt/_rels/presentation.xml.rels": related(("slide", "slides/slide1.xml")),
        "ppt/slides/slide1.xml": slide_xml("words"),
    },
    "xlsx": {
        "[Content_Types].xml": _types("xl/workbook.xml", "spreadsheetml.sheet"),
        "_rels/.rels": related(("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": workbook_xml('<sheet name="S" sheetId="1" r:id="r1"/>'),
        "xl/_rels/workbook.xml.rels": related(("worksheet", "worksheets/sheet1.xml"), ("sharedStrings", "sharedStrings.xml")),
        "xl/sharedStrings.xml": f"<sst {SHEET}><si><t>words</t></si></sst>",
        "xl/worksheets/sheet1.xml": sheet_xml('<row r="1"><c r="A1" t="s"><v>0</v></c></row>'),
    },
    "ods": {
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "META-INF/manifest.xml": '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        "content.xml": "",
    },
}
"""Kind of package → its parts."""


def ods_xml(rows: str, before: str = "") -> str:
    """The content of an ODS."""
    names = "urn:oasis:names:tc:opendocument:xmlns"
    spaces = f'xmlns:office="{names}:office:1.0" xmlns:table="{names}:table:1.0" xmlns:text="{names}:text:1.0"'
    return (
        f"{before}<office:document-content {spaces}><office:body><office:spreadsheet>"
        f'<table:table table:name="S">{rows}</table:table></office:spreadsheet></office:body></office:document-content>'
    )


def office_package(kind: str, parts: dict[str, str | bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A package of a kind ("docx", "pptx", "xlsx", "ods") with these parts in place of, or beside, its own."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, part in {**PARTS[kind], **parts}.items():
            archive.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_STORED if name == "mimetype" else method)
    return file.getvalue()
