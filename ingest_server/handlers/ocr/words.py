"""From tesseract's words to paragraphs: its TSV output, whose columns tesseract(1) and its documentation tell.

    level page_num block_num par_num line_num word_num left top width height conf text

Words (level 5) come in reading order; confidence is 0 to 100. Text may hold anything but tab and line end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from ingest_server.handlers.pdf.hyphens import joined

WORDS_MAX = 100_000
"""Of one page that are kept. A newspaper page has 10,000."""
_COLUMNS = 12
_WORD_LEVEL = "5"
_HYPHENS = ("-", "\u2010")

PixelBox: TypeAlias = tuple[float, float, float, float]
"""(left, top, right, bottom) in pixels, origin at the top left of the picture."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """A paragraph.

    Attributes:
        text: its lines, joined.
        box: around its words; in pixels, unless its maker says otherwise.
        confidence: mean of its words, 0 to 1.
    """

    text: str
    box: PixelBox
    confidence: float

    def scaled(self, factor: float) -> Recognised:
        """The same, its box with other units: multiplied by a factor."""
        left, top, right, bottom = self.box
        return Recognised(self.text, (left * factor, top * factor, right * factor, bottom * factor), self.confidence)


@dataclass(slots=True)
class _Paragraph:
    """One under way: its lines, and what is known of its words."""

    lines: dict[str, list[str]] = field(default_factory=dict)
    boxes: list[PixelBox] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)


def is_page(tsv: str) -> bool:
    """Whether a page was read at all, if only an empty one: then it has a row of its own."""
    return any(row.startswith("1\t") for row in tsv.split("\n", 2)[:2])


def paragraphs_of(tsv: str) -> list[Recognised]:
    """The paragraphs of one page, in reading order. Empty words are left out."""
    found: dict[tuple[str, str], _Paragraph] = {}
    count = 0
    for row in tsv.split("\n"):
        columns = row.split("\t", _COLUMNS - 1)
        if len(columns) < _COLUMNS or columns[0] != _WORD_LEVEL or not (text := columns[11].strip()):
            continue
        try:
            left, top, width, height = map(int, columns[6:10])
            confidence = float(columns[10])
        except ValueError:
            continue
        paragraph = found.setdefault((columns[2], columns[3]), _Paragraph())
        paragraph.lines.setdefault(columns[4], []).append(text)
        paragraph.boxes.append((left, top, left + width, top + height))
        paragraph.confidences.append(min(max(confidence, 0.0), 100.0) / 100)
        count += 1
        if count == WORDS_MAX:
            break
    page = " ".join(" ".join(words) for paragraph in found.values() for words in paragraph.lines.values())
    return [_finished(paragraph, page) for paragraph in found.values()]


def _finished(paragraph: _Paragraph, page: str) -> Recognised:
    text = ""
    for words in paragraph.lines.values():
        line = " ".join(words)
        if not text:
            text = line
        elif text.endswith(_HYPHENS) and len(text) > 1 and text[-2].isalpha():
            text = joined(text, line, page)
        else:
            text = f"{text} {line}"
    lefts, tops, rights, bottoms = zip(*paragraph.boxes, strict=True)
    confidence = sum(paragraph.confidences) / len(paragraph.confidences)
    return Recognised(text, (min(lefts), min(tops), max(rights), max(bottoms)), round(confidence, 4))
