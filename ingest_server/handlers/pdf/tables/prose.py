"""Tells what stands in columns and is no table: running text, lists, contents, indexes, bibliographies, program text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from ingest_server.handlers.pdf.tables.grid import NUMBER
from ingest_server.handlers.pdf.tables.words import Piece

PROSE_CHARACTERS = 24
"""Mean characters of a line from which a column may be running text."""
PROSE_FULL_PART = 0.55
"""Running text fills at least this part of its lines to the column's end, nearly."""
SENTENCE_WORDS_MIN, LONG_SENTENCE_WORDS_MIN = 3, 8
"""Words of a sentence with a full stop; and of its first line, where it goes on."""
TERMS_PART = 0.6
"""Part of the terms of a list whose meanings are sentences."""
PROSE_LINES_MIN = 4
"""Fewer lines tell nothing."""
MONOSPACED_TOLERANCE = 0.05
"""Of a character's width: by how much places of fixed width characters may be off."""
MONOSPACED_PART_MIN = 0.35
"""Part of the words of more than two characters that are in a font of fixed width, if some text is typewritten."""

_MARK = re.compile(r"[•◦▪▫●○■□‣⁃–—*·∙➢➤✓\uf0b7-]|\(?(?:\d{1,3}|[A-Za-z]|[ivxlcIVXLC]{1,6})[.):]|\(\d{1,3}\)|\[[^\]]{1,12}\]")
"""What begins items of lists and entries of bibliographies."""
_SECTION = re.compile(r"(?:\d{1,3}\.)+\d{0,3}|[A-Z](?:\.\d{1,3})+")
"""Numbers of sections."""
_LEADER = re.compile(r"(?:\. ?){4,}|…{2,}|_{6,}|-{12,}")
_EQUATION_NUMBER = re.compile(r"\((?:[A-Z]\.)?\d{1,3}(?:\.\d{1,3})*[a-z]?\)")
_PAGE = re.compile(r"(?:\d{1,4}|[ivxlc]{1,7})")
_INDEX_ENTRY = re.compile(r".*\D[,\s.]\s*\d{1,4}(?:[–-]\d{1,4})?(?:,\s*\d{1,4}(?:[–-]\d{1,4})?)*,?")

_COMMENTS = ("//", "/*", "# ", "> ", ">>> ", "$ ", "<!--")

Column = Sequence[Piece]


def is_prose(column: Column) -> bool:
    """Whether the lines of a column are running text: long, and most of them full."""
    if len(column) < PROSE_LINES_MIN:
        return False
    texts = [piece.text for piece in column]
    if sum(map(len, texts)) < PROSE_CHARACTERS * len(texts):
        return False
    left, right = min(piece.left for piece in column), max(piece.right for piece in column)
    full = sum(1 for piece in column if piece.right > left + 0.82 * (right - left))
    return full >= PROSE_FULL_PART * len(column)


def is_sentence(text: str) -> bool:
    """Whether text reads like a sentence, as the meanings of terms do: of three words at least, and with its end, or of eight."""
    words = text.count(" ") + 1
    return words >= SENTENCE_WORDS_MIN and (text[-1] in ".;:" or words >= LONG_SENTENCE_WORDS_MIN)


def has_leaders(pieces: Sequence[Piece]) -> bool:
    """Whether rows of dots lead from text to numbers, in a fifth of the pieces."""
    return 5 * sum(1 for piece in pieces if _LEADER.search(piece.text)) >= len(pieces)


def is_no_table(columns: Sequence[Column], rows: int) -> bool:
    """Whether aligned columns are one of the things that are set in columns but are no table.

    Args:
        columns: their pieces, from top to bottom.
        rows: of text.
    """
    pieces = [piece for column in columns for piece in column]
    if has_leaders(pieces):
        return True
    return (
        _is_list(columns)
        or _is_program(pieces, rows)
        or _is_contents(columns, rows)
        or _is_index(columns)
        or _is_equations(columns)
        or sum(map(is_prose, columns)) > len(columns) / 2
    )


def _is_list(columns: Sequence[Column]) -> bool:
    """Whether a narrow first column of marks stands before text. A further column of marks does not make a table of it."""
    marked = [sum(1 for piece in column if _MARK.fullmatch(piece.text)) >= 0.8 * len(column) for column in columns]
    if len(columns) - sum(marked) < 2:
        return True
    marks = sum(1 for piece in columns[0] if _MARK.fullmatch(piece.text) or _SECTION.fullmatch(piece.text))
    if marks >= 0.6 * len(columns[0]) and len(columns) == 2:
        return True
    if len(columns) != 2:
        return False
    # A term and what it means: sentences, or most lines go on in the column of meanings.
    sentences = sum(1 for piece in columns[1] if is_sentence(piece.text))
    return sentences >= TERMS_PART * len(columns[1]) or (len(columns[1]) > 1.6 * len(columns[0]) and is_prose(columns[1]))


def _is_program(pieces: Sequence[Piece], rows: int) -> bool:
    """Whether a third of the rows has a comment or a prompt at the start of a piece, or statements end in most of them."""
    texts = [piece.text for piece in pieces]
    comments = sum(1 for text in texts if text.startswith(_COMMENTS))
    statements = sum(1 for text in texts if text.endswith((";", "{", "}")) or " <- " in text)
    return comments >= max(0.3 * rows, 2) or statements >= 0.6 * rows


def _is_contents(columns: Sequence[Column], rows: int) -> bool:
    """Whether the last column is page numbers that ascend, and what is before it are titles, with or without numbers."""
    numbers = [piece.text for piece in columns[-1]]
    if len(columns) > 5 or rows < 3 or not all(map(_PAGE.fullmatch, numbers)):
        return False
    pages = [int(number) for number in numbers if number.isdecimal()]
    if any(one > other for one, other in pairwise(pages)):
        return False
    numbering = [piece.text for column in columns[:-2] for piece in column]
    if sum(map(_is_section, numbering)) < 0.5 * len(numbering):
        return False
    titles = columns[-2]
    return sum(1 for piece in titles if any(map(str.isalpha, piece.text))) >= 0.8 * len(titles)


def _is_section(text: str) -> bool:
    return (
        _MARK.fullmatch(text) is not None
        or _SECTION.fullmatch(text) is not None
        or text.replace(".", "").isdecimal()
        or text.split(" ")[0].casefold() in _PARTS
    )


_PARTS = frozenset(("chapter", "part", "section", "appendix", "kapitel", "teil"))


def _is_index(columns: Sequence[Column]) -> bool:
    """Whether columns go on below each other: entries with page numbers, or words in alphabetical order down the columns."""
    if len(columns) > 4:
        return False
    entries = sum(1 for column in columns for piece in column if _INDEX_ENTRY.fullmatch(piece.text))
    if entries >= 0.6 * sum(map(len, columns)):
        return True
    texts = [piece.text for column in columns for piece in column]
    words = [text.casefold().lstrip("\"'(*_.") for text in texts if not NUMBER.fullmatch(text)]
    ordered = sum(1 for one, other in pairwise(words) if one <= other)
    return len(words) >= 12 and ordered >= 0.9 * (len(words) - 1)


def _is_equations(columns: Sequence[Column]) -> bool:
    """Whether the last column is numbers of equations."""
    return all(_EQUATION_NUMBER.fullmatch(piece.text) for piece in columns[-1])


def is_typewritten(pieces: Sequence[Piece]) -> bool:
    """Whether pieces stand on the grid of a typewriter: program text and what programs print, aligned by spaces. Comments in it
    may be set in another font.

    Columns of tables in such a font stand on its grid by chance only, as they begin where their frames want it.
    """
    words = [word for piece in pieces for word in piece.words]
    widths = sorted((word.right - word.left) / len(word.text) for word in words if len(word.text) > 2)
    if len(widths) < 3:
        return False
    width = max(widths, key=lambda each: _near(widths, each))
    if width <= 0 or _near(widths, width) < MONOSPACED_PART_MIN * len(widths):
        return False
    # Spaces and rounding: what a character takes is told best by words one after the other.
    steps = [
        (behind.left - word.left) / (len(word.text) + 1)
        for piece in pieces
        for word, behind in pairwise(piece.words)
        if len(word.text) > 2
    ]
    pitch = median([step for step in steps if abs(step - width) < MONOSPACED_TOLERANCE * width] or [width])
    left = min(word.left for word in words)
    places = [(piece.left - left) / pitch for piece in pieces]
    return sum(1 for place in places if abs(place - round(place)) < MONOSPACED_TOLERANCE) >= 0.9 * len(places)


def _near(widths: Sequence[float], width: float) -> int:
    """How many widths are this one, nearly; `widths` ascend."""
    return bisect_right(widths, 1.01 * width) - bisect_right(widths, 0.99 * width)
