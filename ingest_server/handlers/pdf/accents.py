"""Joins accents with letters: TeX's old font encodings have no "ü", so it draws "¨" and "u" one over the other.

Only where the accent stands over or under the letter is it joined with it: "¨u" in a text about accents stays as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from ingest_server.handlers.elements import Box

_COMBINING = {
    "\u00a8": "\u0308",  # diaeresis
    "\u00b4": "\u0301",  # acute
    "\u02c6": "\u0302",  # circumflex
    "\u02dc": "\u0303",  # tilde
    "\u02da": "\u030a",  # ring above
    "\u00b8": "\u0327",  # cedilla
    "\u02db": "\u0328",  # ogonek
    "\u02c7": "\u030c",  # caron
    "\u00af": "\u0304",  # macron
    "\u02d8": "\u0306",  # breve
    "\u02d9": "\u0307",  # dot above
    "\u02dd": "\u030b",  # double acute
    "`": "\u0300",  # grave; TeX's font has no other for it
}
"""Accents as characters of their own, and as marks on the letter before them."""
_FOUND = re.compile("[\u00a8\u00b4\u02c6\u02dc\u02da\u00b8\u02db\u02c7\u00af\u02d8\u02d9\u02dd]|`(?=[AEIOUaeiou\u0131])")
_DOTLESS = {"\u0131": "i", "\u0237": "j"}
_ACCENTS = tuple(accent for accent in _COMBINING if accent != "`")
OVERLAP_PART = 0.5
"""An accent shares at least this part of the narrower one's width with its letter. One behind a letter shares none."""
ACCENTS_MAX = 500
"""Of a line. More are no text."""


def may_have_accents(text: str) -> bool:
    """Whether it is worth looking. Ten times faster than a regular expression: nearly no page has any."""
    return not text.isascii() and any(map(text.__contains__, _ACCENTS))


def joined_accents(text: str, boxes: Callable[[list[int]], Sequence[Box]]) -> str:
    """A line with its accents joined.

    Args:
        text: of the line.
        boxes: gives the boxes of the line's characters, by their indexes in it, as they are shown.

    Returns:
        The same text where no accent stands over or under a letter.
    """
    places = [match.start() for match in _FOUND.finditer(text)][:ACCENTS_MAX]
    if not places:
        return text
    around = [index for place in places for index in (max(place - 1, 0), place, min(place + 1, len(text) - 1))]
    found = boxes(around)
    characters = list(text)
    for number, place in enumerate(places):
        before, accent, behind = found[3 * number : 3 * number + 3]
        # TeX draws accents before, and cedillas behind the letter.
        for neighbour, box in ((place + 1, behind), (place - 1, before)):
            if 0 <= neighbour < len(text) and characters[neighbour] and _overlap(accent, box):
                letter = _DOTLESS.get(text[neighbour], text[neighbour])
                whole = unicodedata.normalize("NFC", letter + _COMBINING[text[place]])
                if letter.isalpha() and len(whole) == 1:
                    characters[neighbour], characters[place] = whole, ""
                    break
    return "".join(characters)


def _overlap(one: Box, other: Box) -> bool:
    """Whether two characters stand over each other."""
    shared = min(one[2], other[2]) - max(one[0], other[0])
    return shared > OVERLAP_PART * min(one[2] - one[0], other[2] - other[0]) > 0
