"""From the RTF in a mail to its text, or to the HTML it was made from ([MS-OXRTFEX]): Outlook wraps HTML in RTF and back.

Of RTF (version 1.9.1) what carries text is read: paragraphs, tabs, special characters, code pages of fonts. Tables, pictures and
formatting are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape

from ingest_server.handlers.mail.code_pages import codec_of

DEPTH_MAX = 1_000
"""Groups in groups; deeper ones are read as if they ended."""
_TOKENS_PER_CHECK = 20_000

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?[0-9]{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n\x00]+|([^\\{}\r\n\x00]+)|\\"
)
_SKIPPED = frozenset(
    b"fonttbl colortbl stylesheet info pict object header footer headerl headerr headerf footerl footerr footerf footnote "
    b"themedata datastore latentstyles listtable listoverridetable revtbl rsidtbl generator xmlnstbl filetbl fldinst nonshppict "
    b"objdata bkmkstart bkmkend".split()
)
_BREAKS = {b"par": "\n", b"line": "\n", b"sect": "\n", b"page": "\n", b"row": "\n", b"tab": "\t", b"cell": "\t"}
_CHARACTERS = {
    b"lquote": "‘", b"rquote": "’", b"ldblquote": "“", b"rdblquote": "”", b"bullet": "•", b"endash": "–", b"emdash": "—",
    b"emspace": "\u2003", b"enspace": "\u2002", b"zwj": "\u200d", b"zwnj": "\u200c",
}  # fmt: skip
_SYMBOLS = {b"~": "\u00a0", b"-": "", b"_": "\u2011", b"\\": "\\", b"{": "{", b"}": "}", b"\n": "\n", b"\r": "\n"}
_FONT_CHARSETS = {
    0: 1252, 77: 10000, 128: 932, 129: 949, 130: 1361, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255, 178: 1256,
    186: 1257, 204: 1251, 222: 874, 238: 1250,
}  # fmt: skip
"""\\fcharset → code page."""


@dataclass(frozen=True, slots=True)
class _Group:
    """What holds within a group: whether its text is left out or is HTML's own, its font's codec, and how many characters stand
    for a Unicode one."""

    skipped: bool = False
    is_tag: bool = False
    is_font_table: bool = False
    for_rtf_only: bool = False
    codec: str = ""
    fallback: int = 1
    starred: bool = False


def rtf_text(data: bytes, check: Callable[[], None]) -> tuple[str, bool]:
    """The text of RTF.

    Args:
        data: the RTF.
        check: called now and then; may raise.

    Returns:
        The text with line feeds; whether it is HTML.
    """
    reader = _Reader(data)
    for number, match in enumerate(_TOKEN.finditer(data)):
        if number % _TOKENS_PER_CHECK == 0:
            check()
        reader.take(match)
    return reader.text(), reader.is_html


class _Reader:
    """Goes over the tokens of RTF and collects the text."""

    def __init__(self, data: bytes) -> None:
        head = data[:4096]
        self.is_html = b"\\fromhtml1" in head
        self._out: list[str] = []
        self._held = bytearray()
        self._held_codec = ""
        self._group = _Group()
        self._outer: list[_Group] = []
        self._depth_beyond = 0
        self._codec = "cp1252"
        self._fonts: dict[int, str] = {}
        self._font = 0
        self._to_skip = 0

    def text(self) -> str:
        """What was collected."""
        self._flush()
        return "".join(self._out).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def take(self, match: re.Match[bytes]) -> None:
        """Take the next token."""
        word, number, code, symbol, brace, plain = match.groups()
        if word is not None:
            self._to_skip = 0
            self._word(word, int(number) if number is not None else None)
        elif code is not None:
            self._bytes(bytes.fromhex(code.decode("ascii")))
        elif plain is not None:
            self._bytes(plain)
        elif brace == b"{":
            self._open()
        elif brace == b"}":
            self._close()
        elif symbol == b"*":
            self._group = replace(self._group, starred=True)
        elif symbol is not None:
            self._add(_SYMBOLS.get(symbol, ""))

    def _open(self) -> None:
        self._to_skip = 0
        if len(self._outer) >= DEPTH_MAX:
            self._depth_beyond += 1
            return
        self._outer.append(self._group)
        self._group = replace(self._group, starred=False)

    def _close(self) -> None:
        self._to_skip = 0
        if self._depth_beyond:
            self._depth_beyond -= 1
        elif self._outer:
            self._group = self._outer.pop()

    def _word(self, word: bytes, number: int | None) -> None:
        group = self._group
        if group.starred:
            is_tag = word in (b"htmltag", b"mhtmltag") and self.is_html
            self._group = replace(group, starred=False, skipped=group.skipped or word != b"htmltag" or not is_tag, is_tag=is_tag)
        elif word in _SKIPPED:
            self._group = replace(group, skipped=True, is_font_table=word == b"fonttbl")
        elif word == b"htmlrtf":
            self._group = replace(group, for_rtf_only=number != 0)
        elif word == b"ansicpg" and number:
            self._codec = codec_of(number) or self._codec
        elif word == b"f" and number is not None:
            self._font = number
            if not group.is_font_table:
                self._group = replace(group, codec=self._fonts.get(number, ""))
        elif word == b"fcharset" and group.is_font_table and number in _FONT_CHARSETS and len(self._fonts) < 10_000:
            self._fonts[self._font] = codec_of(_FONT_CHARSETS[number])
        elif word == b"plain":
            self._group = replace(group, codec="")
        elif word == b"uc" and number is not None:
            self._group = replace(group, fallback=min(max(number, 0), 16))
        elif word == b"u" and number is not None:
            self._unicode(number)
        elif word in _BREAKS:
            self._add(_BREAKS[word])
        elif word in _CHARACTERS:
            self._add(_CHARACTERS[word])

    def _unicode(self, number: int) -> None:
        """A character by its number, of 16 bits with a sign; beyond them two of them make one."""
        self._add(chr(number & 0xFFFF))
        self._to_skip = self._group.fallback

    def _bytes(self, data: bytes) -> None:
        """Text in the code page of its font. Two bytes may be one character, so they wait for each other."""
        if self._to_skip:
            skipped = min(self._to_skip, len(data))
            self._to_skip -= skipped
            data = data[skipped:]
        if not data or not self._is_shown():
            return
        codec = self._group.codec or self._codec
        if codec != self._held_codec:
            self._flush()
            self._held_codec = codec
        self._held += data

    def _add(self, text: str) -> None:
        if text and self._is_shown():
            self._flush()
            self._out.append(escape(text, quote=False) if self.is_html and not self._group.is_tag else text)

    def _is_shown(self) -> bool:
        return not (self._group.skipped or (self.is_html and self._group.for_rtf_only))

    def _flush(self) -> None:
        if not self._held:
            return
        text = self._held.decode(self._held_codec or "cp1252", "replace")
        self._held.clear()
        self._out.append(text)
