"""Tables with lines around their cells."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from ingest_server.handlers.elements import Box
from ingest_server.handlers.pdf.tables.grid import Cell, Table, header_rows, text_of
from ingest_server.handlers.pdf.tables.lattice import Block, Lattice
from ingest_server.handlers.pdf.tables.words import Word

CELLS_MIN = 4
"""A table has at least so many cells with text."""
FILLED_MIN = 0.2
"""And at least this part of its cells has text. In drawings and charts it is in few."""
CROSSING_PART_MAX = 0.15
"""At most this part of the words may lie across the lines. In drawings they do."""
CELL_CHARACTERS_MAX = 1_200
"""More text than this, on average of the cells with text, is no table: pages have frames too."""
OPEN_BANDS_MAX = 3
"""A table with at most so many rows between lines may have several rows of text between two of them."""
OPEN_LINES_MIN = 2
"""Lines of text between two lines that may be rows."""
LINE_GAP_SIZES = 0.8
"""Words on both sides of a column's edge with so many font sizes between them are two cells, also where no line parts them."""


def ruled_table(lattice: Lattice, words: list[Word], page_text: str) -> Table | None:
    """The table that a lattice holds.

    Args:
        lattice: of rulings.
        words: whose middle lies in its box.
        page_text: see `text_of`.

    Returns:
        None if it is no table: one row, hardly any text, or text across its lines.
    """
    crossing = sum(1 for word in words if _crosses(lattice, word))
    if not words or crossing > CROSSING_PART_MAX * len(words):
        return None
    xs, ys = list(lattice.xs), list(lattice.ys)
    filled = _fill(xs, ys, _parted(lattice, words), words)
    filled, ys = _with_open_rows(filled, ys)
    if len(ys) < 3:
        return None
    return _made(filled, xs, ys, lattice.box, words, page_text)


Filled = dict[Block, list[Word]]


def _crosses(lattice: Lattice, word: Word) -> bool:
    """Whether a word lies across a vertical line."""
    return any(
        word.left + 0.3 * word.size < ruling.at < word.right - 0.3 * word.size and ruling.begin < word.middle < ruling.end
        for ruling in lattice.down
    )


def _parted(lattice: Lattice, words: list[Word]) -> list[Block]:
    """The lattice's cells; those that span columns are parted where words stand apart on both sides of an edge."""
    result: list[Block] = []
    xs, ys = lattice.xs, lattice.ys
    for row, column, down, across in lattice.blocks():
        start = column
        if across > 1:
            inside = [
                word
                for word in words
                if ys[row] <= word.middle < ys[row + down] and xs[column] <= word.left < xs[column + across]
            ]
            for edge in range(column + 1, column + across):
                if _apart(inside, xs[start], xs[edge], xs[column + across]):
                    result.append((row, start, down, edge - start))
                    start = edge
        result.append((row, start, down, column + across - start))
    return sorted(result)


def _apart(words: list[Word], begin: float, edge: float, end: float) -> bool:
    """Whether some words stand left and some right of an edge, and a gap lies between them."""
    left = [word for word in words if begin <= word.left < edge]
    right = [word for word in words if edge <= word.left < end]
    if not left or not right:
        return False
    reached = max(word.right for word in left)
    return reached < edge and min(word.left for word in right) - reached >= LINE_GAP_SIZES * left[0].size


def _fill(xs: list[float], ys: list[float], blocks: list[Block], words: list[Word]) -> Filled:
    """Put each word into the cell that holds its middle."""
    owners = {
        (row + i, column + j): (row, column, down, across)
        for row, column, down, across in blocks
        for i in range(down)
        for j in range(across)
    }
    filled: Filled = {block: [] for block in blocks}
    for word in words:
        row = min(max(bisect_right(ys, word.middle) - 1, 0), len(ys) - 2)
        column = min(max(bisect_right(xs, (word.left + word.right) / 2) - 1, 0), len(xs) - 2)
        filled[owners[row, column]].append(word)
    return filled


def _with_open_rows(filled: Filled, ys: list[float]) -> tuple[Filled, list[float]]:
    """Part rows of the lattice that hold several rows of text: tables whose body has no lines between its rows."""
    if len(ys) - 1 > OPEN_BANDS_MAX:
        return filled, ys
    edges: list[float] = []
    for row in range(len(ys) - 1):
        edges += _row_edges([words for block, words in filled.items() if block[0] == row and block[2] == 1 and words])
    if not edges:
        return filled, ys
    fresh = sorted({*ys, *edges})
    result: Filled = {}
    for (row, column, down, across), words in filled.items():
        first, last = fresh.index(ys[row]), fresh.index(ys[row + down])
        if down > 1 or last - first == 1:
            result[first, column, last - first, across] = words
            continue
        for number in range(first, last):
            inside = [word for word in words if fresh[number] <= word.middle < fresh[number + 1]]
            result[number, column, 1, across] = inside
    return result, fresh


def _row_edges(cells: Sequence[list[Word]]) -> list[float]:
    """Heights between rows of text, where each cell of a row of the lattice has lines at the same heights as the others."""
    columns = [sorted({round(word.middle) for word in words}) for words in cells]
    most = max(map(len, columns), default=0)
    if len(columns) < 2 or most < OPEN_LINES_MIN:
        return []
    size = cells[0][0].size
    lines: list[float] = []
    for middle in sorted(word.middle for words in cells for word in words):
        if not lines or middle - lines[-1] > 0.5 * size:
            lines.append(middle)
    shared = [sum(1 for words in cells if any(abs(word.middle - line) < 0.5 * size for word in words)) for line in lines]
    full = sum(1 for count in shared if 2 * count > len(cells))
    first = [line for line in lines if any(abs(word.middle - line) < 0.5 * size for word in cells[0])]
    if len(lines) < OPEN_LINES_MIN or full < 0.8 * len(lines) or len(first) < 0.6 * len(lines):
        return []
    if len(lines) == 2 or _is_prose(cells):
        return []
    return [(one + other) / 2 for one, other in pairwise(lines)]


def _is_prose(cells: Sequence[list[Word]]) -> bool:
    """Whether cells hold running text: most of their lines reach nearly as far to the right as the longest."""
    full = lines = 0
    for words in cells:
        rights: dict[int, float] = {}
        for word in words:
            rights[word.line] = max(rights.get(word.line, 0.0), word.right)
        left, right = min(word.left for word in words), max(rights.values())
        lines += len(rights)
        full += sum(1 for each in rights.values() if each > left + 0.8 * (right - left))
    characters = sum(len(word.text) + 1 for words in cells for word in words)
    return full > 0.7 * lines and characters > 16 * lines


def _made(filled: Filled, xs: list[float], ys: list[float], box: Box, words: list[Word], page_text: str) -> Table | None:
    """The table; None where too little or too much text is in its cells. Rows and columns without any text are left out."""
    with_text = {block: inside for block, inside in filled.items() if inside}
    rows = sorted({row for row, _, _, _ in with_text})
    columns = sorted({column for _, column, _, _ in with_text})
    if len(with_text) < CELLS_MIN or len(rows) < 2 or len(columns) < 2 or len(with_text) < FILLED_MIN * len(filled):
        return None
    if sum(len(word.text) + 1 for word in words) > CELL_CHARACTERS_MAX * len(with_text):
        return None
    cells = []
    for (row, column, down, across), inside in sorted(with_text.items()):
        last_row = max(bisect_right(rows, row + down - 1), 1)
        last_column = max(bisect_right(columns, column + across - 1), 1)
        place = rows.index(row), columns.index(column)
        cells.append(Cell(*place, last_row - place[0], last_column - place[1], text_of(inside, page_text)))
    heads = header_rows(len(rows), len(columns), cells)
    return Table(box, len(rows), len(columns), cells, heads, words)
