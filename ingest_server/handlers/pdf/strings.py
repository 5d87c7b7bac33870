"""Strings that pdfium writes into memory of ours: UTF-16 titles, names and values, and bytes of addresses."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

_USUAL_BYTES = 4096
"""Most strings fit; then one call gives both size and text."""

Get = Callable[[Any, int], int]
"""Writes a string with its terminating zero into a buffer of so many bytes if it fits, and returns how many it takes."""


class Strings:
    """Reads strings, most of them in one call.

    Args:
        bytes_max: longer strings are not read. pdfium counts two bytes a UTF-16 unit.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._usual = ctypes.create_string_buffer(_USUAL_BYTES)

    def utf16(self, get: Get) -> str | None:
        """A UTF-16 string as it is; None if it is too long. Halves of surrogate pairs become U+FFFD."""
        data = self._read(get, 2)
        return None if data is None else data.decode("utf-16-le", "replace")

    def utf8(self, get: Get) -> str | None:
        """A string of bytes that should be UTF-8, of which all that is not becomes U+FFFD; None if it is too long."""
        data = self._read(get, 1)
        return None if data is None else data.decode("utf-8", "replace")

    def _read(self, get: Get, zero_bytes: int) -> bytes | None:
        size = get(self._usual, _USUAL_BYTES)
        if size <= _USUAL_BYTES:
            return self._usual.raw[: max(size - zero_bytes, 0)]
        if size > self._bytes_max:
            return None
        buffer = ctypes.create_string_buffer(size)
        return buffer.raw[: size - zero_bytes] if get(buffer, size) == size else b""


def one_line(text: str) -> str:
    """Without control characters; runs of white space become one space."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def with_line_feeds(text: str) -> str:
    """Line ends as line feeds, and no other control characters but tabs."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(character for character in plain if character.isprintable() or character in "\n\t")
