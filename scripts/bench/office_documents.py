"""Documents and pages a second of the readers of DOCX and PPTX, in one process, on documents it makes.

    python -m scripts.bench.office_documents [--pages 300] [--rounds 5]

A page has eight paragraphs of 60 words in three runs each and a heading, every tenth page a table of 10 × 4 cells too; a slide
has a title, six items, and notes.
"""

from __future__ import annotations

import argparse
import io
import random
import statistics
import time
import zipfile

from ingest.v1 import document_pb2
from ingest_server.handlers.extract import extract
from ingest_server.handlers.extract_options import ExtractOptions
from ingest_server.handlers.inputs import MemoryInput
from ingest_server.handlers.interface import Output
from scripts.bench.pdf_pages import QuietContext

OFFICE = "http://schemas.openxmlformats.org"
MAIN = "application/vnd.openxmlformats-officedocument"
RELATED = f"{OFFICE}/package/2006/relationships"


def words(chance: random.Random, count: int) -> str:
    """Words of two to nine letters."""
    return " ".join("".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(count))


def packed(parts: dict[str, str], main: str, media_type: str) -> bytes:
    """A package of parts, of which `main` has `media_type`."""
    parts["[Content_Types].xml"] = (
        f'<Types xmlns="{OFFICE}/package/2006/content-types"><Override PartName="/{main}" ContentType="{media_type}"/></Types>'
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return file.getvalue()


def word_document(pages: int) -> bytes:
    """A DOCX of so many pages."""
    chance = random.Random(1)
    body: list[str] = []
    for page in range(pages):
        body.append(f'<w:p><w:pPr><w:outlineLvl w:val="1"/></w:pPr><w:r><w:t>{words(chance, 4)}</w:t></w:r></w:p>')
        for _ in range(8):
            run = '<w:r><w:rPr><w:b/><w:sz w:val="22"/></w:rPr><w:t xml:space="preserve">{} </w:t></w:r>'
            runs = "".join(run.format(words(chance, 20)) for _ in range(3))
            body.append(f'<w:p><w:pPr><w:spacing w:after="120"/><w:jc w:val="both"/></w:pPr>{runs}</w:p>')
        if page % 10 == 0:
            cells = "".join(f"<w:tc><w:tcPr/><w:p><w:r><w:t>{words(chance, 2)}</w:t></w:r></w:p></w:tc>" for _ in range(4))
            body.append(f"<w:tbl>{f'<w:tr>{cells}</w:tr>' * 10}</w:tbl>")
        body.append('<w:p><w:r><w:br w:type="page"/></w:r></w:p>')
    text = f'<w:document xmlns:w="{OFFICE}/wordprocessingml/2006/main"><w:body>{"".join(body)}</w:body></w:document>'
    return packed({"word/document.xml": text}, "word/document.xml", f"{MAIN}.wordprocessingml.document.main+xml")


def presentation(slides: int) -> bytes:
    """A PPTX of so many slides, with notes."""
    chance = random.Random(2)
    spaces = f'xmlns:a="{OFFICE}/drawingml/2006/main" xmlns:p="{OFFICE}/presentationml/2006/main"'
    related = f'xmlns:r="{OFFICE}/officeDocument/2006/relationships"'
    parts: dict[str, str] = {}

    def shape(kind: str, paragraphs: int) -> str:
        text = "".join(f'<a:p><a:r><a:rPr lang="en-GB"/><a:t>{words(chance, 8)}</a:t></a:r></a:p>' for _ in range(paragraphs))
        return f'<p:sp><p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr><p:txBody>{text}</p:txBody></p:sp>'

    for number in range(slides):
        parts[f"ppt/slides/{number}.xml"] = f"<p:sld {spaces}>{shape('title', 1)}{shape('body', 6)}</p:sld>"
        parts[f"ppt/notes/{number}.xml"] = f"<p:notes {spaces}>{shape('body', 3)}</p:notes>"
        parts[f"ppt/slides/_rels/{number}.xml.rels"] = (
            f'<Relationships xmlns="{RELATED}">'
            f'<Relationship Id="r" Type="x/notesSlide" Target="../notes/{number}.xml"/></Relationships>'
        )
    ids = "".join(f'<p:sldId r:id="r{number}"/>' for number in range(slides))
    parts["ppt/p.xml"] = f"<p:presentation {spaces} {related}>{ids}</p:presentation>"
    rows = "".join(f'<Relationship Id="r{number}" Type="x/slide" Target="slides/{number}.xml"/>' for number in range(slides))
    parts["ppt/_rels/p.xml.rels"] = f'<Relationships xmlns="{RELATED}">{rows}</Relationships>'
    return packed(parts, "ppt/p.xml", f"{MAIN}.presentationml.presentation.main+xml")


def seconds(data: bytes, expected_pages: int) -> float:
    """Processor time of one extract."""
    start = time.process_time()
    output = extract(QuietContext(MemoryInput(data)), ExtractOptions())
    assert isinstance(output, Output), "a document without pages"
    used = time.process_time() - start
    pages = document_pb2.Document.FromString(bytes(output.data)).page_count
    if pages < expected_pages:
        raise RuntimeError(f"{pages} pages were read of {expected_pages}")
    return used


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Documents and pages a second of the readers of DOCX and PPTX.")
    parser.add_argument("--pages", type=int, default=300, help="of the long documents")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts")
    options = parser.parse_args()
    for name, make in (("DOCX", word_document), ("PPTX", presentation)):
        for pages in (5, options.pages):
            data = make(pages)
            median = statistics.median(seconds(data, pages) for _ in range(options.rounds))
            rates = f"{1 / median:,.0f} documents/s, {pages / median:,.0f} pages/s"
            print(f"{name} of {pages} pages, {len(data) / 1024:.0f} KB: {rates}")


if __name__ == "__main__":
    main()
