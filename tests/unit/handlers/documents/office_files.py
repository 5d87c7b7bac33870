"""Makes office documents for tests out of the XML that matters, and damages them."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml"
SLIDES = "application/vnd.openxmlformats-officedocument.presentationml"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
STRICT = "http://purl.oclc.org/ooxml"
NAMESPACES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    f'xmlns:r="{OFFICE}/relationships" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" '
    'xmlns:v="urn:schemas-microsoft-com:vml"'
)
CORE = """<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"><dc:title>The &amp; Title</dc:title>
<dc:creator>Ada Quay; Ben Mole</dc:creator><dc:language>de-AT</dc:language>
<dc:subject>Ports</dc:subject><cp:keywords>sea; ships</cp:keywords><dc:description>A longer
word about it</dc:description><cp:category>Reports</cp:category><cp:lastModifiedBy>Cy Rope</cp:lastModifiedBy>
<dcterms:modified>2024-03-02T10:00:00+01:00</dcterms:modified>
<dcterms:created>2024-03-01T08:30:00Z</dcterms:created></cp:coreProperties>"""

Parts = dict[str, "str | bytes"]


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    """The parts as a ZIP file, deflated."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return file.getvalue()


def relationships(*targets: tuple[str, str]) -> str:
    """A part of relationships: (last segment of the type, target), with the ids rId1, rId2, …"""
    rows = "".join(
        f'<Relationship Id="rId{number}" Type="{OFFICE}/relationships/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{rows}</Relationships>'


def content_types(main: str, media_type: str) -> str:
    """The part that declares the type of the main part."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        f'<Default Extension="xml" ContentType="application/xml"/><Override PartName="/{main}" ContentType="{media_type}"/>'
        "</Types>"
    )


def docx_parts(body: str, **more: str) -> Parts:
    """A word processing document; `more` are its other parts by name (styles, numbering, footnotes, endnotes)."""
    parts: Parts = {
        "[Content_Types].xml": content_types("word/document.xml", f"{WORD}.document.main+xml"),
        "_rels/.rels": relationships(("officeDocument", "word/document.xml"), ("metadata/core-properties", "docProps/core.xml")),
        "docProps/core.xml": CORE,
        "word/document.xml": f"<w:document {NAMESPACES}><w:body>{body}</w:body></w:document>",
        "word/_rels/document.xml.rels": relationships(*((name, f"{name}.xml") for name in more)),
    }
    for name, content in more.items():
        parts[f"word/{name}.xml"] = f"<w:{name} {NAMESPACES}>{content}</w:{name}>"
    return parts


def docx(body: str, **more: str) -> bytes:
    """The same as a file."""
    return zipped(docx_parts(body, **more))


def slide(shapes: str) -> str:
    """The XML of a slide with these shapes."""
    return f"<p:sld {NAMESPACES}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"


def pptx_parts(*slides: str, notes: Mapping[int, str] | None = None) -> Parts:
    """A presentation of slides, given by their shapes; `notes` are shapes of notes by number of the slide, from 1.

    The parts are numbered against the order of the show, so that the order of names tells nothing.
    """
    count = len(slides)
    ids = "".join(f'<p:sldId id="{255 + number}" r:id="rId{number}"/>' for number in range(1, count + 1))
    targets = [("slide", f"slides/slide{count - number}.xml") for number in range(count)]
    parts: Parts = {
        "[Content_Types].xml": content_types("ppt/presentation.xml", f"{SLIDES}.presentation.main+xml"),
        "_rels/.rels": relationships(
            ("officeDocument", "ppt/presentation.xml"), ("metadata/core-properties", "docProps/core.xml")
        ),
        "docProps/core.xml": CORE,
        "ppt/presentation.xml": f"<p:presentation {NAMESPACES}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": relationships(*targets),
    }
    for number, shapes in enumerate(slides, 1):
        name = f"slide{count - number + 1}.xml"
        parts[f"ppt/slides/{name}"] = slide(shapes)
        if notes and number in notes:
            parts[f"ppt/slides/_rels/{name}.rels"] = relationships(("slideLayout", "x.xml"), ("notesSlide", f"../notes/{name}"))
            parts[f"ppt/notes/{name}"] = slide(notes[number])
    return parts


def ole(*names: str) -> bytes:
    """An OLE file of two sectors, FAT and directory, with empty streams of these names (at most three)."""
    header = bytearray(512)
    header[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    struct.pack_into("<HHHH", header, 24, 0x3E, 3, 0xFFFE, 9)
    struct.pack_into("<III", header, 44, 1, 1, 0)
    struct.pack_into("<109I", header, 76, 0, *[0xFFFFFFFF] * 108)
    fat = struct.pack("<128I", 0xFFFFFFFD, 0xFFFFFFFE, *[0xFFFFFFFF] * 126)
    directory = b""
    for name in ("Root Entry", *names):
        text = (name + "\0").encode("utf-16-le")
        directory += text.ljust(64, b"\0") + struct.pack("<H", len(text)) + bytes(62)
    return bytes(header) + fat + directory.ljust(512, b"\0")
