"""A sample DOCX: headings, paragraphs, a list and a table."""

from __future__ import annotations

from pathlib import Path

from scripts.sample_documents.manifest import Element, Entry, element, entry
from scripts.sample_documents.packages import HEAD, office_parts, pack, relationships
from scripts.sample_documents.prose import Prose

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml"
MAIN = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STYLES = (
    f'{HEAD}<w:styles xmlns:w="{MAIN}">'
    '<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>'
    + "".join(
        f'<w:style w:type="paragraph" w:styleId="Heading{level}"><w:name w:val="heading {level}"/><w:basedOn w:val="Normal"/>'
        f'<w:pPr><w:outlineLvl w:val="{level - 1}"/></w:pPr><w:rPr><w:b/><w:sz w:val="{size}"/></w:rPr></w:style>'
        for level, size in ((1, 36), (2, 28))
    )
    + "</w:styles>"
)
NUMBERING = (
    f'{HEAD}<w:numbering xmlns:w="{MAIN}"><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/>'
    '<w:numFmt w:val="bullet"/><w:lvlText w:val="•"/></w:lvl></w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>'
)


def make_word(folder: Path) -> Entry:
    """Minutes of a meeting."""
    prose = Prose(3)
    elements: list[Element] = [
        element("heading", "Minutes of the Harbour Board", level=1),
        element("paragraph", prose.paragraph()),
        element("heading", "Decisions", level=2),
        element("list_item", "The lamp is repaired"),
        element("list_item", "The fee stays as it is"),
        {"table": [["Task", "Who"], ["Lamp", "Ada Quay"], ["Rope", "Ben Mole"]], "columns": 2, "caption": ""},
        element("paragraph", prose.paragraph()),
    ]
    parts = office_parts(
        "word/document.xml",
        f"{MEDIA_TYPE}.document.main+xml",
        {"word/styles.xml": f"{MEDIA_TYPE}.styles+xml", "word/numbering.xml": f"{MEDIA_TYPE}.numbering+xml"},
        "Minutes of the Harbour Board",
        "Ada Quay",
    )
    body = "".join(map(_block, elements))
    parts["word/document.xml"] = f'{HEAD}<w:document xmlns:w="{MAIN}"><w:body>{body}<w:sectPr/></w:body></w:document>'
    parts["word/styles.xml"] = STYLES
    parts["word/numbering.xml"] = NUMBERING
    parts["word/_rels/document.xml.rels"] = relationships(("styles", "styles.xml"), ("numbering", "numbering.xml"))
    pack(folder / "minutes.docx", parts)
    return entry("minutes.docx", f"{MEDIA_TYPE}.document", elements, title="Minutes of the Harbour Board", authors=["Ada Quay"])


def _block(described: Element) -> str:
    if "table" in described:
        rows = "".join(
            f"<w:tr>{''.join(f'<w:tc>{_paragraph(cell)}</w:tc>' for cell in row)}</w:tr>" for row in described["table"]
        )
        grid = "<w:gridCol/>" * described["columns"]
        return f"<w:tbl><w:tblPr/><w:tblGrid>{grid}</w:tblGrid>{rows}</w:tbl>"
    properties = ""
    if described["level"]:
        properties = f'<w:pStyle w:val="Heading{described["level"]}"/>'
    elif described["role"] == "list_item":
        properties = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'
    return _paragraph(described["text"], properties)


def _paragraph(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"
