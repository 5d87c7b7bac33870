"""Turned text: upside down, on its side, up the margin, on pages that are shown turned; order and boxes as a person sees them."""

from __future__ import annotations

import pytest

from tests.unit.handlers.documents.conftest import Read
from tests.unit.handlers.documents.pdf_files import HEIGHT, WIDTH, document, words

LINES = [
    "The first paragraph of the page is set in two lines",
    "and ends here.",
    "",
    "A second paragraph begins after a gap and",
    "it goes on for three lines so that one",
    "sees the order.",
    "",
    "The third has one line.",
]
PARAGRAPHS = [" ".join(LINES[:2]), " ".join(LINES[3:6]), LINES[7]]
MATRICES = {
    0: b"1 0 0 1 0 0",
    90: b"0 1 -1 0 %d 0" % WIDTH,
    180: b"-1 0 0 -1 %d %d" % (WIDTH, HEIGHT),
    270: b"0 -1 1 0 0 %d" % HEIGHT,
}
"""By degrees, anticlockwise, about the middle of the page or so that it stays on it."""


def block(left: float, baseline: float, size: float = 10) -> bytes:
    """The lines, one below the other."""
    return b"".join(words(text, left, baseline - 13 * index, size) for index, text in enumerate(LINES) if text)


def turned(degrees: int, content: bytes) -> bytes:
    """The content, turned."""
    return b"q " + MATRICES[degrees] + b" cm\n" + content + b"Q\n"


def texts(read: Read, data: bytes) -> list[str]:
    return [element.text.text for element in read(data).elements]


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_turned_page_is_read_as_if_it_were_upright(read: Read, degrees: int, rotation: int) -> None:
    data = document([turned(degrees, block(30, 220))], page=b"/Rotate %d" % rotation)
    assert texts(read, data) == PARAGRAPHS


def test_lines_drawn_in_any_order_are_put_in_order(read: Read) -> None:
    lines = [words(text, 30, 220 - 13 * index, 10) for index, text in enumerate(LINES) if text]
    for degrees in MATRICES:
        assert texts(read, document([turned(degrees, b"".join(reversed(lines)))])) == PARAGRAPHS


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_boxes_are_those_of_the_page_as_it_is_shown(read: Read, degrees: int) -> None:
    upright = read(document([block(30, 220)])).elements[0].bounding_box
    box = read(document([turned(degrees, block(30, 220))])).elements[0].bounding_box
    extents = (upright.right - upright.left, upright.bottom - upright.top)
    assert (box.right - box.left, box.bottom - box.top) == pytest.approx(extents if degrees == 180 else extents[::-1], abs=1)
    assert 0 <= box.left < box.right <= WIDTH
    assert 0 <= box.top < box.bottom <= HEIGHT
    edges = {90: (upright.top + WIDTH - HEIGHT, box.left), 180: (WIDTH - upright.right, box.left), 270: (upright.left, box.top)}
    assert edges[degrees][0] == pytest.approx(edges[degrees][1], abs=1)


def test_a_note_up_the_margin_does_not_part_the_text(read: Read) -> None:
    note = turned(90, words("arXiv:1234.5678v1 [cs.DB] 1 Jan 2020", 60, 380, 10))
    for data in (document([block(60, 220) + note]), document([note + block(60, 220)])):
        assert texts(read, data) == [*PARAGRAPHS, "arXiv:1234.5678v1 [cs.DB] 1 Jan 2020"]


def test_columns_drawn_one_after_the_other_stay_columns(read: Read) -> None:
    data = document([turned(180, block(10, 250, 7.5) + block(205, 250, 7.5))])
    assert texts(read, data) == PARAGRAPHS * 2


def test_a_line_drawn_in_pieces_from_the_right_is_not_upside_down(read: Read) -> None:
    page = words("12", 350, 270, 10) + words("Running head", 30, 270, 10) + block(30, 220)
    assert texts(read, document([page]))[-3:] == PARAGRAPHS


def test_single_characters_run_as_the_line_before(read: Read) -> None:
    page = turned(90, words("Vertical words", 30, 220, 10) + words("7", 30, 200, 10))
    elements = read(document([page])).elements
    assert " ".join(element.text.text for element in elements) == "Vertical words 7"
