"""What the spreadsheet library does not tell of a packed spreadsheet: title and author, which cells are percentages, true sizes.

Percentages are numbers with a style whose format has a percent sign (ISO/IEC 29500-1, 18.8.30: formats 9 and 10, or one of the
document's own).
"""

from __future__ import annotations

import re
import zipfile
from typing import BinaryIO

from ingest_server.handlers.office.package import Package
from ingest_server.handlers.office.xml_events import Attributes, End, PartFault, Start

TEXT_CHARACTERS_MAX = 4_096
"""Longer titles and names are left out: they are lines, not documents."""
PERCENTS_MAX = 1_000_000
"""Cells looked up in one sheet; about 200 bytes each while they are kept. Beyond it they stay fractions, as they are stored."""
COLUMNS_MAX = 16_384
"""Columns of a sheet in XLSX."""

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
_RELATION_IDS = (
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships}id",
    "http://purl.oclc.org/ooxml/officeDocument/relationships}id",
)
_ABOUT = {
    "http://purl.org/dc/elements/1.1/}title": "title",
    "http://purl.org/dc/elements/1.1/}creator": "creator",
    "http://purl.org/dc/terms/}created": "created",
    "urn:oasis:names:tc:opendocument:xmlns:meta:1.0}creation-date": "created",
    "urn:oasis:names:tc:opendocument:xmlns:meta:1.0}initial-creator": "creator",
}
_ABOUT_PARTS = ("docProps/core.xml", "meta.xml")
_PERCENT_FORMATS = frozenset({9, 10})
_LITERAL = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')
"""Parts of a number format that are shown as they are, and colours and conditions."""
_CELL = re.compile(rb"<(?:[\w.-]+:)?c\s([^<>]*)>")
_PLACE = re.compile(rb"(?:^|\s)r\s*=\s*[\"']([A-Z]{1,3})([0-9]{1,7})[\"']")
_STYLE = re.compile(rb"(?:^|\s)s\s*=\s*[\"']([0-9]{1,6})[\"']")
_TAG_BYTES_MAX = 4_096
"""Longest tag of a cell looked for across two pieces."""


class SpreadsheetPackage:
    """A packed spreadsheet (XLSX, XLSM, XLSB, ODS), open for reading."""

    def __init__(self, package: Package, names: list[str]) -> None:
        """Read from `package`, whose parts are `names`."""
        self._package = package
        self._names = names
        self._percent_styles: frozenset[int] | None = None
        self._sheet_parts: dict[str, str] = {}

    @classmethod
    def of(cls, file: BinaryIO) -> SpreadsheetPackage | None:
        """The package in a file; None if it is no ZIP file.

        Raises:
            PartFault: it is one, and damaged or beyond the limits of `Package`.
        """
        file.seek(0)
        if file.read(2) != b"PK":
            return None
        package = Package(file)
        with zipfile.ZipFile(file) as directory:  # its length was checked by the line before
            return cls(package, directory.namelist())

    def check_sizes(self) -> None:
        """Unpack all that the library will read, and keep nothing.

        Raises:
            PartFault: a part is damaged, encrypted, or beyond the limits of `Package`: a bomb.
        """
        for name in self._names:
            if name.lower().endswith((".xml", ".rels", ".bin")) and "/media/" not in name and "/embeddings/" not in name:
                try:
                    for _ in self._package.chunks(name):
                        pass
                except PartFault as fault:
                    raise PartFault(f"its part {name} {fault}") from fault

    def about(self) -> dict[str, str]:
        """What the document says of itself: "title", "creator", "created" (ISO 8601). A damaged part says nothing."""
        found: dict[str, str] = {}
        pieces: list[str] = []

        def begin(_: Attributes) -> None:
            pieces.clear()

        def keep(key: str) -> None:
            text = " ".join("".join(pieces).split())
            if text and len(text) <= TEXT_CHARACTERS_MAX:
                found.setdefault(key, text)
            pieces.clear()

        def text(piece: str) -> None:
            if sum(map(len, pieces[-8:])) <= TEXT_CHARACTERS_MAX and len(pieces) <= TEXT_CHARACTERS_MAX:
                pieces.append(piece)

        ends = {name: lambda key=key: keep(key) for name, key in _ABOUT.items()}
        for part in _ABOUT_PARTS:
            if part in self._package:
                try:
                    self._package.parse(part, dict.fromkeys(_ABOUT, begin), ends, text)
                except PartFault:
                    continue
        return found

    def percents(self, sheet: str) -> set[tuple[int, int]]:
        """Places (row, column), from 0, of the cells of a sheet that are percentages. Empty where the format does not tell them.

        Raises:
            PartFault: parts that say it are damaged.
        """
        if self._percent_styles is None:
            self._percent_styles = self._read_styles()
            if self._percent_styles:
                self._sheet_parts = self._read_sheets()
        part = self._sheet_parts.get(sheet, "")
        if not self._percent_styles or part not in self._package:
            return set()
        places: set[tuple[int, int]] = set()
        rest = b""
        for chunk in self._package.chunks(part):
            data = rest + chunk
            cut = data.rfind(b"<")
            rest = data[cut:] if cut >= 0 and len(data) - cut <= _TAG_BYTES_MAX else b""
            for match in _CELL.finditer(data):
                style = _STYLE.search(match[1])
                if style is not None and int(style[1]) in self._percent_styles:
                    place = _PLACE.search(match[1])
                    if place is not None and len(places) < PERCENTS_MAX:
                        places.add((int(place[2]) - 1, _column(place[1])))
        return places

    def _read_styles(self) -> frozenset[int]:
        """Numbers of the cell styles that show percentages."""
        part = self._used("styles")
        if part not in self._package:
            return frozenset()
        formats = set(_PERCENT_FORMATS)
        styles: list[bool] = []
        inside: list[bool] = []

        def number_format(attributes: Attributes) -> None:
            if "%" in _LITERAL.sub("", attributes.get("formatCode", "")) and len(formats) < COLUMNS_MAX:
                formats.add(_number(attributes.get("numFmtId", "")))

        def begin(_: Attributes) -> None:
            inside.append(True)

        def style(attributes: Attributes) -> None:
            if inside and len(styles) < 4 * COLUMNS_MAX:  # Excel allows 65,490
                styles.append(_number(attributes.get("numFmtId", "")) in formats)

        starts: dict[str, Start] = {}
        ends: dict[str, End] = {}
        for namespace in (_MAIN, _STRICT):
            starts[f"{namespace}}}numFmt"] = number_format
            starts[f"{namespace}}}cellXfs"] = begin
            starts[f"{namespace}}}xf"] = style
            ends[f"{namespace}}}cellXfs"] = inside.clear
        self._package.parse(part, starts, ends)
        return frozenset(index for index, percent in enumerate(styles) if percent)

    def _read_sheets(self) -> dict[str, str]:
        """Sheet name → its part."""
        main = self._package.media_type()[1]
        relationships = self._package.relationships(main)
        parts: dict[str, str] = {}

        def sheet(attributes: Attributes) -> None:
            key = next((attributes[name] for name in _RELATION_IDS if name in attributes), "")
            if key in relationships:
                parts[attributes.get("name", "")] = relationships[key].part

        self._package.parse(main, {f"{namespace}}}sheet": sheet for namespace in (_MAIN, _STRICT)}, {})
        return parts

    def _used(self, kind: str) -> str:
        """The part of some kind that the workbook uses; "" if there is none."""
        main = self._package.media_type()[1]
        if not main.endswith(".xml"):
            return ""
        return next((used.part for used in self._package.relationships(main).values() if used.kind == kind), "")


def _column(letters: bytes) -> int:
    """Column from 0 of its letters: A is 0, Z 25, AA 26."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1


def _number(text: str) -> int:
    """A number of a format; -1 if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else -1
