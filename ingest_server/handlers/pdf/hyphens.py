"""Joins a word that was divided at the end of a line."""

from __future__ import annotations

import re

_WORD_END = re.compile(r"[^\W\d_]+$")
_WORD_START = re.compile(r"^[^\W\d_]+")
WORD_CHARACTERS_MAX = 80
"""How far back the divided word may begin; the longest words of German law have 80."""
_SUSPENDED = frozenset(("and", "or", "to", "und", "oder", "bis", "et", "ou", "y", "o", "e"))
"""Words after a suspended hyphen: "pre- and postfix"."""


def joined(before: str, after: str, page_text: str) -> str:
    """Join two lines, the first of which ended in a hyphen.

    The hyphen goes where that is certain: letters before it, a small letter behind it, and nowhere on the page the word with its
    hyphen inside a line. Otherwise it stays: "Jean-Paul", "UTF-8", "run-time".

    Args:
        before: first line, without the hyphen.
        after: second line.
        page_text: all text of the page.

    Returns:
        Both lines as one text.
    """
    before = before.rstrip("-\u2010")
    head = _letters(before[before.rfind(" ") + 1 :], _WORD_END)
    tail = _letters(after[: after.find(" ") if " " in after else len(after)], _WORD_START)
    if not head or not tail:
        return f"{before}-{after}"
    if tail in _SUSPENDED:
        return f"{before}- {after}"
    if not tail[0].islower() or f"{head}-{tail}" in page_text:
        return f"{before}-{after}"
    return before + after


def _letters(word: str, pattern: re.Pattern[str]) -> str:
    """The letters at the end, or the begin, of a word."""
    if word.isalpha():
        return word
    match = pattern.search(word[-WORD_CHARACTERS_MAX:] if pattern is _WORD_END else word)
    return match.group() if match else ""
