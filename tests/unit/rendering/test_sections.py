"""Documents inside a document, in every format: names that try to be markup first."""

from __future__ import annotations

import json

from ingest.v1 import document_pb2
from ingest.v1.document_pb2 import TEXT_ROLE_HEADING
from ingest_client.cli.chunks import chunk_records, chunks_kept, has_chunks
from ingest_client.rendering import render
from tests.unit.rendering.documents import text_of


def mail() -> document_pb2.Document:
    """A mail with an archive that holds a report, and a note."""
    report = document_pb2.Document(
        name="a/report.pdf", elements=[text_of("Head", TEXT_ROLE_HEADING, level=1, page=1), text_of("Body")]
    )
    archive = document_pb2.Document(name="papers.zip", documents=[report])
    note = document_pb2.Document(name="note.txt", elements=[text_of("Note", page=2)])
    return document_pb2.Document(
        title="Hello", elements=[text_of("Hello", TEXT_ROLE_HEADING, level=1), text_of("Text")], documents=[archive, note]
    )


def test_hostile_names_become_no_markup() -> None:
    inner = document_pb2.Document(name="</h2><script>alert(1)</script>\n# x\x1b[31m", elements=[text_of("text")])
    document = document_pb2.Document(documents=[inner])
    assert "<script>" not in render(document, "html")
    assert render(document, "md") == "## \\</h2>\\<script>alert(1)\\</script> # x[31m\n\ntext"
    assert "\x1b" not in render(document, "text")


def test_deep_nesting_keeps_headings_within_six_levels_and_sections_closed() -> None:
    document = document_pb2.Document(name="leaf", elements=[text_of("Leaf", TEXT_ROLE_HEADING, level=5)])
    for number in range(20):
        document = document_pb2.Document(name=f"n{number}", documents=[document, document_pb2.Document(name="beside")])
    html = render(document, "html")
    assert html.count("<section>") == html.count("</section>") == 40
    assert "<h7" not in html
    assert "####### " not in render(document, "md")


def test_markdown_text_and_html_of_a_mail_with_an_archive() -> None:
    assert render(mail(), "md") == (
        "# Hello\n\nText\n\n## papers.zip\n\n### a/report.pdf\n\n#### Head\n\nBody\n\n## note.txt\n\nNote"
    )
    assert render(mail(), "text") == "Hello\n\nText\n\npapers.zip\n\na/report.pdf\n\nHead\n\nBody\n\nnote.txt\n\nNote"
    body = render(mail(), "html", page_marks=True).partition("<body>\n")[2].partition("\n</body>")[0]
    assert body.split("\n") == [
        "<h1>Hello</h1>",
        "<p>Text</p>",
        "<section>",
        "<h2>papers.zip</h2>",
        "<section>",
        "<h3>a/report.pdf</h3>",
        '<hr title="page 1">',
        "<h4>Head</h4>",
        "<p>Body</p>",
        "</section>",
        "</section>",
        "<section>",
        "<h2>note.txt</h2>",
        '<hr title="page 2">',
        "<p>Note</p>",
        "</section>",
    ]
    assert json.loads(render(mail(), "json"))["documents"][0]["documents"][0]["name"] == "a/report.pdf"


def test_links_of_pictures_are_those_of_the_outer_document() -> None:
    picture = document_pb2.Element(id="e1", image=document_pb2.ImageElement(alt_text="seal"))
    document = document_pb2.Document(elements=[picture], documents=[document_pb2.Document(name="x", elements=[picture])])
    assert render(document, "md", image_links={"e1": "seal.png"}) == "![seal](seal.png)\n\n## x\n\n[image: seal]"
    assert render(document, "html", image_links={"e1": "seal.png"}).count("<img") == 1


def test_chunks_of_documents_inside_are_told_under_both_names() -> None:
    document = mail()
    assert not has_chunks(document)
    document.documents[0].documents[0].chunks.add(id="c1", text="Body")
    document.chunks.add(id="c1", text="Text")
    assert has_chunks(document)
    assert chunks_kept(document) == 2
    assert [(each["name"], each["text"]) for each in chunk_records(document, "m.eml")] == [
        ("m.eml", "Text"),
        ("m.eml/papers.zip/a/report.pdf", "Body"),
    ]
    assert [each.get("name") for each in chunk_records(document, "")] == [None, "papers.zip/a/report.pdf"]
