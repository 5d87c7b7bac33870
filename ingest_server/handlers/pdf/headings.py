"""Finds headings by font size, over all pages of a document."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ingest_server.handlers.elements import HEADING_LEVEL_MAX
from ingest_server.handlers.pdf.paragraphs import Paragraph

LARGER_FACTOR = 1.12
"""A heading's font is larger than the body's by this factor. TeX's smallest step is 1.095 (10 to 10.95 point) and occurs
within body text; the next, 1.2, is that of \\large headings."""
CHARACTERS_MAX = 200
LINES_MAX = 4


class FontSizes:
    """The font sizes of a document, gathered page by page: that of the body and those of headings.

    Of a paragraph only its size is kept, so that the memory of its text is used again for the next page: fresh memory for each
    costs 2 % of the time of a page.
    """

    def __init__(self) -> None:
        """Begin with no page."""
        self._characters: dict[float, int] = {}
        self._pages: list[tuple[float, list[float]]] = []

    def add(self, paragraphs: Sequence[Paragraph]) -> None:
        """Count in the next page."""
        characters = self._characters
        sizes: list[float] = []
        largest = 0.0
        for text, _, size, _, line_count in paragraphs:
            characters[size] = characters.get(size, 0) + len(text)
            sizes.append(size if line_count <= LINES_MAX else 0.0)
            if size > largest:
                largest = size
        self._pages.append((largest, sizes))

    def skip(self, count: int) -> None:
        """Count in a page of so many paragraphs whose font sizes nobody knows: none is a heading, and none tells of the body."""
        self._pages.append((0.0, [0.0] * count))

    def counted(self) -> tuple[dict[float, int], list[tuple[float, list[float]]]]:
        """All that was counted in, for `of`: the number of characters by size, and the largest and all sizes of each page."""
        return self._characters, self._pages

    @classmethod
    def of(cls, characters: dict[float, int], pages: list[tuple[float, list[float]]]) -> FontSizes:
        """What was counted in elsewhere."""
        sizes = cls()
        sizes._characters, sizes._pages = characters, pages
        return sizes

    def headings(self, text_of: Callable[[int], str]) -> list[tuple[int, int]]:
        """Which paragraphs are headings.

        The body is set in the font size that most characters have. Short paragraphs in a larger size are headings: the largest
        size is level 1, the next level 2, and so on; the sixth and all smaller ones are level 6. What holds no letter, such as a
        page number, is no heading.

        Args:
            text_of: gives the text of a paragraph by its index among all that were counted in.

        Returns:
            (index, level from 1) of each, in order.
        """
        least = LARGER_FACTOR * self._body_size()
        found: list[tuple[int, int]] = []
        first = 0
        for largest, sizes in self._pages:
            if largest > least:
                larger = [(index, size) for index, size in enumerate(sizes, first) if size > least]
                found += [(index, round(2 * size)) for index, size in larger if _may_be_heading(text_of(index))]
            first += len(sizes)
        ranks = {size: rank for rank, size in enumerate(sorted({size for _, size in found}, reverse=True), 1)}
        return [(index, min(ranks[size], HEADING_LEVEL_MAX)) for index, size in found]

    def _body_size(self) -> float:
        """Font size of most characters, in points, to half a point: sizes such as 9.96 and 10.02 look the same."""
        characters: dict[int, int] = {}
        for size, count in self._characters.items():
            half_points = round(2 * size)
            characters[half_points] = characters.get(half_points, 0) + count
        return max(characters, key=lambda size: (characters[size], -size), default=0) / 2


def _may_be_heading(text: str) -> bool:
    """Whether a paragraph in a larger font is short enough, and has a letter."""
    return len(text) <= CHARACTERS_MAX and any(map(str.isalpha, text))
