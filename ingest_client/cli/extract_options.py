"""Options of the command line for the task extract."""

from __future__ import annotations

import argparse
import re

from ingest_client.cli.options import UsageError
from ingest_client.task import CONTENT_SCOPES, OCR_MODES, Task, extract

_NAMES = (
    "password",
    "pages",
    "ocr",
    "ocr_language",
    "content",
    "no_tables",
    "fail_on_partial",
    "images",
    "page_images_dpi",
    "links",
    "outline",
)


def register(parser: argparse.ArgumentParser) -> None:
    """Options that say what is read of documents."""
    parser.add_argument("--password", default="", help="of encrypted documents")
    parser.add_argument("--pages", default="", metavar="FIRST-LAST", help="only these pages: 3, 2-5, 7- or -4")
    parser.add_argument(
        "--fail-on-partial",
        action="store_true",
        help="fail where a part of the document cannot be read, instead of telling of it",
    )
    parser.add_argument(
        "--ocr-language", action="append", default=[], metavar="CODE", help="of text in pictures: eng, deu, …; may be repeated"
    )
    parser.add_argument("--ocr", choices=OCR_MODES, help="whether text in pictures is recognised: auto (default) or off")
    parser.add_argument("--no-tables", action="store_true", help="leave the text of tables in PDFs as paragraphs")
    parser.add_argument("--content", choices=CONTENT_SCOPES, help="of HTML: main (default), or full with navigation and the like")
    parser.add_argument("--images", action="store_true", help="embedded pictures of PDFs, with their bytes")
    parser.add_argument("--page-images-dpi", type=int, default=0, metavar="N", help="draw each page of PDFs, N dots per inch")
    parser.add_argument("--links", action="store_true", help="links of PDFs")
    parser.add_argument("--outline", action="store_true", help="the table of contents that PDFs carry")


def given(arguments: argparse.Namespace) -> list[str]:
    """Which of them were given, as people write them."""
    return [f"--{name.replace('_', '-')}" for name in _NAMES if getattr(arguments, name)]


def extract_task(arguments: argparse.Namespace) -> Task:
    """The task they ask for.

    Raises:
        UsageError: --pages is no range of pages.
    """
    first, last = _pages(arguments.pages)
    return extract(
        password=arguments.password,
        first_page=first,
        last_page=last,
        ocr_languages=arguments.ocr_language,
        content=arguments.content or "main",
        ocr=arguments.ocr or "auto",
        fail_on_partial=arguments.fail_on_partial,
        tables=not arguments.no_tables,
        images=arguments.images,
        page_images_dpi=arguments.page_images_dpi,
        links=arguments.links,
        outline=arguments.outline,
    )


def _pages(text: str) -> tuple[int, int]:
    """First and last page; 0 for an end that is left open.

    Raises:
        UsageError: it is no range of pages.
    """
    match = re.fullmatch(r"(\d{0,9})(-?)(\d{0,9})", text.replace(" ", ""))
    first, dash, last = match.groups() if match is not None else ("", "", "")
    pages = int(first or 0), int((last if dash else first) or 0)
    if text and (not any(pages) or "0" in (first, last) or 0 < pages[1] < pages[0]):
        raise UsageError(f"--pages {text!r}: expected a page or a range from 1 on, such as 3, 2-5, 7- or -4")
    return pages
