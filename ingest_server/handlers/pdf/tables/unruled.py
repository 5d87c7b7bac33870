"""Tables whose columns stand apart by white space alone, or with lines between some rows.

The method: rows of text that have a gap at one place one after the other are a block (as in Kieninger and Dengel, "The T-Recs
Table Recognition and Analysis System", 1998, columns are what overlaps from row to row); what nearly all rows of a block leave
empty parts its columns; blocks whose columns are neither aligned nor different from running text are no tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from ingest_server.handlers.pdf.tables.grid import Cell, Table, box_of, header_rows, text_of
from ingest_server.handlers.pdf.tables.pretest import SINGLE_SPACED_SIZES
from ingest_server.handlers.pdf.tables.prose import has_leaders, is_no_table, is_prose, is_typewritten
from ingest_server.handlers.pdf.tables.rows import Places, Row, row_starts
from ingest_server.handlers.pdf.tables.rulings import Ruling
from ingest_server.handlers.pdf.tables.strips import STRIP_SIZES, Strip, common, gaps_of, inner, voted
from ingest_server.handlers.pdf.tables.words import Piece

ROW_GAP_SIZES_MAX = 4.0
"""Between two rows of a table there is at most so much room, in font sizes."""
ROW_GAP_FACTOR = 2.5
"""And at most so many times as much as between those above, or so many font sizes."""
LOOSE_ROWS_MAX = 3
"""Rows with text in one column only, or across columns, one after the other: lines of one cell, a group's title."""
TITLE_CHARACTERS_MAX = 48
"""Longer text across all columns is no title within a table but text between two."""
COLUMNS_MAX = 60
"""More are no columns."""
ALIGNED_PART_MIN = 0.6
"""Part of a column's pieces that have their left edge, right edge or middle at one place."""
ALIGNED_SIZES = 0.35
"""By how many font sizes they may miss it."""
FILLED_MIN = 0.45
"""Part of a table's places that have text."""


def unruled_tables(rows: Sequence[Row], across: Sequence[Ruling], page_text: str) -> list[Table]:
    """The tables among some rows.

    Args:
        rows: of text, of one column of the page, from top to bottom.
        across: horizontal rulings that touch no vertical one.
        page_text: see `text_of`.

    Returns:
        From top to bottom; no two share a row.
    """
    tables: list[Table] = []
    begin = 0
    while begin < len(rows):
        end = _block_end(rows, begin) if inner(gaps_of(rows[begin])) else begin
        if end - begin < 2 or _stands_off(rows[begin:end]):
            begin += 1
            continue
        first = _with_titles(rows, begin, end)
        table = _table(rows[first:end], across, page_text) or (
            _table(rows[begin:end], across, page_text) if first < begin else None
        )
        if table:
            tables.append(table)
        begin = end
    return tables


def _block_end(rows: Sequence[Row], begin: int) -> int:
    """Index after the last row that goes on with the columns of row `begin`."""
    strips = gaps_of(rows[begin])
    end, loose, gap = begin + 1, 0, 0.0
    for index in range(begin + 1, len(rows)):
        above, row = rows[index - 1], rows[index]
        least = STRIP_SIZES * row.size
        room = max(row.top - above.bottom, 0.1 * row.size)
        if room > ROW_GAP_SIZES_MAX * row.size or (
            end - begin > 2 and room > max(ROW_GAP_FACTOR * gap, ROW_GAP_FACTOR * row.size)
        ):
            break
        rest = common(strips, gaps_of(row), least)
        if len(row.pieces) > 1 and inner(rest):
            strips, loose, end = rest, 0, index + 1
            gap = max(gap, room)
            continue
        loose += 1
        if len(row.pieces) == 1 and not inner(rest) and len(row.pieces[0].text) > TITLE_CHARACTERS_MAX:
            break
        if loose > LOOSE_ROWS_MAX or (len(row.pieces) > 1 and not inner(rest)):
            break
        if len(inner(rest)) == len(inner(strips)) and row.pieces[0].left > inner(strips)[0][0]:
            # The last line of a cell that is not in the first column.
            goes_on = row.middle - above.middle <= 1.45 * row.size and end == index
            end = index + 1 if goes_on else end
            loose -= goes_on
    return end


def _stands_off(rows: Sequence[Row]) -> bool:
    """Whether the first row is far from the others, such as the head of a page."""
    rooms = [below.top - above.bottom for above, below in pairwise(rows)]
    return len(rooms) > 1 and rooms[0] > max(ROW_GAP_FACTOR * median(rooms[1:]), 1.5 * max(rooms[1:]), rows[0].size)


def _with_titles(rows: Sequence[Row], begin: int, end: int) -> int:
    """Index of the first row of a block, with rows above it that have the titles of some of its columns only."""
    if begin == 0 or len(rows[begin - 1].pieces) < 2:
        return begin
    strips = inner(voted(rows[begin:end], STRIP_SIZES * rows[begin].size))
    left, right = min(row.pieces[0].left for row in rows[begin:end]), max(row.pieces[-1].right for row in rows[begin:end])
    while begin and strips:
        row, below = rows[begin - 1], rows[begin]
        inside = row.pieces[0].left > strips[0][0] - 1 and row.pieces[-1].right <= right + row.size and row.pieces[0].left > left
        if not inside or len(row.pieces) < 2 or below.top - row.bottom > 1.0 * row.size:
            break
        begin -= 1
    return begin


def _table(rows: Sequence[Row], across: Sequence[Ruling], page_text: str) -> Table | None:
    """The table that a block is; None if it is none."""
    size = median(row.size for row in rows)
    strips = voted(rows, STRIP_SIZES * size)
    strips = inner(strips)[:COLUMNS_MAX]
    if not strips:
        return None
    edges = [(left + right) / 2 for left, right in strips]
    places, spans = _placed(rows, edges)
    filled = [[bool(pieces) for pieces in line] for line in places]
    columns = [[piece for line in places for piece in line[column]] for column in range(len(edges) + 1)]
    width = _width(rows)
    rulings = [ruling for ruling in across if _runs_over(ruling, width)]
    if not _is_sound(rows, columns, filled, bool(rulings)):
        return None
    pieces = [piece for row in rows for piece in row.pieces]
    if not rulings and _is_single_spaced(rows) and is_typewritten(pieces):
        return None
    starts = row_starts(rows, places, rulings)
    if len(starts) < (2 if rulings else 3):
        return None
    return _made(rows, starts, places, spans, rulings, page_text)


def _is_single_spaced(rows: Sequence[Row]) -> bool:
    """Whether rows follow each other like the lines of program text."""
    return median((below.middle - above.middle) / below.size for above, below in pairwise(rows)) < SINGLE_SPACED_SIZES


def _width(rows: Sequence[Row]) -> Strip:
    return min(row.pieces[0].left for row in rows), max(row.pieces[-1].right for row in rows)


def _runs_over(ruling: Ruling, width: Strip) -> bool:
    """Whether a ruling runs over most of a table's width, and not far beyond."""
    left, right = width
    shared = min(ruling.end, right) - max(ruling.begin, left)
    return shared > 0.8 * (right - left)


def _placed(rows: Sequence[Row], edges: Sequence[float]) -> tuple[list[list[list[Piece]]], dict[tuple[int, int], int]]:
    """The pieces by row and column; and (row, column) → columns, of those that lie across the edges between columns."""
    places: list[list[list[Piece]]] = []
    spans: dict[tuple[int, int], int] = {}
    for number, row in enumerate(rows):
        line: list[list[Piece]] = [[] for _ in range(len(edges) + 1)]
        for piece in row.pieces:
            column = sum(1 for edge in edges if edge <= piece.left)
            last = sum(1 for edge in edges if edge < piece.right)
            line[column].append(piece)
            if last > column:
                spans[number, column] = last - column + 1
        places.append(line)
    return places, spans


def _is_sound(rows: Sequence[Row], columns: Sequence[Sequence[Piece]], filled: Sequence[Sequence[bool]], ruled: bool) -> bool:
    """Whether a block has the signs of a table and not those of something else."""
    lines = len(rows)
    if lines < (2 if ruled else 3) or any(len(column) < 2 for column in columns):
        return False
    if sum(map(sum, filled)) < FILLED_MIN * lines * len(columns) and not ruled:
        # Many lines of few cells: counted by the rows that have text in the first column.
        full = sum(1 for line in filled if line[0])
        if sum(map(sum, filled)) < FILLED_MIN * full * len(columns) or full < 3:
            return False
    if is_no_table(columns, lines):
        return False
    aligned = sum(1 for column in columns if _is_aligned(column))
    return aligned >= 0.75 * len(columns)


def _is_aligned(column: Sequence[Piece]) -> bool:
    """Whether most pieces of a column have an edge or their middle at one place."""
    tolerance = ALIGNED_SIZES * median(piece.size for piece in column)
    for places in (
        [piece.left for piece in column],
        [piece.right for piece in column],
        [(piece.left + piece.right) / 2 for piece in column],
    ):
        middle = median(places)
        near = sum(1 for place in places if abs(place - middle) <= tolerance)
        if near >= ALIGNED_PART_MIN * len(places):
            return True
    return False


def _made(
    rows: Sequence[Row],
    starts: Sequence[int],
    places: Places,
    spans: dict[tuple[int, int], int],
    rulings: Sequence[Ruling],
    page_text: str,
) -> Table:
    """The table of rows of text, of which those at `starts` begin a row."""
    cells: list[Cell] = []
    columns = len(places[0])
    for number, (start, end) in enumerate(zip(starts, (*starts[1:], len(rows)), strict=True)):
        for column in range(columns):
            words = [word for line in places[start:end] for piece in line[column] for word in piece.words]
            if words:
                span = max(spans.get((line, column), 1) for line in range(start, end))
                cells.append(Cell(number, column, 1, span, text_of(words, page_text)))
    words = [word for row in rows for piece in row.pieces for word in piece.words]
    above = 0
    for ruling in sorted(rulings):
        inside = sum(1 for start in starts if rows[start].middle < ruling.at)
        if 0 < inside < len(starts):
            above = inside
            break
    heads = header_rows(len(starts), columns, cells, above)
    return Table(box_of(words), len(starts), columns, cells, heads, words)


def zones_of(rows: Sequence[Row], depth: int = 0) -> list[list[Row]]:
    """Part rows where columns of running text stand beside each other, or beside a table.

    Args:
        rows: from top to bottom.
        depth: of the recursion.

    Returns:
        Rows of each column of the page; all of them in one if there are none.
    """
    several = [row for row in rows if len(row.pieces) > 1]
    if depth >= ZONE_DEPTH_MAX or len(several) < ZONE_ROWS_MIN:
        return [list(rows)]
    for left, right in voted(several, STRIP_SIZES * several[0].size):
        edge = (left + right) / 2
        before = [piece for row in rows for piece in row.pieces if piece.right <= edge]
        behind = [piece for row in rows for piece in row.pieces if piece.left >= edge]
        if has_leaders(before + behind) or not (is_column_of_text(before, edge) or is_column_of_text(behind, edge)):
            continue
        one = [Row(pieces) for row in rows if (pieces := [piece for piece in row.pieces if piece.left < edge])]
        other = [Row(pieces) for row in rows if (pieces := [piece for piece in row.pieces if piece.left >= edge])]
        return zones_of(one, depth + 1) + zones_of(other, depth + 1)
    return [list(rows)]


ZONE_DEPTH_MAX = 4
"""Newspapers have eight columns."""
ZONE_ROWS_MIN = 8
"""Fewer rows with text side by side are no columns of a page."""


def is_column_of_text(pieces: Sequence[Piece], edge: float) -> bool:
    """Whether what stands on one side of a strip is a column of running text: single pieces, one below the other."""
    if not is_prose(pieces):
        return False
    tops = sorted(piece.middle for piece in pieces)
    steps = [below - above for above, below in pairwise(tops)]
    alone = sum(1 for step in steps if step > 0.5 * pieces[0].size)
    tight = sum(1 for step in steps if 0.5 * pieces[0].size < step < 1.7 * pieces[0].size)
    return alone > 0.9 * len(steps) and tight > 0.7 * len(steps)
