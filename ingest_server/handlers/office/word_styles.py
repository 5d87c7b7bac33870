"""Styles of a word processing document: those of headings, list items, quotations, code, and header rows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingest_server.handlers.office.names import VALUE, attribute, expanded, names, number
from ingest_server.handlers.office.package import Package
from ingest_server.handlers.office.xml_events import Attributes

STYLES_MAX = 20_000
"""Styles kept; later ones are taken for plain. Documents pasted together over decades have some thousands."""
INHERITED_MAX = 64
"""Steps from a style to those it is based on; a circle ends here."""
BODY_LEVEL = 9
"""Outline level of running text (ISO/IEC 29500-1, 17.3.1.20); below it are headings."""

_HEADING = re.compile(r"heading ([1-9])")
_QUOTES = frozenset(("quote", "intense quote", "quotations", "block text"))
_CODE = frozenset(("html preformatted", "preformatted text", "source code", "code", "plain text", "macro text", "verbatim"))
_TYPE, _ID = names("w:type"), names("w:styleId")


@dataclass(slots=True)
class Style:
    """A style; None is what it leaves to the one it is based on.

    Attributes:
        based_on: id of another style; "" if none.
        level: outline level from 0; `BODY_LEVEL` for running text.
        numbered: whether its paragraphs are items of a list.
        quote, code: whether its name says so.
        header_row: whether, as a style of tables, it dresses the first row as a header.
    """

    based_on: str = ""
    level: int | None = None
    numbered: bool | None = None
    quote: bool = False
    code: bool = False
    header_row: bool = False


PLAIN = Style(level=BODY_LEVEL, numbered=False)


class Styles:
    """The styles of a document.

    Attributes:
        language: of text that declares none; "" if unknown.
    """

    def __init__(self) -> None:
        self.language = ""
        self._styles: dict[str, Style] = {}
        self._resolved: dict[str, Style] = {}
        self._default = ""

    def of(self, style_id: str) -> Style:
        """A style with all that it inherits; the default one for "", a plain one for an unknown id."""
        style = self._resolved.get(style_id)
        if style is None:
            if len(self._resolved) > STYLES_MAX:
                self._resolved.clear()
            style = self._resolved[style_id] = self._resolve(style_id or self._default)
        return style

    def _resolve(self, style_id: str) -> Style:
        found = Style()
        for _ in range(INHERITED_MAX):
            style = self._styles.get(style_id)
            if style is None:
                break
            found.level = style.level if found.level is None else found.level
            found.numbered = style.numbered if found.numbered is None else found.numbered
            found.quote |= style.quote
            found.code |= style.code
            found.header_row |= style.header_row
            style_id = style.based_on
        found.level = BODY_LEVEL if found.level is None else found.level
        found.numbered = bool(found.numbered)
        return found

    def read(self, package: Package, part: str) -> None:
        """Add the styles of a part.

        Raises:
            PartFault: the part cannot be read; what was read of it stays.
        """
        style = Style()

        def begin(attributes: Attributes) -> None:
            nonlocal style
            style = Style()
            style_id = attribute(attributes, _ID)
            if len(self._styles) < STYLES_MAX:
                self._styles[style_id] = style
            is_default = attribute(attributes, names("w:default")) in ("1", "true", "on")
            if is_default and attribute(attributes, _TYPE) == "paragraph":
                self._default = style_id

        def name(attributes: Attributes) -> None:
            text = attribute(attributes, VALUE).strip().lower()
            if match := _HEADING.fullmatch(text):
                style.level = int(match[1]) - 1
            elif text == "title":
                style.level = 0
            style.quote, style.code = text in _QUOTES, text in _CODE

        def based_on(attributes: Attributes) -> None:
            style.based_on = attribute(attributes, VALUE)

        def level(attributes: Attributes) -> None:
            style.level = number(attribute(attributes, VALUE), BODY_LEVEL, at_least=0, at_most=BODY_LEVEL)

        def numbering(attributes: Attributes) -> None:
            style.numbered = attribute(attributes, VALUE) != "0"

        def condition(attributes: Attributes) -> None:
            style.header_row |= attribute(attributes, _TYPE) == "firstRow"

        def language(attributes: Attributes) -> None:
            self.language = self.language or attribute(attributes, VALUE)[:64]

        package.parse(
            part,
            expanded(
                {
                    "w:style": begin,
                    "w:name": name,
                    "w:basedOn": based_on,
                    "w:outlineLvl": level,
                    "w:numId": numbering,
                    "w:tblStylePr": condition,
                    "w:lang": language,
                }
            ),
            {},
        )
