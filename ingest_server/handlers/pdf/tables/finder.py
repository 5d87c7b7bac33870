"""Finds the tables of one page, and takes their lines out of those that become paragraphs.

In their place stands one line, the table's, so that the order in which a page is read holds for its tables too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TypeAlias

from ingest_server.handlers.elements import Box
from ingest_server.handlers.pdf.library import Pointer
from ingest_server.handlers.pdf.page_text import LineRow, PageText
from ingest_server.handlers.pdf.tables.grid import Table
from ingest_server.handlers.pdf.tables.lattice import RULES_MIN, Lattice, lattices, ruled_off
from ingest_server.handlers.pdf.tables.pretest import has_drawings, lines_in_columns
from ingest_server.handlers.pdf.tables.rows import rows_of
from ingest_server.handlers.pdf.tables.ruled import ruled_table
from ingest_server.handlers.pdf.tables.rulings import Ruling, rulings_of
from ingest_server.handlers.pdf.tables.unruled import unruled_tables, zones_of
from ingest_server.handlers.pdf.tables.words import Piece, Word, pieces_of, words_of

LINES_MAX = 1_500
"""Lines of a page that is searched for tables: no page for reading has more than 400."""
WORDS_MAX = 20_000
"""Words looked at."""
LINES_BETWEEN_MAX = 40
"""Lines between lines in columns that are looked at too: those of cells with several lines, drawn one by one."""
LINES_AROUND = 4
"""Lines before and behind lines in columns that are looked at first; all of the page if a table goes further."""
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
    count = len(text.texts)
    if not 2 <= count <= LINES_MAX:
        return None
    near = lines_in_columns(text)
    if not near and not has_drawings(page):
        return None
    rulings = rulings_of(page_address, text)
    found, free = lattices(rulings)
    open_boxes = [lattice.box for lattice in found if not lattice.has_columns and len(lattice.ys) > RULES_MIN] + ruled_off(free)
    if not near and not open_boxes and not any(lattice.has_columns for lattice in found):
        return None
    lines = text.lines()
    search = _Search(text, lines, found, free)
    wanted = {at for index in near for at in range(index - LINES_AROUND, index + LINES_AROUND + 1) if 0 <= at < count}
    for before, behind in pairwise(near):
        if behind - before <= LINES_BETWEEN_MAX:
            wanted.update(range(before, behind))
    wanted.update(index for index, line in enumerate(lines) for box in open_boxes if _overlap(line, box))
    tables = search.tables(wanted)
    if any(at not in wanted for table in tables[search.ruled :] for word in table.words for at in (word.line - 1, word.line + 1)):
        tables = search.tables(set(range(count)))
    return (_without(lines, search.words, tables), tables) if tables else None


def _overlap(line: LineRow, box: Box) -> bool:
    return line[0] < box[2] and line[2] > box[0] and line[1] < box[3] and line[3] > box[1]


def _is_upright(line: LineRow) -> bool:
    """Whether a line runs up or down the page."""
    width, height = line[2] - line[0], line[3] - line[1]
    return height > 2.0 * line[4] and height > 2.0 * width


class _Search:
    """A search among lines of one page.

    Attributes:
        words: of the lines that were looked at.
        ruled: how many of the tables found, the first ones, are ruled.
    """

    def __init__(self, text: PageText, lines: Sequence[LineRow], found: Sequence[Lattice], free: Sequence[Ruling]) -> None:
        self._text = text
        self._lines = lines
        self._lattices = [lattice for lattice in found if lattice.has_columns]
        self._free = sorted([*free, *(ruling for lattice in found if not lattice.has_columns for ruling in lattice.across)])
        self._words_of: dict[int, list[Word]] = {}
        self.ruled = 0

    @property
    def words(self) -> list[Word]:
        """See the class."""
        return [word for index in sorted(self._words_of) for word in self._words_of[index]]

    def tables(self, wanted: set[int]) -> list[Table]:
        """The tables within lattices, and those in some lines; none beyond `WORDS_MAX` words."""
        tables: list[Table] = []
        taken: set[Word] = set()
        free = list(self._free)
        for lattice in self._lattices:
            words = [word for word in self._within(lattice.box) if word not in taken]
            if table := ruled_table(lattice, words, self._text.text):
                tables.append(table)
                taken.update(table.words)
            else:
                free += lattice.across
        self.ruled = len(tables)
        pieces: list[Piece] = []
        for index in sorted(wanted):
            pieces += pieces_of(word for word in self._line(index) if word not in taken)
        if len(pieces) > WORDS_MAX or sum(map(len, self._words_of.values())) > WORDS_MAX:
            return []
        for zone in zones_of(rows_of(pieces)):
            tables += unruled_tables(zone, sorted(free), self._text.text)
        return tables

    def _line(self, index: int) -> list[Word]:
        """The words of a line that may be in a table."""
        if index not in self._words_of:
            line = self._lines[index]
            found = [] if _is_upright(line) else words_of(self._text, index, line)
            self._words_of[index] = [word for word in found if word.text not in _CORNERS]
        return self._words_of[index]

    def _within(self, box: Box) -> list[Word]:
        """The words whose middle lies in a box."""
        left, top, right, bottom = box
        near = [index for index, line in enumerate(self._lines) if _overlap(line, box)]
        return [
            word
            for index in near
            for word in self._line(index)
            if top < word.middle < bottom and left < (word.left + word.right) / 2 < right
        ]


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
