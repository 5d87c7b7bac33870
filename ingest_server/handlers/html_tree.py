"""Prepares an HTML tree for rendering: narrows it to its main content, and marks what the rendering would not tell.

A mark is a private character in a text node, and a letter behind it that says what it marks. `parsed` has removed this character
from the document, so where it is found later a mark begins.
"""

from __future__ import annotations

from typing import Any

from resiliparse.parse.html import HTMLTree

from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.html_table import MARK, Table, read_table, replaced, rows_of, unwrap_layout, with_line_ends
from ingest_server.handlers.interface import HandlerFailure

MARKED_MAX = 2000
"""Tables, quotations and notes looked at, each; finding the next one begins at the top, so their number is bounded."""

HIDDEN = ["[hidden]", '[style*="display:none"]', '[style*="display: none"]', '[style*="visibility:hidden"]',
          '[style*="visibility: hidden"]']  # fmt: skip
"""What nobody sees: by attribute or the element's own style. Style sheets are not read."""
BOILERPLATE = ["nav", "footer", "dialog", "[role=navigation]", "[role=banner]", "[role=contentinfo]", "[role=search]",
               "aside:not([class*=footnote]):not([class*=citation]):not([role^=doc-]):not([role=note]):not(.topic)",
               ".sidebar", ".navbar", ".breadcrumb", ".breadcrumbs", "a.headerlink"]  # fmt: skip
"""What stands around the content. docutils makes footnotes, citations and boxes of the text itself from `aside` too."""
_MAIN = "main, [role=main]"
_NOTES = (
    "aside.footnote:not([data-seen]), dl.footnote:not([data-seen]), [role=doc-footnote]:not([data-seen]), "
    "[role=doc-endnote]:not([data-seen]), .footnotes > ol > li:not([data-seen])"
)
_QUOTES = "blockquote:not([data-seen])"
_SUMMARIES = "summary:not([data-seen])"
_BOXES = ".sidebar > .sidebar-title"
_MARKED = f"table, {_QUOTES}, {_SUMMARIES}, {_BOXES}, {_NOTES}"
"""Whatever is looked at. Most pages have none of it, which one search tells as fast as a search for each."""

QUOTE_BEGIN, QUOTE_END, NOTE_BEGIN, NOTE_END, TABLE = (f"{MARK}{letter}" for letter in "QqNnT")
"""A table's number and a semicolon follow its mark."""


def parsed(text: str) -> Any:
    """Parse; HTML is never wrong, so this fails only when memory runs out or the nesting is absurd.

    Raises:
        HandlerFailure: DOCUMENT_MALFORMED, not retryable.
    """
    text = text.replace(MARK, "")
    # The library glues the text of a picture to the words beside it.
    # Found soon, if it is there: to look for what is not there takes its time.
    capitals = "<body" not in text and ("<BODY" in text or "<TABLE" in text)
    text = replaced(text, "<IMG" if capitals else "<img", ">", " {}> ".format)
    text = with_line_ends(text, capitals=capitals)
    try:
        return HTMLTree.parse_from_bytes(text.encode("utf-8", "replace"), "utf-8")
    except (ValueError, RuntimeError) as error:
        raise HandlerFailure(
            f"The HTML could not be parsed: {error}.",
            reason=Reason.DOCUMENT_MALFORMED,
            code=Code.INVALID_ARGUMENT,
            retryable=False,
        ) from error


def narrow(body: Any) -> None:
    """Leave only the main content in the body, if the document says which it is."""
    main = body.query_selector(_MAIN)
    if main is None:
        # One article is the content; of several, such as a blog's latest, none is it alone.
        articles = body.query_selector_all("article")
        main = articles[0] if len(articles) == 1 else None
    if main is not None:
        body.replace_children(main)


def _keep_boxes(body: Any) -> None:
    """Keep what docutils calls a sidebar: a box beside the text, written by the author, with a title of its own class."""
    for _ in range(MARKED_MAX):
        title = body.query_selector(_BOXES)
        if title is None:
            break
        title.parent.setattr("class", "topic")


def mark(tree: Any) -> list[Table]:
    """Mark tables, quotations and notes in the tree, which is changed; and keep apart what the library would run together.

    Returns:
        The tables; the mark of each has its index.
    """
    body = tree.body
    if body.query_selector(_MARKED) is None:
        return []
    tables = _mark_tables(tree, body)
    _keep_boxes(body)
    _end_summaries(tree, body)
    _surround(tree, body, _QUOTES, QUOTE_BEGIN, QUOTE_END)
    _surround(tree, body, _NOTES, NOTE_BEGIN, NOTE_END)
    return tables


def _end_summaries(tree: Any, body: Any) -> None:
    """Make a block end with each summary of details: what it sums up begins anew."""
    for _ in range(MARKED_MAX):
        node = body.query_selector(_SUMMARIES)
        if node is None:
            break
        node.setattr("data-seen", "1")
        node.append(tree.create_element("div"))


def _mark_tables(tree: Any, body: Any) -> list[Table]:
    """Take the tables out of the tree, leaving a mark in the place of each. Tables that only lay out the page are unwrapped."""
    tables: list[Table] = []
    for _ in range(MARKED_MAX):
        node = body.query_selector("table")
        if node is None:
            break
        rows = rows_of(node)
        if unwrap_layout(tree, node, rows):
            continue
        block = tree.create_element("p")
        block.append_child(tree.create_text_node(f"{TABLE}{len(tables)};"))
        tables.append(read_table(node, rows))
        node.replace_with(block)
    return tables


def _surround(tree: Any, body: Any, selector: str, begin: str, end: str) -> None:
    """Put marks at the begin and end of what a selector finds; it must not find what has the attribute `data-seen`."""
    for _ in range(MARKED_MAX):
        node = body.query_selector(selector)
        if node is None:
            break
        node.setattr("data-seen", "1")
        node.prepend(tree.create_text_node(begin))
        node.append(tree.create_text_node(end))
