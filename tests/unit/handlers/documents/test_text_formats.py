"""Plain text, Markdown and HTML against what the samples hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingest.v1 import document_pb2
from ingest_server.handlers.encoding import decode
from ingest_server.handlers.interface import HandlerFailure
from tests.unit.handlers.documents.conftest import Read

LETTERS = ["letter_utf8.txt", "letter_utf16.txt", "letter_utf16_unmarked.txt", "letter_latin1.txt", "letter_dos.txt"]


def seen(document: document_pb2.Document) -> list[dict[str, Any]]:
    """Elements in the manifest's words."""
    result: list[dict[str, Any]] = []
    for element in document.elements:
        if element.WhichOneof("kind") == "table":
            table = element.table
            rows: list[list[str]] = [[] for _ in range(table.rows)]
            for cell in table.cells:
                rows[cell.row].append(cell.text)
            result.append({"table": rows, "columns": table.columns, "caption": table.caption})
        else:
            role = document_pb2.TextRole.Name(element.text.role).removeprefix("TEXT_ROLE_").lower()
            result.append({"role": role, "text": element.text.text, "page": element.page, "level": element.heading_level})
    return result


@pytest.mark.parametrize("name", ["article.html", "notes.md", *LETTERS])
def test_elements_are_those_of_the_manifest(samples: Path, manifest: dict[str, Any], read: Read, name: str) -> None:
    document = read(samples / name, "", name)
    entry = manifest[name]
    assert seen(document) == entry["elements"]
    assert document.title == entry["title"]
    assert list(document.authors) == entry["authors"]
    assert document.language == entry.get("language", "")
    assert [element.id for element in document.elements] == [f"e{n}" for n in range(1, len(document.elements) + 1)]


def test_html_leaves_boilerplate_out(samples: Path, manifest: dict[str, Any], read: Read) -> None:
    text = str(read(samples / "article.html"))
    for piece in manifest["article.html"]["boilerplate"]:
        assert piece not in text


def test_html_time_is_in_utc(samples: Path, read: Read) -> None:
    assert read(samples / "article.html").create_time.ToJsonString() == "2024-03-01T07:30:00Z"


@pytest.mark.parametrize(
    ("html", "texts"),
    [
        (b"<p>one<p>two<br>lines", ["one", "two\nlines"]),
        (b"<html><body>bare <b>text</b> &lt;p&gt; &amp;amp;", ["bare text <p> &amp;"]),
        (b"<html><p>\xe9t\xe9", ["été"]),
        (b'<html><meta charset="windows-1251"><p>\xcf\xf0\xe8\xe2\xe5\xf2', ["Привет"]),
        ("<html><p>weiß".encode("utf-16"), ["weiß"]),
        (b"<html><table role=presentation><tr><td><p>left</p><td>right</table>", ["left", "right"]),
        ("<html><p>private \ue8f1T0;\ue8f1Q \ue8f2 use</p>".encode(), ["private T0;Q \ue8f2 use"]),
        (b"<html><main></main><p>outside", ["outside"]),
        (b"<html><pre>\n  a\n\n  b</pre>", ["  a\n\n  b"]),
        (b"<html><head><title>only", []),
    ],
)
def test_html_pieces(read: Read, html: bytes, texts: list[str]) -> None:
    assert [element.text.text for element in read(html, "text/html").elements] == texts


def test_html_of_absurd_nesting_and_many_tables_ends(read: Read) -> None:
    deep = read(b"<html>" + b"<div><b>" * 20_000 + b"deep", "text/html")
    assert "deep" in str(deep)
    many = read(b"<html>" + b"<table><tr><td>x<td>y</table>" * 2_500, "text/html")
    assert len(many.elements) >= 2_000


def test_html_spans_do_not_reach_beyond_the_table(read: Read) -> None:
    html = b"<html><table><tr><td rowspan=99 colspan=2>a<td>b<tr><td>c<tr><td colspan=99999999999>d</table>"
    table = read(html, "text/html").elements[0].table
    cells = [(cell.row, cell.column, cell.row_span, cell.column_span, cell.text) for cell in table.cells]
    assert cells == [(0, 0, 3, 2, "a"), (0, 2, 1, 1, "b"), (1, 2, 1, 1, "c"), (2, 2, 1, 1, "d")]


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        (b"\xef\xbb\xbfcaf\xc3\xa9", "latin-1", "café"),
        (b"\xff\xfe\x00\x00a\x00\x00\x00", "", "a"),
        ("naïve".encode("utf-16-le"), "", "naïve"),
        (b"caf\xe9", "utf-8", "café"),
        (b"caf\xc3\xa9", "windows-1252", "café"),
        (b"\xbe\xb9", "iso-8859-2", "žš"),
        (b"\x93quoted\x94 \x81", "", "\x93quoted\x94 \x81"),
        (b"\x93quoted\x94", "", "“quoted”"),
        (b"plain", "no-such-charset", "plain"),
        (b"plain", "base64", "plain"),
        ("これは日本語の文章です。".encode("shift_jis") * 4, "", "これは日本語の文章です。" * 4),
    ],
)
def test_decoding(data: bytes, charset: str, text: str) -> None:
    assert decode(data, charset)[0] == text


def test_binary_called_text_is_refused() -> None:
    with pytest.raises(HandlerFailure, match="control characters") as caught:
        decode(bytes(range(32)) * 20)
    assert caught.value.reason == "DOCUMENT_MALFORMED"


def test_form_feeds_make_pages(read: Read) -> None:
    document = read(b"one\n\n\x0ctwo\x0cthree\n\x0c", "text/plain", first_page=2)
    assert document.page_count == 3
    assert [(element.page, element.text.text) for element in document.elements] == [(2, "two"), (3, "three")]
    with pytest.raises(HandlerFailure, match="first_page is 4, but the document has 3 pages"):
        read(b"one\n\n\x0ctwo\x0cthree\n\x0c", "text/plain", first_page=4)


def test_preformatted_text_keeps_its_lines(read: Read) -> None:
    document = read(b"Intro:\n\n    a = 1\n      b = 2\n\nname    size\none     2\n", "text/plain")
    assert [element.text.text for element in document.elements] == ["Intro:", "a = 1\n  b = 2", "name    size\none     2"]


def test_markdown_pictures_and_html_inside(read: Read) -> None:
    document = read(b"![a map](x.png)\n\nsee ![icon](i.png) here\n\n<div>from <b>HTML</b></div>\n", "text/markdown")
    assert document.elements[0].image.alt_text == "a map"
    assert [element.text.text for element in document.elements[1:]] == ["see icon here", "from HTML"]
