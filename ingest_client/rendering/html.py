"""A document as a page of HTML that stands alone and runs nothing."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from html import escape

from ingest.v1 import document_pb2
from ingest_client.rendering.cleaning import clean, heading_level, lines, one_line, with_pages
from ingest_client.rendering.grid import COVERED, GridCell, grid_of
from ingest_client.rendering.sections import Section, sections

_LANGUAGE = re.compile(r"[A-Za-z0-9]{1,8}(?:-[A-Za-z0-9]{1,8}){0,8}")
_SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""Formats of pixels. SVG is none: it may carry scripts."""
_SAFE_LINK = re.compile(r"(?:https?:|[^:]*$|[^:]*[/?#])", re.IGNORECASE)
"""An address of the web, or one without a scheme: relative to the page."""

_POLICY = "script-src 'none'; object-src 'none'; frame-src 'none'; base-uri 'none'; form-action 'none'"
"""The texts are escaped; a browser that holds to this runs nothing even if they were not."""
_STYLE = (
    "body{max-width:48em;margin:2em auto;padding:0 1em;font-family:sans-serif;line-height:1.5}"
    "p,li,td,th,h1,h2,h3,h4,h5,h6,figcaption,caption{unicode-bidi:plaintext;text-align:start}"
    "table{border-collapse:collapse}td,th{border:1px solid #888;padding:.2em .5em;vertical-align:top}"
    "pre{overflow-x:auto}img{max-width:100%}"
)


def html_page(document: document_pb2.Document, *, page_marks: bool = False, image_links: Mapping[str, str] | None = None) -> str:
    """Render as HTML, a whole page in UTF-8.

    Tables keep their merged cells and headers. A picture is shown if it has a link, or if the document carries its bytes as PNG,
    JPEG, GIF or WebP; otherwise its alternative text stands in its place. With `page_marks` every page begins with a line across
    whose id is `page-3`. Documents inside follow as sections, each under its name as a heading, from level 2 on, and their own
    headings below that; their pages have no ids.

    Args:
        document: its texts cannot become markup.
        page_marks: whether to mark pages.
        image_links: addresses of pictures by the id of their element: http, https or relative; others are not used. Not of
            pictures of documents inside.

    Returns:
        The page, one block a line, without a line break at its end.
    """
    language = f' lang="{document.language}"' if _LANGUAGE.fullmatch(document.language) else ""
    authors = ", ".join(filter(None, map(one_line, document.authors)))
    out = [
        "<!DOCTYPE html>",
        f"<html{language}>",
        '<head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width">',
        *([f'<meta name="author" content="{escape(authors)}">'] if authors else []),
        f"<title>{escape(one_line(document.title))}</title>",
        f"<style>{_STYLE}</style></head>",
        "<body>",
        *_sections(document, page_marks, image_links or {}),
        "</body>",
        "</html>",
    ]
    return "\n".join(out)


def _sections(document: document_pb2.Document, page_marks: bool, links: Mapping[str, str]) -> list[str]:
    out: list[str] = []
    depth = 0
    for section in sections(document):
        out += ["</section>"] * (depth - section.depth + 1) if section.depth and depth >= section.depth else []
        if section.depth:
            out += ["<section>", f"<h{section.level}>{escape(section.heading)}</h{section.level}>"]
        depth = section.depth
        out += _body(section, page_marks, {} if section.depth else links)
    return [*out, *["</section>"] * depth]


def _body(section: Section, page_marks: bool, links: Mapping[str, str]) -> list[str]:
    out: list[str] = []
    in_list = False
    for page, element in with_pages(section.document):
        block = _block(element, section, links)
        is_item = block.startswith("<li>")
        mark = page > 0 and page_marks
        if in_list and (mark or (block and not is_item)):
            out.append("</ul>")
            in_list = False
        if mark:
            identity = "" if section.depth else f' id="page-{page}"'
            out.append(f'<hr{identity} title="page {page}">')
        if not block:
            continue
        if is_item and not in_list:
            out.append("<ul>")
        in_list = is_item
        out.append(block)
    return [*out, "</ul>"] if in_list else out


def _block(element: document_pb2.Element, section: Section, links: Mapping[str, str]) -> str:
    kind = element.WhichOneof("kind")
    if kind == "table":
        return _table(element.table)
    if kind == "image":
        return _image(element, links.get(element.id, ""))
    if kind != "text":
        return ""
    role = element.text.role
    if not heading_level(element) and role == document_pb2.TEXT_ROLE_CODE:
        code = clean(element.text.text).strip("\n")
        return f"<pre><code>{escape(code)}</code></pre>" if code.strip() else ""
    text = _lines(element.text.text)
    if not text:
        return ""
    if level := section.heading_level(element):
        return f"<h{level}>{text}</h{level}>"
    if role == document_pb2.TEXT_ROLE_LIST_ITEM:
        return f"<li>{text}</li>"
    return f"<blockquote><p>{text}</p></blockquote>" if role == document_pb2.TEXT_ROLE_QUOTE else f"<p>{text}</p>"


def _lines(text: str) -> str:
    return "<br>".join(map(escape, lines(text)))


def _image(element: document_pb2.Element, link: str) -> str:
    image = element.image
    text = escape(one_line(image.alt_text))
    source = ""
    if link and _SAFE_LINK.match(link):
        source = escape(one_line(link))
    elif image.data and image.media_type in _SHOWN:
        source = f"data:{image.media_type};base64,{base64.b64encode(image.data).decode('ascii')}"
    if source:
        return f'<figure><img src="{source}" alt="{text}"></figure>'
    return f"<figure>[image: {text}]</figure>" if text else "<figure>[image]</figure>"


def _table(table: document_pb2.TableElement) -> str:
    caption = _lines(table.caption)
    rows = ("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in grid_of(table))
    return "\n".join(["<table>", *([f"<caption>{caption}</caption>"] if caption else []), *rows, "</table>"])


def _cell(cell: GridCell | None) -> str:
    if cell is COVERED:
        return ""
    if cell is None:
        return "<td></td>"
    tag = "th" if cell.header else "td"
    spans = f' rowspan="{cell.row_span}"' if cell.row_span > 1 else ""
    spans += f' colspan="{cell.column_span}"' if cell.column_span > 1 else ""
    return f"<{tag}{spans}>{_lines(cell.text)}</{tag}>"
