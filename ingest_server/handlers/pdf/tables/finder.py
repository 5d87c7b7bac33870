"""Finds the tables of one page, and takes their lines out of those that become paragraphs.

In their place stands one line, the table's, so that the order in which a page is read holds for its tables too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from ingest_server.handlers.elements import Box
from ingest_server.handlers.pdf.library import Pointer
from ingest_server.handlers.pdf.page_text import LineRow, PageText
from ingest_server.handlers.pdf.tables.grid import Table
from ingest_server.handlers.pdf.tables.lattice import lattices
from ingest_server.handlers.pdf.tables.pretest import has_columns, has_drawings
from ingest_server.handlers.pdf.tables.rows import rows_of
from ingest_server.handlers.pdf.tables.ruled import ruled_table
from ingest_server.handlers.pdf.tables.rulings import NO_RULINGS, rulings_of
from ingest_server.handlers.pdf.tables.unruled import unruled_tables, zones_of
from ingest_server.handlers.pdf.tables.words import Word, pieces_of, words_of

LINES_MAX = 1_500
"""Lines of a page that is searched for tables: no page for reading has more than 400."""
WORDS_MAX = 20_000
"""Words of such a page."""
TABLE_MARK = "\x00"
"""Begins the text of the line that stands for a table; its number follows. Text of a page has no control characters."""

_CORNERS = frozenset("☛✟✡✠")
"""What TeX's round corners of frames are read as."""

Found: TypeAlias = tuple[list[LineRow], list[Table]]
"""The lines of a page, with one for each table, and the tables."""


def tables_of(page_address: int, page: Pointer, text: PageText) -> Found | None:
    """Find the tables of an open page.

    Args:
        page_address: of pdfium's FPDF_PAGE.
        page: the same, for the calls declared in library.py.
        text: of the page.

    Returns:
        None if there is none: on nearly every page after a few tests, see pretest.py.
    """
    if len(text.texts) < 2 or len(text.texts) > LINES_MAX:
        return None
    drawn = has_drawings(page)
    if not drawn and not has_columns(text):
        return None
    lines = text.lines()
    words = [word for index, line in enumerate(lines) if not _is_upright(line) for word in words_of(text, index, line)]
    words = [word for word in words if word.text not in _CORNERS]
    if len(words) > WORDS_MAX:
        return None
    tables = _tables(page_address, text, words)
    return (_without(lines, words, tables), tables) if tables else None


def _is_upright(line: LineRow) -> bool:
    """Whether a line runs up or down the page."""
    width, height = line[2] - line[0], line[3] - line[1]
    return height > 2.0 * line[4] and height > 2.0 * width


def _tables(page_address: int, text: PageText, words: Sequence[Word]) -> list[Table]:
    rulings = rulings_of(page_address, text)
    found, free = lattices(rulings) if rulings is not NO_RULINGS else ([], [])
    tables: list[Table] = []
    taken: set[Word] = set()

    def words_in(box: Box) -> list[Word]:
        left, top, right, bottom = box
        return [
            word
            for word in words
            if word not in taken and top < word.middle < bottom and left < (word.left + word.right) / 2 < right
        ]

    for lattice in found:
        if table := ruled_table(lattice, words_in, text.text):
            tables.append(table)
            taken.update(table.words)
        else:
            free = sorted([*free, *lattice.across])
    by_line: dict[int, list[Word]] = {}
    for word in words:
        if word not in taken:
            by_line.setdefault(word.line, []).append(word)
    pieces = [piece for line in by_line.values() for piece in pieces_of(line)]
    for zone in zones_of(rows_of(pieces)):
        tables += unruled_tables(zone, free, text.text)
    return tables


def _without(lines: Sequence[LineRow], words: Iterable[Word], tables: Sequence[Table]) -> list[LineRow]:
    """The lines without what stands in tables, and one line for each table where its first line was drawn."""
    owners = {word: number for number, table in enumerate(tables) for word in table.words}
    rest: dict[int, list[Word]] = {}
    touched: dict[int, list[int]] = {}
    for word in words:
        number = owners.get(word)
        if number is None:
            rest.setdefault(word.line, []).append(word)
        else:
            touched.setdefault(word.line, []).append(number)
    result: list[LineRow] = []
    placed: set[int] = set()
    for index, line in enumerate(lines):
        if index not in touched:
            result.append(line)
            continue
        parts: list[LineRow] = [_as_line(piece.words) for piece in pieces_of(rest.get(index, ()))]
        for number in sorted(set(touched[index]) - placed):
            parts.append(_stand_in(tables[number], number))
            placed.add(number)
        result += sorted(parts)
    return result


def _as_line(words: Sequence[Word]) -> LineRow:
    """What is left of a line."""
    left, top, _, bottom, size, _, _, first, _, _ = words[0]
    text = " ".join(word.text for word in words)
    return left, top, words[-1].right, bottom, size, text, words[-1].divided, first, words[-1].last


def _stand_in(table: Table, number: int) -> LineRow:
    """The line that stands for a table. It has no characters that pdfium could be asked for."""
    left, top, right, bottom = table.box
    return left, top, right, bottom, table.words[0].size, f"{TABLE_MARK}{number}", False, 0, -1
