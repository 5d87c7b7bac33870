"""Puts pictures at their place among the paragraphs of a page, and makes elements of both."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.v1 import document_pb2
from ingest_server.handlers.elements import PARAGRAPH, Box
from ingest_server.handlers.pdf.element_bytes import page_elements
from ingest_server.handlers.pdf.images import Picture
from ingest_server.handlers.pdf.paragraphs import Paragraph

NOWHERE: Box = (0.0, 0.0, 0.0, 0.0)


def elements_with_pictures(
    first: int, page: int, paragraphs: Sequence[Paragraph], pictures: Sequence[Picture]
) -> tuple[list[bytes], list[Paragraph]]:
    """The elements of a page in reading order, as entries of Document.elements.

    Args:
        first: number of the first one: its id is "e" and this.
        page: from 1.
        paragraphs: in reading order.
        pictures: in the order in which they are drawn.

    Returns:
        The elements, and as many paragraphs for whoever counts font sizes: an empty one stands for each picture.
    """
    before = _places(paragraphs, pictures)
    elements: list[bytes] = []
    counted: list[Paragraph] = []
    taken = 0
    for place, picture in before:
        elements += page_elements(first + len(elements), page, paragraphs[taken:place])
        counted += [*paragraphs[taken:place], ("", NOWHERE, 0.0, PARAGRAPH, 1)]
        taken = place
        elements.append(_element(first + len(elements), page, picture))
    elements += page_elements(first + len(elements), page, paragraphs[taken:])
    return elements, [*counted, *paragraphs[taken:]]


def _places(paragraphs: Sequence[Paragraph], pictures: Sequence[Picture]) -> list[tuple[int, Picture]]:
    """For each picture the index of the paragraph before which it is read, ascending; pictures before the same one from top to
    bottom, then from left to right."""
    placed = [(_place([box for _, box, *_ in paragraphs], picture.box or NOWHERE), picture) for picture in pictures]
    return sorted(placed, key=lambda each: (each[0], *(each[1].box or NOWHERE)[1::-1]))


def _place(boxes: Sequence[Box], picture: Box) -> int:
    """After the last paragraph above it in the same column; where none is above, before the first one below it there; in a column
    of its own, before the first paragraph of the page that begins lower."""
    left, top, right, bottom = picture
    middle = (top + bottom) / 2
    column = [index for index, box in enumerate(boxes) if box[0] < right and box[2] > left]
    above = [index for index in column if (boxes[index][1] + boxes[index][3]) / 2 <= middle]
    if above:
        return above[-1] + 1
    if column:
        return column[0]
    return next((index for index, box in enumerate(boxes) if box[1] >= top), len(boxes))


def _element(number: int, page: int, picture: Picture) -> bytes:
    element = document_pb2.Element(id=f"e{number}", page=page)
    if picture.box is not None:
        box = element.bounding_box
        box.left, box.top, box.right, box.bottom = picture.box
    image = element.image
    image.media_type, image.data = picture.media_type, picture.data
    image.width_pixels, image.height_pixels = picture.width, picture.height
    return document_pb2.Document(elements=[element]).SerializeToString()
