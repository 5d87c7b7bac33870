"""Finds headings by font size, over all pages of a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ingest_server.handlers.elements import HEADING_LEVEL_MAX
from ingest_server.handlers.pdf.paragraphs import Paragraph

LARGER_FACTOR = 1.12
"""A heading's font is larger than the body's by this factor. TeX's smallest step is 1.095 (10 to 10.95 point) and occurs
within body text; the next, 1.2, is that of \\large headings."""
CHARACTERS_MAX = 200
LINES_MAX = 4

Heading: TypeAlias = tuple[int, int, int]
"""(index of its page among the pages, index of its paragraph in the page, level from 1)"""


class FontSizes:
    """The font sizes of a document, gathered page by page: that of the body and those of headings."""

    def __init__(self) -> None:
        """Begin with no page."""
        self._characters: dict[float, int] = {}
        self._largest: list[float] = []

    def add(self, paragraphs: Sequence[Paragraph]) -> None:
        """Count in the next page."""
        characters = self._characters
        largest = 0.0
        for text, _, size, _, _ in paragraphs:
            characters[size] = characters.get(size, 0) + len(text)
            if size > largest:
                largest = size
        self._largest.append(largest)

    def headings(self, pages: Sequence[tuple[int, Sequence[Paragraph]]]) -> list[Heading]:
        """Which paragraphs are headings.

        The body is set in the font size that most characters have. Short paragraphs in a larger size are headings: the largest
        size is level 1, the next level 2, and so on; the sixth and all smaller ones are level 6. What holds no letter, such as a
        page number, is no heading.

        Args:
            pages: (page number from 1, its paragraphs in reading order), the pages counted in.

        Returns:
            Them, in order.
        """
        least = LARGER_FACTOR * self._body_size()
        found = [
            (index, place, round(2 * paragraph[2]))
            for index, largest in enumerate(self._largest)
            if largest > least
            for place, paragraph in enumerate(pages[index][1])
            if paragraph[2] > least and _may_be_heading(paragraph)
        ]
        ranks = {size: rank for rank, size in enumerate(sorted({size for _, _, size in found}, reverse=True), 1)}
        return [(index, place, min(ranks[size], HEADING_LEVEL_MAX)) for index, place, size in found]

    def _body_size(self) -> float:
        """Font size of most characters, in points, to half a point: sizes such as 9.96 and 10.02 look the same."""
        characters: dict[int, int] = {}
        for size, count in self._characters.items():
            half_points = round(2 * size)
            characters[half_points] = characters.get(half_points, 0) + count
        return max(characters, key=lambda size: (characters[size], -size), default=0) / 2


def _may_be_heading(paragraph: Paragraph) -> bool:
    """Whether a paragraph in a larger font is short enough, and has a letter."""
    text, _, _, _, line_count = paragraph
    return len(text) <= CHARACTERS_MAX and line_count <= LINES_MAX and any(map(str.isalpha, text))
