"""Names of elements and attributes: "w:p" to what the parser reports, in both editions of the standard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from ingest_server.handlers.office.xml_events import Attributes

Value = TypeVar("Value")

_SCHEMAS, _STRICT = "http://schemas.openxmlformats.org/", "http://purl.oclc.org/ooxml/"
_NAMESPACES = {
    "w": (f"{_SCHEMAS}wordprocessingml/2006/main", f"{_STRICT}wordprocessingml/main"),
    "a": (f"{_SCHEMAS}drawingml/2006/main", f"{_STRICT}drawingml/main"),
    "p": (f"{_SCHEMAS}presentationml/2006/main", f"{_STRICT}presentationml/main"),
    "r": (f"{_SCHEMAS}officeDocument/2006/relationships", f"{_STRICT}officeDocument/relationships"),
    "m": (f"{_SCHEMAS}officeDocument/2006/math", f"{_STRICT}officeDocument/math"),
    "wp": (f"{_SCHEMAS}drawingml/2006/wordprocessingDrawing", f"{_STRICT}drawingml/wordprocessingDrawing"),
    "mc": (f"{_SCHEMAS}markup-compatibility/2006",),
    "cp": (f"{_SCHEMAS}package/2006/metadata/core-properties",),
    "dc": ("http://purl.org/dc/elements/1.1/",),
    "dcterms": ("http://purl.org/dc/terms/",),
}

_OFF = frozenset(("0", "false", "off"))


def names(short: str) -> tuple[str, ...]:
    """What the parser may call the element or attribute "prefix:local"."""
    prefix, _, local = short.partition(":")
    return tuple(f"{namespace}}}{local}" for namespace in _NAMESPACES[prefix])


def expanded(actions: Mapping[str, Value]) -> dict[str, Value]:
    """A table by short names as one by the names that the parser reports."""
    return {name: action for short, action in actions.items() for name in names(short)}


VALUE = names("w:val")


def attribute(attributes: Attributes, choices: tuple[str, ...], default: str = "") -> str:
    """The value of an attribute under any of its names; `default` if it is missing."""
    for name in choices:
        value = attributes.get(name)
        if value is not None:
            return value
    return default


def is_on(attributes: Attributes) -> bool:
    """Whether a switch such as `<w:b w:val="0"/>` is on: it is, unless it says otherwise."""
    return attribute(attributes, VALUE).lower() not in _OFF


def number(text: str, default: int, *, at_least: int, at_most: int) -> int:
    """A number of an attribute, within bounds; `default` where it is missing or nonsense."""
    if not text.removeprefix("-").isdecimal() or len(text) > 18:
        return default
    return min(max(int(text), at_least), at_most)
