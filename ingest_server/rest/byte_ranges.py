"""Conditions and ranges of a download (RFC 9110, 13 and 14): pure rules over headers, a size and an entity tag."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes[ \t]*=[ \t]*([0-9]*)[ \t]*-[ \t]*([0-9]*)[ \t]*", re.ASCII | re.IGNORECASE)
_DIGITS_MAX = 19
"""Of a position: 2**63 has 19. Longer ones are no position of any blob."""
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


@dataclass(frozen=True, slots=True)
class Range:
    """A part of a whole of `size` bytes: `count` bytes from `offset` on. `partial` is False where it is the whole unasked."""

    offset: int
    count: int
    size: int
    partial: bool

    @property
    def content_range(self) -> str:
        """Of a 206 answer."""
        return f"bytes {self.offset}-{self.offset + self.count - 1}/{self.size}"


class Unsatisfiable(ValueError):
    """The range begins behind the end: 416."""


def choose_range(header: str, size: int) -> Range:
    """What a Range header asks for.

    Args:
        header: its value; "" without one. Another unit, a list of ranges, or what breaks the grammar is ignored, as a server may.
        size: of the whole, in bytes.

    Raises:
        Unsatisfiable: no byte of the whole is asked for.
    """
    whole = Range(0, size, size, False)
    found = _ONE_RANGE.fullmatch(header)
    if found is None or len(found[1]) > _DIGITS_MAX or len(found[2]) > _DIGITS_MAX:
        return whole
    first, last = found[1], found[2]
    if not first:
        if not last:
            return whole
        count = min(int(last), size)
        if count == 0:
            raise Unsatisfiable
        return Range(size - count, count, size, True)
    begin = int(first)
    end = min(int(last), size - 1) if last else size - 1
    if last and int(last) < begin:
        return whole  # invalid, not unsatisfiable
    if begin >= size:
        raise Unsatisfiable
    return Range(begin, end - begin + 1, size, True)


def names_tag(header: str, tag: str, *, strong: bool) -> bool:
    """Whether a list of entity tags (If-Match, If-None-Match, If-Range) names `tag`, a strong one without its quotes.

    Args:
        header: the list, or "*".
        tag: the current tag.
        strong: a weak tag matches nothing (If-Match, If-Range); False: its text counts (If-None-Match).
    """
    if header.strip() == "*":
        return True
    return any(found[2] == tag and not (strong and found[1]) for found in _TAG.finditer(header))
