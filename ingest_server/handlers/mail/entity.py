"""Takes a message apart into its parts (RFC 2046): a tree of headers and of places in its bytes. Nothing is decoded or copied."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ingest_server.handlers.mail.headers import Bytes, Headers, Value, read_headers
from ingest_server.handlers.members.member import TOO_DEEP, UNREADABLE

DEPTH_MAX = 30
"""Multiparts in multiparts; people reach 6. Each level is one pass over what it holds."""
ENTITIES_MAX = 10_000
"""Parts of one message, at all levels."""

_BLANKS_MAX = 1_000
"""After a boundary, in its line."""
_FROM_LINE = re.compile(rb">?From [^\n]*\n")
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")
MESSAGE_TYPES = ("message/rfc822", "message/global", "message/news")


@dataclass(slots=True)
class Entity:
    """A message or a part of one.

    Attributes:
        headers: its own.
        media_type: lower case; what it is by default where none is declared.
        content_type: with parameters.
        disposition: with parameters.
        start: where its body begins.
        end: where it ends.
        children: of a multipart.
        fault: reason and message if it was not taken apart further, but should have been.
    """

    headers: Headers
    media_type: str
    content_type: Value
    disposition: Value
    start: int
    end: int
    children: list[Entity] = field(default_factory=list)
    fault: tuple[str, str] | None = None

    @property
    def filename(self) -> str:
        """As the sender named it; "" if it has no name."""
        return (self.disposition.parameters.get("filename") or self.content_type.parameters.get("name") or "").strip()

    @property
    def transfer_encoding(self) -> str:
        """Lower case."""
        return self.headers.value("content-transfer-encoding").first


class Message:
    """A message, taken apart.

    Args:
        data: its bytes, or a map of its file.
        check: called for every part; may raise.

    Attributes:
        root: the message itself.
    """

    def __init__(self, data: Bytes, check: Callable[[], None]) -> None:
        self._data = data
        self._check = check
        self._left = ENTITIES_MAX
        line = _FROM_LINE.match(data)
        self.root = self._entity(line.end() if line else 0, len(data), "text/plain", 0)

    def _entity(self, start: int, end: int, default: str, depth: int) -> Entity:
        self._check()
        self._left -= 1
        headers, body = read_headers(self._data, start, end)
        content_type = headers.value("content-type")
        media_type = content_type.first if _MEDIA_TYPE.fullmatch(content_type.first) else default
        entity = Entity(headers, media_type, content_type, headers.value("content-disposition"), min(body, end), end)
        boundary = content_type.parameters.get("boundary", "").rstrip()
        if media_type.startswith("multipart/") and boundary:
            if depth >= DEPTH_MAX:
                entity.fault = (TOO_DEEP, f"lies more than {DEPTH_MAX} multiparts deep")
            else:
                self._divide(entity, boundary, depth)
        if media_type.startswith("multipart/") and not entity.children and entity.fault is None:
            entity.media_type = "text/plain"  # no part begins: what is there is text
        return entity

    def _divide(self, entity: Entity, boundary: str, depth: int) -> None:
        """Find the parts of a multipart. What stands before the first and after the last is for programs without MIME."""
        default = "message/rfc822" if entity.media_type == "multipart/digest" else "text/plain"
        start = -1
        for place, after, closes in self._delimiters(b"--" + boundary.encode("utf-8", "replace"), entity.start, entity.end):
            if start >= 0:
                entity.children.append(self._entity(start, self._before(place, start), default, depth + 1))
            start = after
            if closes:
                return
            if self._left <= 0:
                entity.fault = (UNREADABLE, f"has more than {ENTITIES_MAX:,} parts; the rest is left out")
                return
        if 0 <= start < entity.end:  # cut off, or never closed
            entity.children.append(self._entity(start, entity.end, default, depth + 1))

    def _delimiters(self, mark: bytes, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """Lines that consist of `mark`, of "--" if it is the last, and of blanks: (where it begins, where the next line begins,
        whether it is the last)."""
        data = self._data
        place = data.find(mark, start, end)
        while place >= 0:
            after = place + len(mark)
            if place == 0 or data[place - 1 : place] == b"\n":
                line_end = data.find(b"\n", after, end)
                line_end = end if line_end < 0 else line_end
                rest = data[after : min(line_end, after + _BLANKS_MAX)].rstrip(b" \t\r")
                if rest in (b"", b"--"):
                    after = min(line_end + 1, end)
                    yield place, after, bool(rest)
            place = data.find(mark, after, end)

    def _before(self, offset: int, start: int) -> int:
        """Where a part ends: the line end before a boundary is the boundary's own."""
        if offset > start and self._data[offset - 1 : offset] == b"\n":
            offset -= 1
        if offset > start and self._data[offset - 1 : offset] == b"\r":
            offset -= 1
        return offset
