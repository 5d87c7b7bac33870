"""Rectangles of a page's own space as bounding boxes on the page as it is shown."""

from __future__ import annotations

from math import isfinite
from typing import TypeAlias

from ingest.v1 import document_pb2
from ingest_server.handlers.elements import Box
from ingest_server.handlers.pdf.page_text import PageText

Edges: TypeAlias = tuple[float, float, float, float]
"""(left, bottom, right, top) in points, y upwards: as PDF has rectangles."""


def shown_box(text: PageText, edges: Edges) -> Box | None:
    """Where a rectangle stands on the page as it is shown; None if its numbers make no sense."""
    if not all(map(isfinite, edges)):
        return None
    left, bottom, right, top = edges
    if left > right:
        left, right = right, left
    if bottom > top:
        bottom, top = top, bottom
    (x1,), (y1,), (x2,), (y2,) = text.shown([left], [top], [right], [bottom])
    return x1, y1, x2, y2


def bounding_box(text: PageText, edges: Edges) -> document_pb2.BoundingBox | None:
    """The same as the message; None leaves a field unset."""
    box = shown_box(text, edges)
    if box is None:
        return None
    left, top, right, bottom = box
    return document_pb2.BoundingBox(left=left, top=top, right=right, bottom=bottom)
