"""Strips that stay empty from row to row: what parts the columns of a table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import inf
from typing import TypeAlias

from ingest_server.handlers.pdf.tables.rows import Row

STRIP_SIZES = 0.5
"""Width of the narrowest strip, in font sizes: ragged columns leave less in common than their gaps are wide."""
SPANNING_PART_MAX = 0.2
"""At most this part of the rows may lie across a strip: titles and cells that span columns."""

Strip: TypeAlias = tuple[float, float]
"""(left, right); beyond the outermost text without end."""


def gaps_of(row: Row) -> list[Strip]:
    """What a row leaves empty, from left to right, both sides of it included."""
    reached = -inf
    gaps: list[Strip] = []
    for piece in row.pieces:
        if piece.left > reached:
            gaps.append((reached, piece.left))
        reached = max(reached, piece.right)
    return [*gaps, (reached, inf)]


def common(strips: Sequence[Strip], gaps: Sequence[Strip], least: float) -> list[Strip]:
    """What is empty in both, as far as it is at least `least` wide."""
    found: list[Strip] = []
    i = j = 0
    while i < len(strips) and j < len(gaps):
        left, right = max(strips[i][0], gaps[j][0]), min(strips[i][1], gaps[j][1])
        if right - left >= least:
            found.append((left, right))
        if strips[i][1] <= gaps[j][1]:
            i += 1
        else:
            j += 1
    return found


def inner(strips: Sequence[Strip]) -> list[Strip]:
    """Those with text on both sides."""
    return [strip for strip in strips if strip[0] != -inf and strip[1] != inf]


def voted(rows: Sequence[Row], least: float) -> list[Strip]:
    """The strips that nearly all of some rows leave empty: at most `SPANNING_PART_MAX` of them lie across, and not more than half
    of those that have text on both sides.

    Args:
        rows: of a table.
        least: width of a strip, in points.
    """
    # How many rows begin to lie across, and how many begin to have text on both sides, at each edge.
    changes: dict[float, list[int]] = {}
    for row in rows:
        for piece in row.pieces:
            changes.setdefault(piece.left, [0, 0])[0] += 1
            changes.setdefault(piece.right, [0, 0])[0] -= 1
        first, last = row.pieces[0].right, row.pieces[-1].left
        if first < last:
            changes[first][1] += 1
            changes[last][1] -= 1
    allowed = int(SPANNING_PART_MAX * len(rows))
    edges = sorted(changes)
    found: list[Strip] = []
    across = beside = 0
    for left, right in pairwise(edges):
        across += changes[left][0]
        beside += changes[left][1]
        if across > allowed or beside <= across:
            continue
        if found and found[-1][1] == left:
            found[-1] = (found[-1][0], right)
        else:
            found.append((left, right))
    return [(left, right) for left, right in _sharpened(rows, found) if right - left >= least]


def _sharpened(rows: Sequence[Row], strips: Sequence[Strip]) -> list[Strip]:
    """Strips as wide as the rows that do not lie across leave them."""
    result: list[Strip] = []
    for left, right in strips:
        lefts = [piece.right for row in rows for piece in row.pieces if piece.left < left and left < piece.right < right]
        rights = [piece.left for row in rows for piece in row.pieces if piece.right > right and left < piece.left < right]
        begin, end = max(lefts, default=left), min(rights, default=right)
        result.append((begin, end) if begin < end else (left, right))
    return result
