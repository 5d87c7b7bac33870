"""Turns the events of a slide, or of its notes, into blocks: the title first, then the shapes in the order of the file.

ISO/IEC 29500-1, 19.3. The order of the file is the one in which presentation programs read a slide aloud and which their authors
set for that purpose; places on the slide are no better guide, as columns and overlapping shapes show. Footers, dates and slide
numbers, hidden shapes, and the older of two alternative contents are left out.
"""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass, field

from ingest_server.handlers.elements import HEADING, LIST_ITEM, NOTE, PARAGRAPH, Cell
from ingest_server.handlers.office.alternatives import Alternatives
from ingest_server.handlers.office.names import expanded, number
from ingest_server.handlers.office.word_blocks import Block, PictureBlock, TableBlock, TextBlock
from ingest_server.handlers.office.xml_events import Attributes, End, PartFault, Start

CHARACTERS_MAX = 32 * 1024 * 1024
"""Characters of text of a presentation: ten thousand times a wordy slide."""
BLOCKS_MAX = 300_000
"""Shapes, paragraphs and cells of a presentation, as in word processing documents."""
SPAN_MAX = 1_000
"""Columns or rows that a cell may span."""
LANGUAGES_MAX = 100
"""Languages told apart."""

_TITLES = frozenset(("title", "ctrTitle"))
_FURNITURE = frozenset(("dt", "ftr", "hdr", "sldNum", "sldImg"))
"""Placeholders that repeat on every slide, and the picture of the slide on its notes."""
_LISTS = frozenset(("body", "obj"))
"""Placeholders whose paragraphs have bullets unless they say otherwise: so the masters of all programs have it."""


@dataclass(slots=True)
class Budget:
    """What a presentation has used of its limits, and which languages it is written in, by characters."""

    characters: int = 0
    blocks: int = 0
    languages: Counter[str] = field(default_factory=Counter)

    def text(self, data: str) -> None:
        """Count text. Raises PartFault beyond the limit."""
        self.characters += len(data)
        if self.characters > CHARACTERS_MAX:
            raise PartFault(f"brings the presentation above {CHARACTERS_MAX} characters of text")

    def block(self) -> None:
        """Count a shape, paragraph or cell. Raises PartFault beyond the limit."""
        self.blocks += 1
        if self.blocks > BLOCKS_MAX:
            raise PartFault(f"brings the presentation above {BLOCKS_MAX} shapes, paragraphs and cells")


@dataclass(slots=True)
class _Shape:
    """A shape under way. `placeholder` is the type of the one it fills, "" for none; `bullets` what its own list style says."""

    placeholder: str = ""
    hidden: bool = False
    alt_text: str = ""
    bullets: bool | None = None
    paragraphs: list[tuple[str, bool | None]] = field(default_factory=list)


@dataclass(slots=True)
class _Table:
    """A table under way."""

    headed: bool = False
    row: int = -1
    column: int = 0
    columns: int = 0
    cells: list[Cell] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    place: tuple[int, int] | None = None


class Slide:
    """Reads one slide, or the notes of one. Give `starts`, `ends` and `text` to the parser, then ask for `blocks` or `notes`.

    Args:
        page: number of the slide, from 1.
        budget: shared by all slides of the presentation.
    """

    def __init__(self, page: int, budget: Budget) -> None:
        self._page, self._budget = page, budget
        self._titles: list[Block] = []
        self._others: list[Block] = []
        self._notes: list[str] = []
        self._shape: _Shape | None = None
        self._table: _Table | None = None
        self._paragraph: io.StringIO | None = None
        self._bullets: bool | None = None
        self._in_text = False
        self._language = ""
        self._alternatives = Alternatives()
        self.starts: dict[str, Start] = expanded(self._starts())
        self.ends: dict[str, End] = expanded(self._ends())

    def blocks(self) -> list[Block]:
        """What the slide shows."""
        return self._titles + self._others

    def notes(self) -> list[Block]:
        """What the speaker's notes say, as one block; none if they say nothing."""
        text = "\n".join(self._notes)
        return [TextBlock(text, NOTE, 0, self._page)] if text else []

    def _starts(self) -> dict[str, Start]:
        actions: dict[str, Start] = dict.fromkeys(("p:sp", "p:pic", "p:graphicFrame", "p:cxnSp"), self._begin_shape)
        actions |= {
            "p:cNvPr": self._about_shape, "p:ph": self._placeholder, "a:p": self._begin_paragraph, "a:rPr": self._run,
            "a:t": self._begin_text, "m:t": self._begin_text, "a:br": self._break, "a:buNone": lambda _: self._bullet(False),
            "a:buChar": lambda _: self._bullet(True), "a:buAutoNum": lambda _: self._bullet(True),
            "a:buBlip": lambda _: self._bullet(True), "a:tbl": self._begin_table, "a:tblPr": self._table_look,
            "a:tr": self._begin_row, "a:tc": self._begin_cell, "mc:AlternateContent": self._alternatives.begin,
            "mc:Choice": self._alternatives.left_out, "mc:Fallback": self._alternatives.left_out,
        }  # fmt: skip
        return actions

    def _ends(self) -> dict[str, End]:
        actions: dict[str, End] = dict.fromkeys(("p:sp", "p:pic", "p:graphicFrame", "p:cxnSp"), self._end_shape)
        actions |= {
            "a:p": self._end_paragraph, "a:t": self._end_text, "m:t": self._end_text, "a:tbl": self._end_table,
            "a:tc": self._end_cell, "mc:AlternateContent": self._alternatives.end,
        }  # fmt: skip
        return actions

    # Text.

    def text(self, data: str) -> None:
        """Character data, wherever it stands."""
        if self._in_text and self._paragraph is not None:
            self._budget.text(data)
            self._paragraph.write(data)
            languages = self._budget.languages
            if self._language and (self._language in languages or len(languages) < LANGUAGES_MAX):
                languages[self._language] += len(data)

    def _begin_text(self, _: Attributes) -> None:
        self._in_text = True

    def _end_text(self) -> None:
        self._in_text = False

    def _run(self, attributes: Attributes) -> None:
        self._language = attributes.get("lang", "")[:64]

    def _break(self, _: Attributes) -> None:
        if self._paragraph is not None:
            self._budget.text("\n")
            self._paragraph.write("\n")

    def _begin_paragraph(self, _: Attributes) -> None:
        self._budget.block()
        self._paragraph = io.StringIO()
        self._bullets = None
        self._language = ""

    def _bullet(self, shown: bool) -> None:
        """A bullet, or none: of the paragraph under way, or, before the first one, of the list style of the shape."""
        if self._paragraph is not None:
            self._bullets = shown
        elif self._shape is not None and self._shape.bullets is None:
            self._shape.bullets = shown

    def _end_paragraph(self) -> None:
        if self._paragraph is None:
            return
        lines = (" ".join(line.split()) for line in self._paragraph.getvalue().split("\n"))
        text = "\n".join(filter(None, lines))
        self._paragraph = None
        if text and self._table is not None:
            self._table.lines.append(text)
        elif text and self._shape is not None:
            self._shape.paragraphs.append((text, self._bullets))

    # Shapes.

    def _begin_shape(self, _: Attributes) -> None:
        self._budget.block()
        self._shape = _Shape()

    def _about_shape(self, attributes: Attributes) -> None:
        if self._shape is not None:
            self._shape.hidden = attributes.get("hidden", "") in ("1", "true")
            self._shape.alt_text = " ".join(attributes.get("descr", "").split())

    def _placeholder(self, attributes: Attributes) -> None:
        if self._shape is not None:
            self._shape.placeholder = attributes.get("type", "obj")

    def _end_shape(self) -> None:
        shape, self._shape = self._shape, None
        if shape is None or shape.hidden or shape.placeholder in _FURNITURE:
            return
        if shape.placeholder in _TITLES:
            text = " ".join(" ".join(text.split()) for text, _ in shape.paragraphs)
            if text:
                self._titles.append(TextBlock(text, HEADING, 1, self._page))
            return
        if shape.placeholder == "body":
            self._notes += [text for text, _ in shape.paragraphs]
        listed = shape.placeholder in _LISTS if shape.bullets is None else shape.bullets
        for text, bullets in shape.paragraphs:
            role = LIST_ITEM if (listed if bullets is None else bullets) else PARAGRAPH
            self._others.append(TextBlock(text, role, 0, self._page))
        if shape.alt_text and not shape.paragraphs:
            self._others.append(PictureBlock(shape.alt_text, self._page))

    # Tables.

    def _begin_table(self, _: Attributes) -> None:
        self._table = _Table()

    def _table_look(self, attributes: Attributes) -> None:
        if self._table is not None:
            self._table.headed = attributes.get("firstRow", "") in ("1", "true")

    def _begin_row(self, _: Attributes) -> None:
        if self._table is not None:
            self._table.row += 1
            self._table.column = 0

    def _begin_cell(self, attributes: Attributes) -> None:
        self._budget.block()
        table = self._table
        if table is None:
            return
        table.lines = []
        table.place = None
        if "1" not in (merged := (attributes.get("hMerge"), attributes.get("vMerge"))) and "true" not in merged:
            spans = (number(attributes.get(name, ""), 1, at_least=1, at_most=SPAN_MAX) for name in ("rowSpan", "gridSpan"))
            down, across = spans
            table.place = (down, across)

    def _end_cell(self) -> None:
        table = self._table
        if table is None:
            return
        if table.place is not None:
            down, across = table.place
            row = max(table.row, 0)
            table.cells.append((row, table.column, down, across, "\n".join(table.lines), table.headed and row == 0))
        table.column += 1
        table.columns = max(table.columns, table.column)

    def _end_table(self) -> None:
        table, self._table = self._table, None
        if table is None or (self._shape is not None and self._shape.hidden):
            return
        rows, columns = table.row + 1, table.columns
        # A span ends where the table does.
        cells = [
            (row, column, max(1, min(down, rows - row)), max(1, min(across, columns - column)), text, header)
            for row, column, down, across, text, header in table.cells
        ]
        if any(cell[4] for cell in cells):
            self._others.append(TableBlock(rows, columns, cells, self._page))
