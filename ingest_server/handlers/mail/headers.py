"""The header of a message or of a part of it: fields, encoded words (RFC 2047), parameters (RFC 2045, RFC 2231)."""

from __future__ import annotations

import binascii
import mmap
import re
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias
from urllib.parse import unquote_to_bytes

from ingest_server.handlers.mail.charsets import short_text

HEADER_BYTES_MAX = 256 * 1024
"""Of one header, beyond which all is body: mailing lists and filters reach 50 KB."""
FIELDS_MAX = 1_000
VALUE_BYTES_MAX = 64 * 1024
"""Of one field; a message to 2,000 people has such a one."""
STRUCTURED_CHARACTERS_MAX = 8 * 1024
"""Of a field with parameters."""

Bytes: TypeAlias = bytes | mmap.mmap
"""Both find, match and slice alike."""

_BLANK_LINE = re.compile(rb"(?:\A|\n)\r?\n")
_FIELD = re.compile(rb"^([!-9;-~]{1,128})[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.MULTILINE)
_WORD = re.compile(r"=\?([A-Za-z0-9_.:+-]{1,40})(?:\*[^?\s]{0,20})?\?([BbQq])\?([^?]*)\?=")
_PARAMETER = re.compile(r';\s*([^\s=;"]{1,80})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))')
_SECTION = re.compile(r"([^*]+)(?:\*(\d{1,3}))?(\*)?\Z")
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")


class Value(NamedTuple):
    """A field such as Content-Type: what it says first, lower case, and its parameters by their names in lower case."""

    first: str
    parameters: Mapping[str, str]


class Headers:
    """Fields of one header by name; a name may occur many times."""

    def __init__(self, block: bytes) -> None:
        """Take the fields of `block`; lines that are none are left out."""
        self._fields: dict[str, bytes] = {}
        for number, match in enumerate(_FIELD.finditer(block)):
            if number >= FIELDS_MAX:
                break
            # The first of a name counts: later ones are added by those who would have the reader see something else.
            value = match.group(2)[:VALUE_BYTES_MAX].replace(b"\r", b"").replace(b"\n", b"").strip()
            self._fields.setdefault(match.group(1).decode("ascii").lower(), value)

    def __len__(self) -> int:
        return len(self._fields)

    def raw(self, name: str) -> str:
        """A field as it stands, encoded words and all; "" if it is missing."""
        return short_text(self._fields.get(name, b""))

    def text(self, name: str) -> str:
        """A field for people: encoded words decoded, in one line; "" if it is missing."""
        return " ".join(decoded_words(self.raw(name)).split())

    def value(self, name: str) -> Value:
        """A field with parameters."""
        return parse_value(self.raw(name))


def read_headers(data: Bytes, start: int, end: int) -> tuple[Headers, int]:
    """The header that begins at `start`, and where the body begins: after the first empty line, or at `end` if there is none."""
    block = bytes(data[start : min(end, start + HEADER_BYTES_MAX)])
    blank = _BLANK_LINE.search(block)
    if blank is None:
        return Headers(block), start + len(block)
    return Headers(block[: blank.start() + 1]), start + blank.end()


def decoded_words(text: str) -> str:
    """Text with its encoded words decoded. White space between two of them is none, and a character may begin in one and end in
    the next."""
    out: list[str] = []
    held, charset, position = b"", "", 0
    for match in _WORD.finditer(text):
        between = text[position : match.start()]
        try:
            data = _word_bytes(match.group(2), match.group(3))
        except (binascii.Error, ValueError):
            continue  # it stays as it stands
        if (between.strip() or position == 0 or match.group(1).lower() != charset) and held:
            out.append(short_text(held, charset))
            held = b""
        if between.strip() or not charset:
            out.append(between)
        held, charset, position = held + data, match.group(1).lower(), match.end()
    if held:
        out.append(short_text(held, charset))
    return "".join((*out, text[position:]))


def _word_bytes(encoding: str, text: str) -> bytes:
    data = text.encode("ascii", "ignore")
    if encoding in "Bb":
        data = data.rstrip(b"=")
        return binascii.a2b_base64(data[: len(data) - (len(data) % 4 == 1)] + b"===")
    return _HEX.sub(lambda match: bytes.fromhex(match.group(1).decode("ascii")), data.replace(b"_", b" "))


def parse_value(text: str) -> Value:
    """A field with parameters, taken apart. Parameters in many sections or in a charset of their own are put together."""
    text = text[:STRUCTURED_CHARACTERS_MAX]
    first = text.partition(";")[0].strip().lower()
    plain: dict[str, str] = {}
    sections: dict[str, list[tuple[int, bool, str]]] = {}
    for match in _PARAMETER.finditer(text):
        quoted = match.group(2)
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else match.group(3).strip()
        name = _SECTION.match(match.group(1).lower())
        if name is None or (name.group(2) is None and not name.group(3)):
            plain.setdefault(match.group(1).lower(), decoded_words(value))
        else:
            sections.setdefault(name.group(1), []).append((int(name.group(2) or 0), bool(name.group(3)), value))
    joined = {name: _joined(found) for name, found in sections.items()}
    return Value(first, {**plain, **joined})


def _joined(sections: list[tuple[int, bool, str]]) -> str:
    """A parameter of RFC 2231: sections by number; the first may begin with charset'language'."""
    data, charset = b"", ""
    for number, (_, extended, value) in enumerate(sorted(sections)):
        if not extended:
            data += value.encode("utf-8", "replace")
            continue
        if number == 0 and value.count("'") >= 2:
            charset, _, value = value.split("'", 2)
        data += unquote_to_bytes(value)
    return short_text(data, charset)
