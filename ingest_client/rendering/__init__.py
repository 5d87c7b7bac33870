"""A `Document` as Markdown, plain text, JSON or HTML: `render` and the formats it knows."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from ingest.v1 import document_pb2
from ingest_client.rendering.html import html_page
from ingest_client.rendering.markdown import markdown
from ingest_client.rendering.plain_text import plain_text
from ingest_client.rendering.protojson import protojson

__all__ = ["Format", "html_page", "markdown", "plain_text", "protojson", "render"]


class Format(StrEnum):
    """What a document can be rendered as."""

    MARKDOWN = "md"
    TEXT = "text"
    JSON = "json"
    HTML = "html"

    @property
    def extension(self) -> str:
        """Of a file's name, with its dot."""
        return ".txt" if self is Format.TEXT else f".{self.value}"


def render(
    document: document_pb2.Document,
    form: Format | str,
    *,
    page_marks: bool = False,
    image_links: Mapping[str, str] | None = None,
) -> str:
    """Render a document and those inside it. A pure function: nothing is read, fetched or changed.

    Args:
        document: what a handler read; none of its texts is trusted.
        form: a `Format`, or its value: "md", "text", "json", "html".
        page_marks: tell where a page begins, in formats where that is not told anyway (JSON tells it).
        image_links: addresses of pictures by the id of their element; the others are placeholders with their alternative text,
            but in HTML a PNG, JPEG, GIF or WebP whose bytes the document carries is shown. JSON takes no notice.

    Returns:
        The text, without a line break at its end; "" for a document without elements, but in JSON and HTML.

    Raises:
        ValueError: there is no such format.
    """
    chosen = Format(form)
    if chosen is Format.JSON:
        return protojson(document)
    if chosen is Format.TEXT:
        return plain_text(document, page_marks=page_marks)
    if chosen is Format.MARKDOWN:
        return markdown(document, page_marks=page_marks, image_links=image_links)
    return html_page(document, page_marks=page_marks, image_links=image_links)
