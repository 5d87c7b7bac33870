"""Turns the events of a story (body or notes of a word processing document) into blocks, as it looks with all changes accepted.

ISO/IEC 29500-1, 17. Blocks come in the order of the text: a table in its place, a text box and a picture behind the paragraph
that anchors them, a note behind what refers to it. Deleted and moved-away text, hidden text, field instructions, comments and the
older of two alternative contents are left out. Page numbers count the breaks that the last program to lay it out has noted.
"""

from __future__ import annotations

from collections.abc import Callable

from ingest_server.handlers.elements import CODE, HEADING, LIST_ITEM, PARAGRAPH, QUOTE
from ingest_server.handlers.office.alternatives import Alternatives
from ingest_server.handlers.office.names import VALUE, attribute, expanded, is_on, names, number
from ingest_server.handlers.office.word_blocks import Block, CellPlace, Paragraph, PictureBlock, Place, TableBlock, TextBlock
from ingest_server.handlers.office.word_pages import PageCount
from ingest_server.handlers.office.word_styles import BODY_LEVEL, Styles
from ingest_server.handlers.office.word_table import SPAN_MAX, WordTable
from ingest_server.handlers.office.xml_events import Attributes, End, PartFault, Start

CHARACTERS_MAX = 32 * 1024 * 1024
"""Characters of text of a story: 10,000 full pages; at four bytes each 128 MB."""
BLOCKS_MAX = 300_000
"""Paragraphs, cells and pictures of a story. A page has about 20; each costs some 300 bytes until the document is handed over."""
FIELDS_MAX = 1_000
"""Fields inside fields; beyond this the document is made to harm. Real ones have three or four."""

Notes = dict[tuple[str, str], str]
"""(kind: "footnote" or "endnote", id) → text."""

_LEFT_OUT = (
    "w:pPrChange", "w:rPrChange", "w:tblPrChange", "w:trPrChange", "w:tcPrChange", "w:sectPrChange", "w:tblGridChange",
    "w:sectPr", "w:sdtPr", "w:rt", "w:tblGrid", "w:tblPrEx",
)  # fmt: skip
_ID, _TYPE, _STYLE_FIRST_ROW = names("w:id"), names("w:type"), names("w:firstRow")
_FIELD_MARK, _CHARACTER = names("w:fldCharType"), names("w:char")
_FIRST_ROW_BIT = 0x20
"""Of the older form of a table's look (ISO/IEC 29500-4, 14.3.7)."""


class Story:
    """Reads one story. Give `starts`, `ends` and `text` to the parser.

    Args:
        styles: of the document.
        notes: that may be referred to; each is taken out when it is, so that a note is told once.
        emit: takes the blocks of the body, in order.
        emit_note: takes kind, id and text of each note, where the story is one of notes.
    """

    def __init__(
        self,
        styles: Styles,
        notes: Notes,
        emit: Callable[[Block], None],
        emit_note: Callable[[str, str, str], None] = lambda kind, note_id, text: None,
    ) -> None:
        self.pages = PageCount()
        self._styles, self._notes, self._emit_note = styles, notes, emit_note
        self._places: list[Place] = [Place(emit)]
        self._paragraphs: list[Paragraph] = []
        self._tables: list[tuple[WordTable, list[str]]] = []
        self._fields: list[bool] = []
        self._alternatives = Alternatives()
        self._characters = self._blocks = 0
        self._in_text = self._hidden = self._in_mark = self._in_row_properties = False
        self._alt_text = ""
        self.starts: dict[str, Start] = expanded(self._starts())
        self.ends: dict[str, End] = expanded(self._ends())

    def _starts(self) -> dict[str, Start]:
        actions: dict[str, Start] = dict.fromkeys(_LEFT_OUT, lambda _: True)
        actions |= {
            "w:p": self._begin_paragraph, "w:pPr": self._begin_mark, "w:pStyle": self._style, "w:outlineLvl": self._level,
            "w:numId": self._numbering, "w:pageBreakBefore": self._break_before, "w:r": self._begin_run, "w:vanish": self._vanish,
            "w:t": self._begin_text, "m:t": self._begin_text, "w:tab": self._tab, "w:ptab": self._tab, "w:br": self._break,
            "w:cr": self._line, "w:noBreakHyphen": self._hyphen, "w:sym": self._symbol, "w:fldChar": self._field,
            "w:lastRenderedPageBreak": self._rendered_break, "w:del": self._deleted, "w:moveFrom": self._deleted,
            "w:tbl": self._begin_table, "w:tblStyle": self._table_style, "w:tblLook": self._table_look, "w:tr": self._begin_row,
            "w:trPr": self._begin_row_properties, "w:tblHeader": self._header_row, "w:gridBefore": self._grid_before,
            "w:tc": self._begin_cell, "w:gridSpan": self._span, "w:vMerge": self._merge, "w:txbxContent": self._begin_box,
            "mc:AlternateContent": self._alternatives.begin, "mc:Choice": self._alternatives.left_out,
            "mc:Fallback": self._alternatives.left_out, "wp:docPr": self._drawing, "a:blip": self._picture,
            "w:footnote": self._begin_note, "w:endnote": self._begin_note,
            "w:footnoteReference": lambda found: self._refer("footnote", found),
            "w:endnoteReference": lambda found: self._refer("endnote", found),
        }  # fmt: skip
        return actions

    def _ends(self) -> dict[str, End]:
        return {
            "w:p": self._end_paragraph, "w:pPr": self._end_mark, "w:r": self._end_run, "w:t": self._end_text,
            "m:t": self._end_text, "w:tbl": self._end_table, "w:tr": self._end_row, "w:tc": self._end_cell,
            "w:trPr": self._end_row_properties, "w:txbxContent": self._end_box, "mc:AlternateContent": self._alternatives.end,
            "w:body": self._flush,
            "w:footnote": lambda: self._end_note("footnote"), "w:endnote": lambda: self._end_note("endnote"),
        }  # fmt: skip

    # Text.

    def text(self, data: str) -> None:
        """Character data, wherever it stands."""
        if self._in_text:
            self._write(data)

    def _write(self, data: str) -> None:
        if self._hidden or not self._paragraphs or not all(self._fields):
            return
        self._characters += len(data)
        if self._characters > CHARACTERS_MAX:
            raise PartFault(f"has more than {CHARACTERS_MAX} characters of text")
        paragraph = self._paragraphs[-1]
        paragraph.page = paragraph.page or self.pages.now
        self.pages.text()
        paragraph.text.write(data)

    def _begin_text(self, _: Attributes) -> None:
        self._in_text = True

    def _end_text(self) -> None:
        self._in_text = False

    def _tab(self, _: Attributes) -> None:
        self._write("\t")

    def _line(self, _: Attributes) -> None:
        self._write("\n")

    def _hyphen(self, _: Attributes) -> None:
        self._write("-")

    def _symbol(self, attributes: Attributes) -> None:
        code = attribute(attributes, _CHARACTER)
        try:
            character = chr(int(code, 16)) if len(code) <= 6 else ""
        except (ValueError, OverflowError):
            return
        # Symbols of fonts without Unicode lie in the private use area, where they mean nothing.
        if character.isprintable() and not "\ue000" <= character <= "\uf8ff":
            self._write(character)

    def _break(self, attributes: Attributes) -> None:
        if attribute(attributes, _TYPE) == "page":
            if all(self._fields) and not self._hidden:
                self.pages.break_page()
        else:
            self._write("\n")

    def _rendered_break(self, _: Attributes) -> None:
        self.pages.rendered_break()

    def _field(self, attributes: Attributes) -> None:
        mark = attribute(attributes, _FIELD_MARK)
        if mark == "begin":
            if len(self._fields) >= FIELDS_MAX:
                raise PartFault(f"nests more than {FIELDS_MAX} fields")
            self._fields.append(False)
        elif mark == "separate" and self._fields:
            self._fields[-1] = True
        elif mark == "end" and self._fields:
            self._fields.pop()

    def _begin_run(self, _: Attributes) -> None:
        self._hidden = False

    def _end_run(self) -> None:
        self._hidden = False

    def _vanish(self, attributes: Attributes) -> None:
        if not self._in_mark:
            self._hidden = is_on(attributes)

    # Paragraphs.

    def _count(self) -> None:
        self._blocks += 1
        if self._blocks > BLOCKS_MAX:
            raise PartFault(f"has more than {BLOCKS_MAX} paragraphs, cells and pictures")

    def _begin_paragraph(self, _: Attributes) -> None:
        self._count()
        place = self._places[-1]
        joined, place.joined = place.joined, None
        if joined is not None:
            # The paragraph that goes on decides what both are.
            joined.style, joined.level, joined.numbered, joined.mark_deleted = "", None, None, False
        self._paragraphs.append(joined or Paragraph())

    def _end_paragraph(self) -> None:
        if not self._paragraphs:
            return
        paragraph = self._paragraphs.pop()
        if paragraph.mark_deleted:
            self._places[-1].joined = paragraph
        else:
            self._add(paragraph)

    def _flush(self) -> None:
        """Add what waits to be joined with a paragraph that does not come."""
        place = self._places[-1]
        waiting, place.joined = place.joined, None
        if waiting is not None:
            self._add(waiting)

    def _add(self, paragraph: Paragraph) -> None:
        place = self._places[-1]
        style = self._styles.of(paragraph.style)
        level = style.level if paragraph.level is None else paragraph.level
        numbered = style.numbered if paragraph.numbered is None else paragraph.numbered
        text = paragraph.text.getvalue()
        if style.code:
            text = text.strip("\n").rstrip()
        else:
            text = "\n".join(filter(None, (" ".join(line.split()) for line in text.split("\n"))))
        page = paragraph.page or self.pages.now
        if text.strip():
            if level is not None and level < BODY_LEVEL:
                place.add(TextBlock(" ".join(text.split()), HEADING, level + 1, page))
            else:
                role = LIST_ITEM if numbered else QUOTE if style.quote else CODE if style.code else PARAGRAPH
                place.add(TextBlock(text, role, 0, page))
        for block in paragraph.after:
            place.add(block)
        place.notes(paragraph.notes, page)

    def _begin_mark(self, _: Attributes) -> None:
        self._in_mark = True

    def _end_mark(self) -> None:
        self._in_mark = False

    def _style(self, attributes: Attributes) -> None:
        if self._paragraphs:
            self._paragraphs[-1].style = attribute(attributes, VALUE)

    def _level(self, attributes: Attributes) -> None:
        if self._paragraphs:
            self._paragraphs[-1].level = number(attribute(attributes, VALUE), BODY_LEVEL, at_least=0, at_most=BODY_LEVEL)

    def _numbering(self, attributes: Attributes) -> None:
        if self._paragraphs:
            self._paragraphs[-1].numbered = attribute(attributes, VALUE) != "0"

    def _break_before(self, attributes: Attributes) -> None:
        if is_on(attributes):
            self.pages.break_before()

    def _deleted(self, _: Attributes) -> bool:
        """A deletion: of a paragraph's end, of a row, or of the runs inside it."""
        if self._in_mark:
            if self._paragraphs:
                self._paragraphs[-1].mark_deleted = True
        elif self._in_row_properties and self._tables:
            self._tables[-1][0].delete_row()
        return True

    # Tables.

    def _begin_table(self, _: Attributes) -> None:
        self._flush()
        self._tables.append((WordTable(), []))
        self._table_styled = False

    def _table_style(self, attributes: Attributes) -> None:
        self._table_styled = self._styles.of(attribute(attributes, VALUE)).header_row

    def _table_look(self, attributes: Attributes) -> None:
        marked = attribute(attributes, _STYLE_FIRST_ROW)
        try:
            bits = int(attribute(attributes, VALUE, "0")[:8], 16)
        except ValueError:
            bits = 0
        if self._tables:
            first = marked in ("1", "true", "on") if marked else bool(bits & _FIRST_ROW_BIT)
            self._tables[-1][0].first_row_heads = first and self._table_styled

    def _begin_row(self, _: Attributes) -> None:
        if self._tables:
            self._tables[-1][0].begin_row()
            self.pages.begin_row()

    def _begin_row_properties(self, _: Attributes) -> None:
        self._in_row_properties = True

    def _end_row_properties(self) -> None:
        self._in_row_properties = False

    def _header_row(self, attributes: Attributes) -> None:
        if self._tables and is_on(attributes):
            self._tables[-1][0].head_row()

    def _grid_before(self, attributes: Attributes) -> None:
        if self._tables:
            self._tables[-1][0].skip_columns(number(attribute(attributes, VALUE), 0, at_least=0, at_most=SPAN_MAX))

    def _begin_cell(self, _: Attributes) -> None:
        self._count()
        self.pages.begin_cell()
        self._places.append(CellPlace(self._tables[-1][1].append if self._tables else lambda text: None))

    def _span(self, attributes: Attributes) -> None:
        if isinstance(cell := self._places[-1], CellPlace):
            cell.span = number(attribute(attributes, VALUE), 1, at_least=1, at_most=SPAN_MAX)

    def _merge(self, attributes: Attributes) -> None:
        if isinstance(cell := self._places[-1], CellPlace):
            cell.merge = "restart" if attribute(attributes, VALUE) == "restart" else "continue"

    def _end_cell(self) -> None:
        self._flush()
        cell = self._places.pop()
        self.pages.end_cell()
        if self._tables and isinstance(cell, CellPlace):
            table = self._tables[-1][0]
            table.page = table.page or cell.page
            table.add("\n".join(cell.lines), cell.span, cell.merge)

    def _end_row(self) -> None:
        if self._tables:
            self._tables[-1][0].end_row()
            self.pages.end_row()

    def _end_table(self) -> None:
        table, notes = self._tables.pop()
        rows, columns, cells = table.grid()
        page = table.page or self.pages.now
        if any(cell[4] for cell in cells):
            self._places[-1].add(TableBlock(rows, columns, cells, page))
        self._places[-1].notes(notes, page)

    # Text boxes, pictures, alternatives, notes.

    def _begin_box(self, _: Attributes) -> None:
        blocks = self._paragraphs[-1].after if self._paragraphs else None
        self._places.append(Place(self._places[-1].add if blocks is None else blocks.append))

    def _end_box(self) -> None:
        self._flush()
        self._places.pop()

    def _drawing(self, attributes: Attributes) -> None:
        self._alt_text = " ".join(attributes.get("descr", "").split())

    def _picture(self, _: Attributes) -> None:
        if self._alt_text and self._paragraphs:
            self._count()
            self._paragraphs[-1].after.append(PictureBlock(self._alt_text, self.pages.now))
        self._alt_text = ""

    def _refer(self, kind: str, attributes: Attributes) -> None:
        text = self._notes.pop((kind, attribute(attributes, _ID)), "")
        if text and self._paragraphs:
            self._paragraphs[-1].notes.append(text)

    def _begin_note(self, attributes: Attributes) -> bool:
        """Whether this is no note but the line above the notes."""
        if attribute(attributes, _TYPE, "normal") != "normal":
            return True
        self._note_id = attribute(attributes, _ID)
        self._places.append(CellPlace(lambda text: None))
        return False

    def _end_note(self, kind: str) -> None:
        self._flush()
        place = self._places.pop()
        if isinstance(place, CellPlace) and place.lines:
            self._emit_note(kind, self._note_id, "\n".join(place.lines))
