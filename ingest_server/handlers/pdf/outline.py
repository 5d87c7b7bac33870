"""The outline of a PDF: its own table of contents (ISO 32000-1, 12.3.3), which other programs call bookmarks."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import pypdfium2.raw as raw

from ingest.v1 import document_pb2
from ingest_server.handlers.interface import Context
from ingest_server.handlers.pdf.library import PdfDocument
from ingest_server.handlers.pdf.page_numbers import PageNumbers
from ingest_server.handlers.pdf.strings import Strings, one_line

ITEMS_MAX = 100_000
"""The R manual of 2,400 pages has 1,426."""
DEPTH_MAX = 32
"""Deeper items are left out. Books have six levels."""
TITLE_BYTES_MAX = 64 * 1024
"""In UTF-16. An item with a longer title has none."""
CHECK_EVERY = 1_000
"""Items between two looks at whether the attempt was cancelled."""

OUTLINE_TRUNCATED = "OUTLINE_TRUNCATED"


def fill_outline(document: document_pb2.Document, pdf: PdfDocument, pages: PageNumbers, context: Context) -> None:
    """Add the outline; what is left out of it becomes an issue.

    Args:
        document: to fill.
        pdf: an open document.
        pages: of the same.
        context: of the attempt.

    Raises:
        Cancelled: the attempt was asked to stop.
    """
    strings = Strings(TITLE_BYTES_MAX)
    walk = _Walk(pdf.handle)
    for count, (item, level) in enumerate(walk):
        if count % CHECK_EVERY == 0:
            context.check()
        if count == ITEMS_MAX:
            walk.left_out = f"more than {ITEMS_MAX:,} items"
            break
        title = strings.utf16(lambda buffer, size, item=item: raw.FPDFBookmark_GetTitle(item, buffer, size))  # type: ignore[misc]
        document.outline.add(title=one_line(title or ""), level=level, page=pages.of(_destination(pdf.handle, item)))
    if walk.left_out:
        message = f"The outline has {walk.left_out}; {len(document.outline):,} items were read."
        document.issues.add(reason=OUTLINE_TRUNCATED, message=message)


def _destination(handle: Any, item: Any) -> Any:
    """Where an item leads: named by itself, or by its action; None where it leads out of the document."""
    destination = raw.FPDFBookmark_GetDest(handle, item)
    if destination:
        return destination
    action = raw.FPDFBookmark_GetAction(item)
    if action and raw.FPDFAction_GetType(action) == raw.PDFACTION_GOTO:
        return raw.FPDFAction_GetDest(handle, action)
    return None


class _Walk:
    """The items of an outline, each with its level from 1, in the order in which a viewer shows them unfolded.

    Attributes:
        left_out: what was not followed, for people; "" if all was.
    """

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self.left_out = ""

    def __iter__(self) -> Iterator[tuple[Any, int]]:
        """Follow the items; none is met twice, so a circle ends."""
        met: set[int] = set()
        above: list[Any] = []
        item = raw.FPDFBookmark_GetFirstChild(self._handle, None)
        while item or above:
            if not item:
                item = raw.FPDFBookmark_GetNextSibling(self._handle, above.pop())
                continue
            address = ctypes.cast(item, ctypes.c_void_p).value or 0
            if address in met:
                self.left_out = "items that lead in a circle"
                item = None
                continue
            met.add(address)
            yield item, len(above) + 1
            child = raw.FPDFBookmark_GetFirstChild(self._handle, item)
            if child and len(above) + 1 < DEPTH_MAX:
                above.append(item)
                item = child
            else:
                if child:
                    self.left_out = f"more than {DEPTH_MAX} levels"
                item = raw.FPDFBookmark_GetNextSibling(self._handle, item)
