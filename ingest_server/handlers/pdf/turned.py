"""Text that is turned on the page: pages set on their side or upside down, landscape tables, a note that runs up the margin.

A line's direction shows in where its first and its last character stand. Lines of one direction are put into order and joined as
if the page were turned so that they are upright; the boxes of what comes of it are turned back.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from ingest_server.handlers.elements import Box
from ingest_server.handlers.pdf.page_text import LineRow, PageText
from ingest_server.handlers.pdf.paragraphs import Paragraph
from ingest_server.handlers.pdf.tables.finder import TABLE_MARK

UPRIGHT, UPWARDS, UPSIDE_DOWN, DOWNWARDS = 0, 1, 2, 3
"""How a line runs on the page as it is shown. Upright: to the right, or of a script written from right to left, to the left."""
CHARACTERS_MIN = 3
"""Shorter lines do not tell; they run as the one before."""
STRAIGHT = 2.0
"""A line runs along one axis if its ends are so many times farther apart along it than along the other."""
ADVANCE_PART = 0.2
"""A line on its side is at least so many times as long as its characters are high, for each of them; in the mean they are 0.5
times as wide as high. What is shorter is a formula, or a line that was drawn in pieces, one of them higher."""
UPSIDE_DOWN_PART = 0.5
"""More than this part of a page's characters stand upside down, or none does: a single line with its end left of its beginning
was drawn in pieces, the right one first."""
_RIGHT_TO_LEFT = ("R", "AL")

Turn: TypeAlias = Callable[[Box], Box]


class Group(NamedTuple):
    """The lines of a page that run in one direction.

    Attributes:
        lines: as if the page were turned so that they are upright.
        back: turns a box of theirs back to the page as it is shown.
    """

    lines: list[LineRow]
    back: Turn

    def shown(self, made: Sequence[Paragraph]) -> list[Paragraph]:
        """Paragraphs made of the lines, with their boxes on the page as it is shown."""
        return [(words, self.back(box), size, role, count) for words, box, size, role, count in made]


def by_direction(text: PageText, lines: Sequence[LineRow]) -> list[Group] | None:
    """The lines of a page by the direction in which they run.

    Args:
        text: of the page; it may be closed.
        lines: of the page, whole or cut at gutters; one that stands for a table goes with most.

    Returns:
        Groups, that of most characters first; None if all lines are upright.
    """
    directions = _directions(text)
    if not any(directions):
        return None
    characters = dict.fromkeys(directions, 0)
    for words, direction in zip(text.texts, directions, strict=True):
        characters[direction] += len(words)
    order = sorted(characters, key=lambda direction: -characters[direction])
    turns = {direction: _turns(direction, text.width, text.height) for direction in order}
    groups: dict[int, list[LineRow]] = {direction: [] for direction in order}
    for line in lines:
        # A piece of a line begins within it.
        index = max(bisect_right(text.firsts, line[7]) - 1, 0)
        direction = order[0] if line[5].startswith(TABLE_MARK) else directions[index]
        groups[direction].append((*turns[direction][0](line[:4]), *line[4:]))
    return [Group(group, turns[direction][1]) for direction, group in groups.items() if group]


def _directions(text: PageText) -> list[int]:
    """Of each line."""
    found: list[int] = []
    upside_down = total = 0
    direction = UPRIGHT
    for words, first, last in zip(text.texts, *text.end_boxes(), strict=True):
        if len(words) >= CHARACTERS_MIN:
            direction = _direction(words, first, last)
        found.append(direction)
        total += len(words)
        if direction == UPSIDE_DOWN:
            upside_down += len(words)
    if upside_down <= UPSIDE_DOWN_PART * total:
        return [UPRIGHT if each == UPSIDE_DOWN else each for each in found]
    return found


def _direction(words: str, first: Box, last: Box) -> int:
    across = (last[0] + last[2] - first[0] - first[2]) / 2
    down = (last[1] + last[3] - first[1] - first[3]) / 2
    if abs(down) > STRAIGHT * abs(across) and abs(down) > ADVANCE_PART * len(words) * (first[2] - first[0]):
        return DOWNWARDS if down > 0 else UPWARDS
    if -across > STRAIGHT * abs(down) and not _right_to_left(words):
        return UPSIDE_DOWN
    return UPRIGHT


def _right_to_left(words: str) -> bool:
    """Whether any character is of a script that is written so."""
    return not words.isascii() and any(unicodedata.bidirectional(each) in _RIGHT_TO_LEFT for each in words)


def _turns(direction: int, width: float, height: float) -> tuple[Turn, Turn]:
    """From the page as it is shown to the page on which lines of this direction are upright, and back.

    Args:
        direction: of the lines.
        width, height: of the page as it is shown.
    """
    if direction == UPWARDS:
        return (
            lambda box: (height - box[3], box[0], height - box[1], box[2]),
            lambda box: (box[1], height - box[2], box[3], height - box[0]),
        )
    if direction == DOWNWARDS:
        return (
            lambda box: (box[1], width - box[2], box[3], width - box[0]),
            lambda box: (width - box[3], box[0], width - box[1], box[2]),
        )
    if direction == UPSIDE_DOWN:

        def around(box: Box) -> Box:
            return width - box[2], height - box[3], width - box[0], height - box[1]

        return around, around
    return lambda box: box, lambda box: box
