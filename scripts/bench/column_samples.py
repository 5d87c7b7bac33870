"""Makes PDFs of what stands in columns but is no table: text, lists, contents, code, indexes; the same for the same seed."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

from reportlab.lib import colors
from reportlab.lib.enums import TA_JUSTIFY, TA_LEFT
from reportlab.lib.pagesizes import A4, LETTER
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.utils import simpleSplit
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph

from scripts.bench.table_samples import FAMILIES, MARGIN, Sample, prose, sentence, word, words

Draw = Callable[[random.Random, Canvas, float, float], None]
"""Draws a page that is so wide and high."""


def _other(kind: str, draw: Draw) -> Callable[[random.Random], Sample]:
    def make(chance: random.Random) -> Sample:
        output = io.BytesIO()
        width, height = chance.choice((A4, LETTER))
        canvas = Canvas(output, (width, height), invariant=1)
        draw(chance, canvas, width, height)
        canvas.showPage()
        canvas.save()
        return Sample(kind, output.getvalue(), None)

    return make


def _columns_of_prose(chance: random.Random, canvas: Canvas, width: float, height: float) -> None:
    """Two or three columns, drawn one after the other or line by line, justified or ragged."""
    count, gutter = chance.choice((2, 2, 3)), chance.uniform(12, 30)
    size = chance.choice((8, 9, 10))
    column = (width - 2 * MARGIN - (count - 1) * gutter) / count
    style = ParagraphStyle(
        "column",
        fontName=chance.choice(FAMILIES[:2])[0],
        fontSize=size,
        leading=1.2 * size,
        alignment=chance.choice((TA_LEFT, TA_JUSTIFY)),
    )
    if chance.random() < 0.5:
        for number in range(count):
            paragraph = Paragraph(prose(chance, 30), style)
            parts = paragraph.split(column, height - 2 * MARGIN)
            parts[0].wrap(column, height)
            parts[0].drawOn(canvas, MARGIN + number * (column + gutter), height - MARGIN - parts[0].height)
        return
    texts = [_wrapped_lines(prose(chance, 40), style.fontName, size, column) for _ in range(count)]
    canvas.setFont(style.fontName, size)
    for line in range(min(map(len, texts))):
        y = height - MARGIN - (line + 1) * 1.2 * size
        if y < MARGIN:
            break
        for number, text in enumerate(texts):
            canvas.drawString(MARGIN + number * (column + gutter), y, text[line])


def _wrapped_lines(text: str, font: str, size: float, width: float) -> list[str]:
    return list(simpleSplit(text, font, size, width))


def _list(chance: random.Random, canvas: Canvas, width: float, height: float) -> None:
    """Bullets, numbers or terms before text."""
    way = chance.choice(("bullet", "number", "letter", "term"))
    size, indent = chance.choice((9, 10, 11)), chance.uniform(14, 30) if way != "term" else 110
    font = chance.choice(FAMILIES[:2])[0]
    y = height - MARGIN
    for number in range(chance.randint(5, 14)):
        mark = {"bullet": "•", "number": f"{number + 1}.", "letter": f"({chr(97 + number)})", "term": word(chance)}[way]
        y -= 1.3 * size
        canvas.setFont(font, size)
        canvas.drawString(MARGIN, y, mark)
        text = prose(chance, chance.randint(1 if way != "term" else 2, 3))
        lines = _wrapped_lines(text, font, size, width - 2 * MARGIN - indent)
        for line in lines:
            canvas.drawString(MARGIN + indent, y, line)
            y -= 1.2 * size
        if y < 2 * MARGIN:
            break


def _contents(chance: random.Random, canvas: Canvas, width: float, height: float) -> None:
    """Titles and page numbers, with or without leaders and numbers of sections."""
    leaders, numbered, size = chance.random() < 0.5, chance.random() < 0.6, chance.choice((10, 11))
    font, bold = chance.choice(FAMILIES[:2])
    page, y = 1, height - MARGIN
    chapter = section = 0
    for number in range(chance.randint(12, 35)):
        new = number == 0 or chance.random() < 0.2
        chapter, section = (chapter + 1, 0) if new else (chapter, section + 1)
        title = words(chance, 1, 6)
        y -= 1.5 * size
        canvas.setFont(bold if new else font, size)
        x = MARGIN + (0 if new else 16)
        if numbered:
            canvas.drawString(x, y, f"{chapter}" if new else f"{chapter}.{section}")
            x += 28
        if leaders and not new:
            dots = int((width - MARGIN - 30 - x - canvas.stringWidth(title)) / canvas.stringWidth(" ."))
            title += " ." * max(dots, 0)
        canvas.drawString(x, y, title)
        page += chance.randint(0, 7)
        canvas.drawRightString(width - MARGIN, y, str(page))


def _code(chance: random.Random, canvas: Canvas, width: float, height: float) -> None:
    """Program text with comments aligned behind it, in a frame or not."""
    size, y = chance.choice((8, 9, 10)), height - MARGIN
    count = chance.randint(12, 40)
    if chance.random() < 0.5:
        canvas.setFillColor(colors.whitesmoke)
        canvas.rect(MARGIN - 6, y - 1.2 * size * (count + 1), width - 2 * MARGIN + 12, 1.2 * size * (count + 2), fill=1)
        canvas.setFillColor(colors.black)
    canvas.setFont("Courier", size)
    mark, column = chance.choice(("//", "#", ";")), chance.randint(26, 40)
    for _ in range(count):
        code = "    " * chance.randint(0, 2) + chance.choice(
            (f"{word(chance)} = {word(chance)}({chance.randint(0, 99)});", f"if {word(chance)}:", f"return {word(chance)}", "}")
        )
        if chance.random() < 0.5:
            code = f"{code:{column}}{mark} {words(chance, 1, 4).lower()}"
        y -= 1.2 * size
        canvas.drawString(MARGIN, y, code)


def _index(chance: random.Random, canvas: Canvas, width: float, height: float) -> None:
    """Terms in alphabetical order with page numbers, in two or three columns."""
    count, size = chance.choice((2, 3)), chance.choice((8, 9))
    entries = sorted({words(chance, 1, 2).lower() for _ in range(count * 45)})
    per_column = len(entries) // count
    canvas.setFont(chance.choice(FAMILIES[:2])[0], size)
    for number, term in enumerate(entries[: per_column * count]):
        column, line = divmod(number, per_column)
        pages = ", ".join(map(str, sorted(chance.sample(range(1, 400), chance.randint(1, 3)))))
        x = MARGIN + column * (width - 2 * MARGIN) / count
        canvas.drawString(x, height - MARGIN - line * 1.25 * size, f"{term}, {pages}")


def _bibliography(chance: random.Random, canvas: Canvas, width: float, height: float) -> None:
    """Entries with numbers in brackets, or with hanging indents."""
    size, y = chance.choice((9, 10)), height - MARGIN
    font, numbered = chance.choice(FAMILIES[:2])[0], chance.random() < 0.6
    canvas.setFont(font, size)
    for number in range(1, chance.randint(8, 20)):
        entry = f"{words(chance, 2, 3)} ({chance.randint(1950, 2024)}). {sentence(chance)}"
        lines = _wrapped_lines(entry, font, size, width - 2 * MARGIN - 28)
        if numbered:
            canvas.drawString(MARGIN, y, f"[{number}]")
        for place, line in enumerate(lines):
            canvas.drawString(MARGIN + (28 if numbered or place else 0), y, line)
            y -= 1.2 * size
        y -= 4
        if y < 2 * MARGIN:
            break


OTHER_KINDS: dict[str, Callable[[random.Random], Sample]] = {
    "columns of prose": _other("columns of prose", _columns_of_prose),
    "list": _other("list", _list),
    "contents": _other("contents", _contents),
    "code": _other("code", _code),
    "index": _other("index", _index),
    "bibliography": _other("bibliography", _bibliography),
}
