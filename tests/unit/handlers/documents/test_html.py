"""HTML: what is content and what is not, footnotes and boxes, tables that are none, lines of cells, lists, and content FULL."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.v1 import document_pb2
from ingest_server.domain.extract_rules import ContentScope
from ingest_server.handlers.interface import HandlerFailure
from tests.unit.handlers.documents.conftest import Read

SITE = b"""<html><body><header role=banner>Site</header><nav>Home <a href=/>About</a></nav>
<main><h1>Title<a class=headerlink>#</a></h1><p>Words.</p><aside class=related>See more</aside><p hidden>secret</p></main>
<form><label>Name</label><input value=here><button>Send</button></form><footer>Imprint</footer>
<p style="color: red; display: none">unseen</p><script>var x</script></body></html>"""


def pieces(document: document_pb2.Document) -> list[tuple[str, str]]:
    """(role, text) of each element."""
    names = document_pb2.TextRole.Name
    return [
        (names(each.text.role).removeprefix("TEXT_ROLE_").lower(), each.text.text) if each.HasField("text") else ("table", "")
        for each in document.elements
    ]


def texts(document: document_pb2.Document) -> list[str]:
    """Text of each element."""
    return [text for _, text in pieces(document)]


@pytest.mark.parametrize("content", [ContentScope.UNSPECIFIED, ContentScope.MAIN])
def test_main_content_is_read_without_what_stands_around_it(read: Read, content: int) -> None:
    assert pieces(read(SITE, "text/html", content=content)) == [("heading", "Title"), ("paragraph", "Words.")]


def test_full_content_has_everything_that_is_seen_and_nothing_that_is_hidden(read: Read) -> None:
    found = " ".join(texts(read(SITE, "text/html", content=ContentScope.FULL)))
    for seen in ("Site", "Home", "About", "Title", "Words.", "See more", "Name", "here", "Send", "Imprint"):
        assert seen in found
    for unseen in ("secret", "unseen", "var x"):
        assert unseen not in found


@pytest.mark.parametrize("content", [3, -1])
def test_a_scope_that_is_none_is_refused(read: Read, content: int) -> None:
    with pytest.raises(HandlerFailure, match=rf"content must be one of 0 \(UNSPECIFIED\), .*, not {content}\.") as refused:
        read(SITE, "text/html", content=content)
    assert refused.value.reason == "INVALID_OPTIONS"


def test_of_several_articles_none_is_the_content_alone(read: Read) -> None:
    assert texts(read(b"<html><article><p>one</article><article><p>two</article>", "text/html")) == ["one", "two"]
    assert texts(read(b"<html><p>around</p><article><p>one</article>", "text/html")) == ["one"]


def test_a_main_part_that_a_script_was_to_fill_hides_nothing(read: Read) -> None:
    assert texts(read(b"<html><main><div id=app></div></main><p>outside", "text/html")) == ["outside"]


def test_footnotes_are_notes_with_their_label(read: Read) -> None:
    html = b"""<html><main><p>text <a href=#f>[1]</a></p><aside class="footnote-list brackets">
    <aside class="footnote brackets" role=note><span class=label><span>[</span><a>1</a><span>]</span></span>
    <p>First.</p><p>More.</p></aside></aside><p>after</p><aside>Advertisement</aside></main>"""
    assert pieces(read(html, "text/html")) == [
        ("paragraph", "text [1]"),
        ("note", "[1] First."),
        ("note", "More."),
        ("paragraph", "after"),
    ]
    markdown = b'<html><p>x</p><section class="footnotes"><ol><li id="fn1"><p>Second.</p></li></ol></section>'
    assert pieces(read(markdown, "text/html"))[1:] == [("note", "Second.")]


def test_a_label_without_text_is_not_lost(read: Read) -> None:
    html = b'<html><aside class="footnote"><span>[7]</span></aside><p>end'
    assert pieces(read(html, "text/html")) == [("note", "[7]"), ("paragraph", "end")]


def test_a_box_of_the_author_is_kept_and_a_sidebar_of_the_site_is_not(read: Read) -> None:
    html = b"""<html><main><aside class=topic><p>Abstract</aside><aside class=sidebar><p class=sidebar-title>Tutorial</p>
    <p>Boxed.</aside><div class=sidebar>Links</div><p>Words."""
    assert texts(read(html, "text/html")) == ["Abstract", "Tutorial", "Boxed.", "Words."]


def test_columns_of_a_page_are_no_table(read: Read) -> None:
    index = b"<html><table><tr><td><ul><li>a</li><li>b</li></ul></td><td><ul><li>c</li></ul></td></tr></table>"
    assert pieces(read(index, "text/html")) == [("list_item", "a"), ("list_item", "b"), ("list_item", "c")]
    listing = b"<html><table><tr><td><pre>1\n2</pre></td><td><pre>x = 1\ny = 2</pre></td></tr></table>"
    assert pieces(read(listing, "text/html")) == [("code", "1\n2"), ("code", "x = 1\ny = 2")]


@pytest.mark.parametrize(
    "html",
    [
        b"<table><tr><td>1<td>2</table>",
        b"<table><caption>c</caption><tr><td><ul><li>a</ul><td>2</table>",
        b"<table><tr><th>k<td><ul><li>v</ul></table>",
        b"<table><tr><td><ul><li>a</ul><td>2<tr><td>3<td>4</table>",
    ],
)
def test_a_table_of_values_stays_one(read: Read, html: bytes) -> None:
    assert pieces(read(b"<html>" + html, "text/html")) == [("table", "")]


def cells(document: document_pb2.Document) -> list[str]:
    """Texts of the cells of the first table."""
    return [cell.text for cell in document.elements[0].table.cells]


@pytest.mark.parametrize("change", [bytes, bytes.upper], ids=["small", "capitals"])
def test_cells_keep_their_lines(read: Read, change: Any) -> None:
    html = change(
        b"<html><body><table><tr><td><p>a b</p><p>c</p></td><td>d<br>e</td></tr>"
        b"<tr><td><ul><li>f</li><li>g</li></ul></td><td><pre>h\n  i</pre></td></tr><tr><td> j \n k </td><td></td></tr></table>"
    )
    wanted = ["a b\nc", "d\ne", "f\ng", "h\ni", "j k", ""]
    assert [text.lower() for text in cells(read(html, "text/html"))] == wanted


def test_cells_have_no_scripts_and_captions_no_links_to_themselves(read: Read) -> None:
    html = b"""<html><table><caption>Sizes<a class=headerlink>\xc2\xb6</a></caption>
    <tr><td>a<script>var x = "</td>"</script><style>p {}</style></td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>"""
    document = read(html, "text/html")
    assert cells(document) == ["a", "b", "c", "d"]
    assert document.elements[0].table.caption == "Sizes"


def test_an_item_of_two_paragraphs_is_one_item(read: Read) -> None:
    html = b"""<html><ul><li><p>one</p><p>more of one</p><ul><li>inner</li></ul>tail</li><li>two</li></ul><p>after"""
    assert pieces(read(html, "text/html")) == [
        ("list_item", "one"),
        ("paragraph", "more of one"),
        ("list_item", "inner"),
        ("paragraph", "tail"),
        ("list_item", "two"),
        ("paragraph", "after"),
    ]


def test_breaks_end_lines_and_two_of_them_paragraphs(read: Read) -> None:
    html = b"<html><p>Main Street 1<br>\nTown<br/><br>\n<br>Dear reader</p><h2>A<br>heading</h2><br><p><br>x<br></p>"
    assert texts(read(html, "text/html")) == ["Main Street 1\nTown", "Dear reader", "A heading", "x"]


def test_pictures_and_summaries_do_not_glue_words_together(read: Read) -> None:
    html = b"<html><p>before<img alt=picture>after</p><details><summary>Short</summary>long</details>"
    assert texts(read(html, "text/html")) == ["before picture after", "Short", "long"]


def test_definitions_are_terms_and_what_they_mean(read: Read) -> None:
    html = b"<html><dl><dt>term</dt><dd><p>meaning</p><dl><dt>inner</dt><dd>its own</dd></dl></dd></dl>"
    assert texts(read(html, "text/html")) == ["term", "meaning", "inner", "its own"]


@pytest.mark.parametrize("forged", [b"&#xe8f1;T0;", b"&#xe8f1;T999999999999999999999;", b"&#xe8f1;q&#xe8f1;n", b"&#xe8f1;"])
def test_marks_that_a_document_forges_break_nothing(read: Read, forged: bytes) -> None:
    document = read(b"<html><p>a</p>" + forged + b"<p>b</p>", "text/html")
    assert texts(document)[0] == "a"
    assert texts(document)[-1] == "b"
