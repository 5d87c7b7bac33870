"""JSON values one after another in a body, as grpc-gateway takes client streams: with or without line ends between them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from ingest_server.rest.errors import invalid

_OUTSIDE = re.compile(rb'["{}\[\]]')
_INSIDE = re.compile(rb'["\\]')
_BLANK = b" \t\r\n"


class JsonSplitter:
    """Finds where each object ends, without reading it: brackets are counted outside of texts.

    Args:
        value_bytes_max: of one object.
    """

    def __init__(self, value_bytes_max: int) -> None:
        self._value_bytes_max = value_bytes_max
        self._held = bytearray()
        self._position = 0
        self._depth = 0
        self._in_text = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; answer the objects that are whole now.

        Raises:
            RestError: something stands between objects, or one is too large.
        """
        self._held += data
        found = []
        while (end := self._next_end()) is not None:
            found.append(bytes(self._held[:end]))
            del self._held[:end]
            self._position = 0
        if len(self._held) > self._value_bytes_max:
            raise invalid(
                f"one message has more than {self._value_bytes_max:,} bytes: send smaller ones", field="body", reason="TOO_LARGE"
            )
        return found

    def finish(self) -> None:
        """No more comes. Raises RestError if an object is not whole."""
        if self._held.strip(_BLANK):
            raise invalid("the body ends in the middle of a message", field="body")

    def _next_end(self) -> int | None:
        """Position behind the object that is being read; None while it is not whole."""
        held = self._held
        if not self._depth:
            blank = len(held) - len(held.lstrip(_BLANK))
            if blank:
                del held[:blank]
            if not held:
                return None
            if held[0] != ord("{"):
                raise invalid(f"the body must be JSON objects one after another, not {bytes(held[:20])!r}", field="body")
        while True:
            match = (_INSIDE if self._in_text else _OUTSIDE).search(held, self._position)
            if match is None:
                self._position = len(held)
                return None
            token = match.group()
            if token == b"\\":
                if match.end() == len(held):  # what it escapes is still to come
                    self._position = match.start()
                    return None
                self._position = match.end() + 1
                continue
            self._position = match.end()
            if token == b'"':
                self._in_text = not self._in_text
            elif token in b"{[":
                self._depth += 1
            else:
                self._depth -= 1
                if not self._depth:
                    return self._position


async def json_values(chunks: AsyncIterator[bytes], value_bytes_max: int) -> AsyncIterator[bytes]:
    """The objects in a body, as they come. Raises RestError as `JsonSplitter` does."""
    splitter = JsonSplitter(value_bytes_max)
    async for chunk in chunks:
        for value in splitter.feed(chunk):
            yield value
    splitter.finish()
