"""What a word processing document is made of, and the places that hold it: the body, cells, text boxes, notes."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from ingest.v1 import document_pb2
from ingest_server.handlers.elements import NOTE, Cell


class TextBlock(NamedTuple):
    """A paragraph. `level` is that of a heading, from 1, else 0."""

    text: str
    role: document_pb2.TextRole
    level: int
    page: int


class TableBlock(NamedTuple):
    """A table."""

    rows: int
    columns: int
    cells: list[Cell]
    page: int

    def text(self) -> str:
        """All of it as text, a line each row: for a table inside a cell of another one."""
        lines: dict[int, list[str]] = {}
        for row, _, _, _, text, _ in self.cells:
            if text:
                lines.setdefault(row, []).append(text)
        return "\n".join(" ".join(texts) for texts in lines.values())


class PictureBlock(NamedTuple):
    """A picture of which the alternative text is known."""

    alt_text: str
    page: int


Block: TypeAlias = TextBlock | TableBlock | PictureBlock


@dataclass(slots=True)
class Paragraph:
    """A paragraph under way.

    Attributes:
        text: what was read of it.
        style: id; "" for the default one.
        level: outline level of its own, from 0; None if it has none.
        numbered: whether it is set to be, or not to be, an item of a list; None leaves that to the style.
        mark_deleted: its end is marked as deleted, so that it and the next paragraph are one.
        page: where its text begins; 0 while it has none.
        after: blocks anchored in it, which follow it.
        notes: texts of the notes it refers to, which follow those.
    """

    text: io.StringIO = field(default_factory=io.StringIO)
    style: str = ""
    level: int | None = None
    numbered: bool | None = None
    mark_deleted: bool = False
    page: int = 0
    after: list[Block] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Place:
    """Where blocks go.

    Args:
        add: takes a block.
        note: takes the text of a note; None where notes follow as blocks.

    Attributes:
        joined: a paragraph whose end was deleted, waiting for the one that goes on.
    """

    def __init__(self, add: Callable[[Block], None], note: Callable[[str], None] | None = None) -> None:
        self.add = add
        self.joined: Paragraph | None = None
        self._note = note

    def notes(self, texts: list[str], page: int) -> None:
        """Add notes behind what refers to them."""
        for text in texts:
            if self._note is not None:
                self._note(text)
            else:
                self.add(TextBlock(text, NOTE, 0, page))


class CellPlace(Place):
    """A cell under way: all that it holds becomes lines of text, and its notes follow the table.

    Attributes:
        lines: so far.
        span: columns it spans.
        merge: "restart", "continue" or "".
        page: of its first text; 0 while there is none.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__(self._line, note)
        self.lines: list[str] = []
        self.span = 1
        self.merge = ""
        self.page = 0

    def _line(self, block: Block) -> None:
        text = block.text() if isinstance(block, TableBlock) else block.text if isinstance(block, TextBlock) else block.alt_text
        if text:
            self.lines.append(text)
            self.page = self.page or block.page
