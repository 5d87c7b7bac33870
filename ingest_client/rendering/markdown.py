"""A document as Markdown: CommonMark with GitHub's tables."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ingest.v1 import document_pb2
from ingest_client.rendering.cleaning import clean, heading_level, lines, one_line, with_pages
from ingest_client.rendering.grid import Row, grid_of, is_header
from ingest_client.rendering.markdown_escapes import (
    escape_cell,
    escape_heading,
    escape_label,
    escape_line,
    link_destination,
)
from ingest_client.rendering.sections import Section, sections

_BREAK = "  \n"
_BACKTICKS = re.compile("`+")


def markdown(document: document_pb2.Document, *, page_marks: bool = False, image_links: Mapping[str, str] | None = None) -> str:
    """Render as Markdown.

    Headings have as many `#` as their level, quotations `>`, items of lists `-`, code is fenced. A table has pipes: its first
    row is the head if it consists of headers, or else the head is empty; a merged cell stands at its top left and leaves the
    other positions empty; line ends in cells are `<br>`. A picture is `![text](link)`, or `[image: text]` without a link. With
    `page_marks` every page begins with `<!-- page 3 -->`. Documents inside follow, each under its name as a heading, from level 2
    on, and their own headings below that.

    Args:
        document: its texts cannot become markup; bare addresses stay what they are.
        page_marks: whether to mark pages.
        image_links: addresses of pictures by the id of their element; not of pictures of documents inside.

    Returns:
        Blocks with a blank line between them, items of a list without one; no line break at the end.
    """
    blocks: list[str] = []
    for section in sections(document):
        if section.heading:
            blocks.append(f"{'#' * section.level} {escape_heading(section.heading)}")
        _add(blocks, section, page_marks, {} if section.depth else image_links or {})
    return "\n\n".join(blocks)


def _add(blocks: list[str], section: Section, page_marks: bool, links: Mapping[str, str]) -> None:
    """Add the blocks of one document."""
    in_list = False
    for page, element in with_pages(section.document):
        if page and page_marks:
            blocks.append(f"<!-- page {page} -->")
            in_list = False
        block = _block(element, section, links)
        if not block:
            continue
        is_item = _role(element) == document_pb2.TEXT_ROLE_LIST_ITEM
        if is_item and in_list:
            blocks[-1] += f"\n{block}"
        else:
            blocks.append(block)
        in_list = is_item


def _role(element: document_pb2.Element) -> int:
    return element.text.role if element.HasField("text") and not heading_level(element) else 0


def _block(element: document_pb2.Element, section: Section, links: Mapping[str, str]) -> str:
    kind = element.WhichOneof("kind")
    if kind == "table":
        return _table(element.table)
    if kind == "image":
        text, link = one_line(element.image.alt_text), links.get(element.id)
        if link:
            return f"![{escape_label(text)}]({link_destination(link)})"
        return f"[image: {escape_label(text)}]" if text else "[image]"
    return _text(element, section) if kind == "text" else ""


def _text(element: document_pb2.Element, section: Section) -> str:
    if level := section.heading_level(element):
        text = escape_heading(one_line(element.text.text))
        return f"{'#' * level} {text}" if text else ""
    role = element.text.role
    if role == document_pb2.TEXT_ROLE_CODE:
        return _code(element.text.text)
    text = _BREAK.join(map(escape_line, lines(element.text.text)))
    if not text:
        return ""
    if role == document_pb2.TEXT_ROLE_LIST_ITEM:
        return "- " + text.replace("\n", "\n  ")
    if role == document_pb2.TEXT_ROLE_QUOTE:
        return "> " + text.replace("\n", "\n> ")
    return text


def _code(text: str) -> str:
    """A fence longer than any run of backticks in the text, so that nothing in it ends the block."""
    code = clean(text).strip("\n")
    if not code.strip():
        return ""
    fence = "`" * max(3, 1 + max(map(len, _BACKTICKS.findall(code)), default=0))
    return f"{fence}\n{code}\n{fence}"


def _table(table: document_pb2.TableElement) -> str:
    grid = grid_of(table)
    caption = escape_line(one_line(table.caption)) if table.caption.strip() else ""
    if not grid:
        return caption
    width = max(map(len, grid))
    head: Row = grid.pop(0) if is_header(grid[0]) else [None] * width
    rows = [_row(head, width), "|" + " --- |" * width, *(_row(row, width) for row in grid)]
    return "\n".join([*([caption, ""] if caption else []), *rows])


def _row(row: Row, width: int) -> str:
    """Cells between pipes; a short row is filled, as GitHub would do by itself, for readers that do not."""
    texts = ["" if cell is None else "<br>".join(map(escape_cell, lines(cell.text))) for cell in row]
    return "| " + " | ".join(texts + [""] * (width - len(texts))) + " |"
