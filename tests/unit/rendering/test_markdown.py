"""Markdown: what a reader of Markdown makes of it is what the document said, and nothing more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ingest.v1 import document_pb2
from ingest.v1.document_pb2 import TEXT_ROLE_CODE, TEXT_ROLE_HEADING, TEXT_ROLE_LIST_ITEM, TEXT_ROLE_PARAGRAPH, TEXT_ROLE_QUOTE
from ingest_client.rendering import markdown
from ingest_client.rendering.cleaning import clean, heading_level, lines, one_line
from ingest_client.rendering.grid import grid_of, is_header
from tests.unit.rendering.documents import document_of, hostile_texts, image_of, table_of, tables, text_of, texts

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def spoken(tokens: list[Token]) -> list[tuple[str, str]]:
    """Blocks as (kind, text); inline markup makes the test fail."""
    found: list[tuple[str, str]] = []
    containers: list[str] = []
    for token in tokens:
        if token.type in ("heading_open", "list_item_open", "blockquote_open"):
            containers.append(token.tag)
        elif token.type in ("heading_close", "list_item_close", "blockquote_close"):
            containers.pop()
        elif token.type == "inline":
            children = token.children or []
            assert {child.type for child in children} <= {"text", "hardbreak", "html_inline"}
            parts = ["\n" if child.type != "text" else child.content for child in children]
            assert all(child.content == "<br>" for child in children if child.type == "html_inline")
            found.append(("/".join(containers) or "p", "".join(parts)))
        elif token.type == "fence":
            assert not token.info
            found.append(("code", token.content))
        else:
            assert token.type.rpartition("_")[0] in (
                "paragraph", "bullet_list", "table", "thead", "tbody", "tr", "th", "td"
            ), token.type  # fmt: skip
    return found


def meant(element: document_pb2.Element) -> list[tuple[str, str]]:
    """What the reader should find of an element."""
    text = element.text.text
    if level := heading_level(element):
        return [(f"h{level}", one_line(text))] if one_line(text) else []
    if element.text.role == TEXT_ROLE_CODE:
        code = clean(text).strip("\n")
        return [("code", code + "\n")] if code.strip() else []
    kind = {TEXT_ROLE_LIST_ITEM: "li", TEXT_ROLE_QUOTE: "blockquote"}.get(element.text.role, "p")
    return [(kind, "\n".join(lines(text)))] if lines(text) else []


def without_blanks(blocks: list[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Readers drop blanks at edges."""
    return [(kind, text.split()) for kind, text in blocks]


@given(st.lists(texts(), max_size=4))
def test_text_means_itself(elements: list[document_pb2.Element]) -> None:
    read = spoken(PARSER.parse(markdown(document_of(*elements))))
    assert without_blanks(read) == without_blanks([block for element in elements for block in meant(element)])


@given(tables())
def test_tables_keep_every_text_in_its_place(element: document_pb2.Element) -> None:
    element.table.caption = ""
    grid = grid_of(element.table)
    read = [text.split() for _, text in spoken(PARSER.parse(markdown(document_of(element))))]
    width = max(map(len, grid), default=0)
    wanted = [["" if cell is None else cell.text for cell in row] + [""] * (width - len(row)) for row in grid]
    if grid and not is_header(grid[0]):
        wanted.insert(0, [""] * width)
    assert read == [" ".join(lines(text)).split() for row in wanted for text in row]


@given(hostile_texts, hostile_texts)
def test_the_text_of_a_picture_means_itself(text: str, after: str) -> None:
    linked = PARSER.parse(markdown(document_of(image_of(text, identity="e1")), image_links={"e1": "a (b).png"}))
    (image,) = linked[1].children or []
    assert (image.type, image.attrs["src"]) == ("image", "a%20%28b%29.png")
    shown = image.children or []
    assert {child.type for child in shown} <= {"text"}
    assert "".join(child.content for child in shown).split() == one_line(text).split()
    (placeholder, *_) = spoken(PARSER.parse(markdown(document_of(image_of(text), text_of(after)))))
    assert placeholder[1].split() == (f"[image: {one_line(text)}]" if one_line(text) else "[image]").split()


@pytest.mark.parametrize(
    "text",
    [
        "snake_case and 2 * 3 < 7 > 5, AT&T, C:\\temp, [1], e.g. (a) ~5 km, 50 %, #1, a | b, x = -1 + 2!",
        "See https://example.org/a_b?c=d&e=f or write to a@example.org.",
        "1.5 is no item; -5 is none; #hashtag is no heading; 3.14)",
    ],
)
def test_prose_stays_as_it_is(text: str) -> None:
    assert markdown(document_of(text_of(text))) == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("# not a heading", "\\# not a heading"),
        ("1. no item", "1\\. no item"),
        ("- no item", "\\- no item"),
        ("a\n---", "a  \n\\---"),
        ("*no stress*", "\\*no stress\\*"),
        ("__init__", "\\_\\_init\\_\\_"),
        ("[click](javascript:alert(1))", "[click\\](javascript:alert(1))"),
        ("<script>alert(1)</script>", "\\<script>alert(1)\\</script>"),
        ("[a]: http://b", "[a\\]: http://b"),
        ("&lt;b&gt;", "\\&lt;b\\&gt;"),
        ("`code`", "\\`code\\`"),
        ("a | b\n--- | ---", "a | b  \n\\--- | ---"),
        ("\x1b[2Jgone", "[2Jgone"),
        (" \n\t\n ", ""),
    ],
)
def test_markup_is_escaped_and_only_that(text: str, wanted: str) -> None:
    assert markdown(document_of(text_of(text))) == wanted


def test_an_empty_document_is_empty() -> None:
    assert markdown(document_of(title="t")) == ""
    assert markdown(document_of(document_pb2.Element(id="e1"), text_of(""), table_of("."))) == ""


def test_a_whole_document() -> None:
    document = document_of(
        text_of("Report", TEXT_ROLE_HEADING, level=1, page=1),
        text_of("In two lines\nof text.", TEXT_ROLE_PARAGRAPH, page=1),
        text_of("Deep #", TEXT_ROLE_HEADING, level=9, page=1),
        text_of("No depth", TEXT_ROLE_HEADING, page=2),
        text_of("one", TEXT_ROLE_LIST_ITEM, page=2),
        text_of("two\nlines", TEXT_ROLE_LIST_ITEM, page=2),
        text_of("said", TEXT_ROLE_QUOTE, page=2),
        text_of("x = '```'\n", TEXT_ROLE_CODE, page=2),
        table_of("a,b|c", "1,.", "line\nends,*", caption="Numbers"),
    )
    assert markdown(document, page_marks=True) == (
        "<!-- page 1 -->\n\n# Report\n\nIn two lines  \nof text.\n\n###### Deep \\#\n\n<!-- page 2 -->\n\n## No depth\n\n"
        "- one\n- two  \n  lines\n\n> said\n\n````\nx = '```'\n````\n\n"
        "Numbers\n\n| a | b\\|c |\n| --- | --- |\n| 1 |  |\n| line<br>ends | * |"
    )
