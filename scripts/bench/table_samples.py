"""Makes PDFs with tables whose cells are known; the same for the same seed.

Fonts, sizes, alignments, paddings, rules, backgrounds, text around the table and the turn of the page vary from table to table.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, LETTER
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, Table

Place = tuple[int, int, int, int, str]
"""(row, column, row span, column span, text) of a cell with text."""

FAMILIES = (("Helvetica", "Helvetica-Bold"), ("Times-Roman", "Times-Bold"), ("Courier", "Courier-Bold"))
MARGIN = 54.0
"""Of a page, in points."""
_SYLLABLES = (
    *("ba", "ce", "di", "fo", "gu", "ha", "ki", "lo", "mu", "na", "pe", "ri", "so", "ta", "ve", "wi", "xo", "ya", "zu"),
    *("bra", "cle", "dro", "fra", "gli", "kno", "pla", "qua", "sco", "tri", "stu"),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One page.

    Attributes:
        kind: of the sample, such as "ruled".
        pdf: the file.
        cells: of its table; None if it has none.
    """

    kind: str
    pdf: bytes
    cells: tuple[Place, ...] | None


@dataclass(frozen=True, slots=True)
class Look:
    """How a table is set."""

    font: str
    bold: str
    size: float
    padding: float
    side_padding: float
    alignments: tuple[str, ...]


def word(chance: random.Random) -> str:
    """A word that no language has."""
    return "".join(chance.choices(_SYLLABLES, k=chance.choice((1, 2, 2, 2, 3, 3, 4))))


def words(chance: random.Random, least: int, most: int) -> str:
    """Some words, the first with a capital."""
    return " ".join(word(chance) for _ in range(chance.randint(least, most))).capitalize()


def sentence(chance: random.Random) -> str:
    """A sentence."""
    return words(chance, 5, 18) + chance.choice(("", "", f" ({chance.randint(1, 2030)})")) + "."


def prose(chance: random.Random, sentences: int) -> str:
    """Sentences."""
    return " ".join(sentence(chance) for _ in range(sentences))


def _value(chance: random.Random, kind: str) -> str:
    if kind == "words":
        return words(chance, 1, 3)
    if kind == "word":
        return word(chance).capitalize()
    if kind == "whole":
        return str(chance.randint(0, 10 ** chance.randint(1, 6)))
    if kind == "decimal":
        return f"{chance.uniform(-100, 1000):,.{chance.choice((1, 2))}f}"
    if kind == "percent":
        return f"{chance.uniform(0, 100):.1f} %"
    if kind == "date":
        return f"20{chance.randint(10, 29)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
    return chance.choice(("yes", "no", "n/a", "–", "ok"))


_KINDS = ("words", "word", "whole", "decimal", "percent", "date", "answer")


def _body(chance: random.Random, rows: int, columns: int, empty: float = 0.05) -> list[list[str]]:
    """A header and rows, column by column of one kind; some cells are empty, none of the first row and column."""
    kinds = [chance.choice(("words", "word")), *(chance.choice(_KINDS) for _ in range(columns - 1))]
    header = [words(chance, 1, 2) for _ in range(columns)]
    lines = [
        ["" if column and chance.random() < empty else _value(chance, kind) for column, kind in enumerate(kinds)]
        for _ in range(rows - 1)
    ]
    return [header, *lines]


def _look(chance: random.Random, columns: int, *, side_least: float = 2.0) -> Look:
    font, bold = chance.choice(FAMILIES)
    size = chance.choice((7.0, 8.0, 9.0, 10.0, 11.0, 12.0))
    alignments = tuple(chance.choice(("LEFT", "LEFT", "RIGHT", "CENTER")) for _ in range(columns))
    return Look(font, bold, size, chance.choice((1.0, 2.0, 3.0, 5.0, 8.0)), chance.uniform(side_least, 10.0), alignments)


def _commands(chance: random.Random, look: Look, columns: int) -> list[tuple[Any, ...]]:
    whole = ((0, 0), (-1, -1))
    return [
        ("FONT", *whole, look.font, look.size, look.size * 1.2),
        ("FONTNAME", (0, 0), (-1, 0), look.bold if chance.random() < 0.6 else look.font),
        ("TOPPADDING", *whole, look.padding),
        ("BOTTOMPADDING", *whole, look.padding),
        ("LEFTPADDING", *whole, look.side_padding),
        ("RIGHTPADDING", *whole, look.side_padding),
        *(("ALIGN", (column, 0), (column, -1), look.alignments[column]) for column in range(columns)),
    ]


def _grid(chance: random.Random) -> list[tuple[Any, ...]]:
    """Lines or backgrounds around every cell, in one of several ways."""
    whole = ((0, 0), (-1, -1))
    width = chance.choice((0.25, 0.5, 1.0, 1.5))
    colour = chance.choice((colors.black, colors.grey, colors.Color(0.1, 0.2, 0.5)))
    way = chance.choice(("grid", "grid", "inner", "rows-background", "cells-background"))
    if way == "grid":
        return [("GRID", *whole, width, colour)]
    if way == "inner":
        return [("INNERGRID", *whole, width, colour), ("LINEBELOW", (0, 0), (-1, 0), 2 * width, colour)]
    if way == "rows-background":
        return [("GRID", *whole, width, colour), ("ROWBACKGROUNDS", *whole, (colors.whitesmoke, colors.lightgrey))]
    return [("BACKGROUND", *whole, colors.lightgrey), ("INNERGRID", *whole, width, colors.black)]


def _rules(chance: random.Random) -> list[tuple[Any, ...]]:
    """No lines, or a few that do not part cells."""
    way = chance.choice(("none", "none", "none", "three", "head", "rows"))
    width = chance.choice((0.4, 0.8))
    below = ("LINEBELOW", (0, 0), (-1, 0), width, colors.black)
    if way == "three":
        return [("LINEABOVE", (0, 0), (-1, 0), width, colors.black), below, ("LINEBELOW", (0, -1), (-1, -1), width, colors.black)]
    if way == "rows":
        return [("LINEBELOW", (0, 0), (-1, -1), width, colors.grey)]
    return [below] if way == "head" else []


def _cells(lines: Sequence[Sequence[str]], spans: dict[tuple[int, int], tuple[int, int]]) -> tuple[Place, ...]:
    return tuple(
        (row, column, *spans.get((row, column), (1, 1)), " ".join(text.split()))
        for row, line in enumerate(lines)
        for column, text in enumerate(line)
        if text.strip()
    )


def _page(chance: random.Random, kind: str, table: Table, cells: tuple[Place, ...]) -> Sample:
    """A page with the table between paragraphs; one of twelve pages is shown turned."""
    width, height = table.wrap(100_000, 100_000)
    page_width = max(chance.choice((A4, LETTER))[0], width + 2 * MARGIN)
    above, below = chance.randint(0, 5), chance.randint(0, 5)
    style = ParagraphStyle("body", fontName=chance.choice(FAMILIES[:2])[0], fontSize=10, leading=12)
    paragraphs = [Paragraph(prose(chance, count), style) for count in (above, below) if count]
    heights = [paragraph.wrap(page_width - 2 * MARGIN, 10_000)[1] for paragraph in paragraphs]
    page_height = max(chance.choice((A4, LETTER))[1], height + sum(heights) + 2 * MARGIN + 60)
    output = io.BytesIO()
    canvas = Canvas(output, (page_width, page_height), invariant=1)
    if chance.random() < 1 / 12:
        # The viewer turns the page, and what is drawn is turned the other way, so that it is upright as shown.
        turn = chance.choice((90, 180, 270))
        canvas.setPageRotation(turn)
        canvas.translate(*{90: (page_height, 0), 180: (page_width, page_height), 270: (0, page_width)}[turn])
        canvas.rotate(turn)
    y = page_height - MARGIN
    if above:
        y -= heights[0]
        paragraphs[0].drawOn(canvas, MARGIN, y)
        y -= chance.uniform(10, 24)
    table.drawOn(canvas, chance.uniform(MARGIN, page_width - MARGIN - width), y - height)
    y -= height + chance.uniform(10, 24)
    if below:
        paragraphs[-1].drawOn(canvas, MARGIN, y - heights[-1])
    canvas.showPage()
    canvas.save()
    return Sample(kind, output.getvalue(), cells)


def _ruled(chance: random.Random) -> Sample:
    rows, columns = chance.randint(2, 14), chance.randint(2, 7)
    lines = _body(chance, rows, columns)
    look = _look(chance, columns)
    return _page(chance, "ruled", Table(lines, style=_commands(chance, look, columns) + _grid(chance)), _cells(lines, {}))


def _unruled(chance: random.Random) -> Sample:
    rows, columns = chance.randint(4, 16), chance.randint(2, 7)
    lines = _body(chance, rows, columns)
    look = _look(chance, columns, side_least=6.0)
    return _page(chance, "unruled", Table(lines, style=_commands(chance, look, columns) + _rules(chance)), _cells(lines, {}))


def _merged(chance: random.Random) -> Sample:
    """Cells over several columns in the header, over several rows in the first column, or both."""
    rows, columns = chance.randint(4, 10), chance.randint(3, 6)
    lines = _body(chance, rows, columns, empty=0.0)
    spans: dict[tuple[int, int], tuple[int, int]] = {}
    if chance.random() < 0.8:
        first = chance.randint(1, columns - 2)
        spans[0, first] = (1, chance.randint(2, columns - first))
    if chance.random() < 0.6 or not spans:
        first = chance.randint(1, rows - 2)
        spans[first, 0] = (chance.randint(2, rows - first), 1)
    for (row, column), (down, across) in spans.items():
        for y in range(row, row + down):
            for x in range(column, column + across):
                if (y, x) != (row, column):
                    lines[y][x] = ""
    commands: list[tuple[Any, ...]] = [
        ("SPAN", (x, y), (x + across - 1, y + down - 1)) for (y, x), (down, across) in spans.items()
    ]
    look = _look(chance, columns)
    commands += _commands(chance, look, columns) + _grid(chance)
    commands.append(("VALIGN", (0, 0), (-1, -1), chance.choice(("TOP", "MIDDLE", "BOTTOM"))))
    return _page(chance, "merged", Table(lines, style=commands), _cells(lines, spans))


def _long(chance: random.Random, line: list[str]) -> list[str]:
    """A row of which some cells have several lines."""
    return [
        "\n".join(words(chance, 1, 3) if number == 0 else words(chance, 2, 3).lower() for number in range(chance.randint(2, 3)))
        if text and chance.random() < 0.3
        else text
        for text in line
    ]


def _multi_line(chance: random.Random) -> Sample:
    rows, columns = chance.randint(3, 9), chance.randint(2, 5)
    lines = _body(chance, rows, columns)
    lines = [lines[0], *(_long(chance, line) for line in lines[1:])]
    look = _look(chance, columns)
    commands = _commands(chance, look, columns) + _grid(chance)
    commands.append(("VALIGN", (0, 0), (-1, -1), chance.choice(("TOP", "MIDDLE", "BOTTOM"))))
    return _page(chance, "multi-line", Table(lines, style=commands), _cells(lines, {}))


def _wrapped(chance: random.Random) -> Sample:
    """Without lines around cells: rows show by their distance, or by a line after each."""
    rows, columns = chance.randint(4, 9), chance.randint(3, 5)
    lines = _body(chance, rows, columns, empty=0.0)
    lines = [lines[0], *(_long(chance, line) for line in lines[1:])]
    look = _look(chance, columns, side_least=6.0)
    look = Look(look.font, look.bold, look.size, max(look.padding, 3.0), look.side_padding, look.alignments)
    commands = _commands(chance, look, columns)
    commands.append(("VALIGN", (0, 0), (-1, -1), chance.choice(("TOP", "MIDDLE"))))
    if chance.random() < 0.3:
        commands.append(("LINEBELOW", (0, 0), (-1, -1), 0.4, colors.black))
    return _page(chance, "multi-line unruled", Table(lines, style=commands), _cells(lines, {}))


TABLE_KINDS: dict[str, Callable[[random.Random], Sample]] = {
    "ruled": _ruled,
    "unruled": _unruled,
    "merged": _merged,
    "multi-line": _multi_line,
    "multi-line unruled": _wrapped,
}
