"""Where text may be cut: paragraphs, lines, sentences, words, user-perceived characters, from the best place to the last resort.

Sentences follow the idea of Unicode Standard Annex 29 (a mark that ends a sentence, closing marks, then white space), with
marks of many scripts, and ideographic ones that need no space after them. Beyond it, a full stop after an initial or a usual
abbreviation, or before a lower-case letter, ends nothing. Characters follow its extended grapheme clusters as far as cutting
needs: marks, joiners, emoji sequences, flags and Hangul stay whole.
"""

from __future__ import annotations

import re
import unicodedata

_BLANK_LINES = re.compile(r"\n[^\S\n]*\n\s*")
_LINES = re.compile(r"\n\s*")
_SENTENCES = re.compile(
    r"[。！？｡]++[」』）】”’〉》\"']*+\s*+"
    # Only at the first of several marks: a leader of a million full stops is gone over once.
    r"|(?<![.!?…؟۔।॥።‽])(?P<mark>[.!?…؟۔।॥።‽]++)[\"'”’»)\]}›]*+\s++(?=\S)"
)
_WORDS = re.compile(r"\s+|[、，；：]+\s*")
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘«]*\Z")
_ABBREVIATIONS = frozenset(
    [
        "approx",
        "art",
        "bd",
        "bzw",
        "ca",
        "cf",
        "ch",
        "col",
        "dept",
        "dr",
        "ed",
        "eds",
        "e.g",
        "eq",
        "eqs",
        "etc",
        "fig",
        "figs",
        "gen",
        "i.e",
        "inc",
        "jr",
        "lt",
        "ltd",
        "mr",
        "mrs",
        "ms",
        "mt",
        "nr",
        "op",
        "p",
        "par",
        "pp",
        "prof",
        "ref",
        "rev",
        "sec",
        "sr",
        "st",
        "u.a",
        "vgl",
        "vol",
        "vs",
        "z.b",
    ]
)
"""Words, in lower case and without their last full stop, after which a sentence usually goes on."""
_WORD_LOOK_BACK = 24
"""Characters before a full stop that are looked at; longer words are no abbreviations."""

FLAG_LETTERS_MAX = 256
"""In longer rows of flags one may be cut in two: a look back from each letter to the first would take quadratic time."""

LEVELS = 4
"""Levels of `cuts`, from 0."""


def cuts(text: str, level: int) -> list[int]:
    """Offsets inside a text at which it may be cut, ascending, without its ends. White space stays with what stands before it.

    Args:
        text: what to cut.
        level: 0 paragraphs, 1 lines, 2 sentences, 3 words. Below them only `begins_character` is left.
    """
    if level == 0:
        found = [match.end() for match in _BLANK_LINES.finditer(text)]
    elif level == 1:
        found = [match.end() for match in _LINES.finditer(text)]
    elif level == 2:
        found = [match.end() for match in _SENTENCES.finditer(text) if not _goes_on(text, match)]
    else:
        found = [match.end() for match in _WORDS.finditer(text)]
    return [offset for offset in found if 0 < offset < len(text)]


def sentence_cuts(text: str) -> list[int]:
    """Offsets at which sentences, lines and paragraphs begin."""
    return sorted({*cuts(text, 1), *cuts(text, 2)})


def _goes_on(text: str, match: re.Match[str]) -> bool:
    """Whether a sentence goes on after a full stop."""
    if match["mark"] != ".":
        return False
    if match.end() < len(text) and text[match.end()].islower():
        return True
    start = match.start()
    word = _LAST_WORD.search(text, max(0, start - _WORD_LOOK_BACK), start)
    before = word[0] if word else ""
    # "J. Smith", "Dr. No"; "a." and a number that begins a line, as lists have it.
    return (len(before) == 1 and before.isupper() and before.isascii()) or before.lower() in _ABBREVIATIONS


def begins_character(text: str, offset: int) -> bool:
    """Whether what stands at `offset`, inside the text, is a character of its own and no part of the one before."""
    here, before = text[offset], text[offset - 1]
    if before.isspace() or (here < "\u0300" and before != "\u200d"):
        return not (here == "\n" and before == "\r")
    if here in "\u200d\ufe0e\ufe0f" or before == "\u200d" or unicodedata.category(here) in ("Mn", "Me", "Mc"):
        return False
    if "\U0001f3fb" <= here <= "\U0001f3ff" or "\U000e0020" <= here <= "\U000e007f":
        return False  # skin tones, tags of flags
    if "\u1160" <= here <= "\u11ff":
        return False  # vowels and finals of Hangul that was written letter by letter
    if _is_flag_letter(here) and _is_flag_letter(before):
        run = 0
        while run < min(offset, FLAG_LETTERS_MAX) and _is_flag_letter(text[offset - 1 - run]):
            run += 1
        return run % 2 == 0
    return True


def _is_flag_letter(letter: str) -> bool:
    return "\U0001f1e6" <= letter <= "\U0001f1ff"
