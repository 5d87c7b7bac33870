"""The plain text of a mail as elements: quotations apart, lines that were broken on the way joined (RFC 3676)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest_server.handlers.elements import QUOTE, ElementBuilder
from ingest_server.handlers.interface import Context
from ingest_server.handlers.text import add_text

_QUOTED = re.compile(r"(?:> ?)+")
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")
_SIGNATURE = "-- "


def add_plain_body(
    text: str, builder: ElementBuilder, context: Context, *, flowed: bool = False, delete_space: bool = False
) -> None:
    """Add the elements of a text.

    Args:
        text: decoded.
        builder: they are added to it.
        context: of the attempt.
        flowed: lines that end with a blank go on in the next.
        delete_space: that blank is no part of the text (for scripts without blanks).

    Raises:
        Cancelled: the attempt was asked to stop.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n").split("\n")
    for quoted, block in _blocks(_joined(lines, delete_space) if flowed else _depths(lines)):
        context.check()
        if not quoted:
            add_text(block, builder, context)
            continue
        for paragraph in _BLANK_LINES.split(block):
            if stripped := paragraph.strip():
                builder.text(stripped, QUOTE)


def _depths(lines: list[str]) -> Iterator[tuple[bool, str]]:
    """Lines without their marks of quotation, each with whether it had any."""
    for line in lines:
        mark = _QUOTED.match(line)
        yield mark is not None, line[mark.end() :] if mark else line


def _joined(lines: list[str], delete_space: bool) -> Iterator[tuple[bool, str]]:
    """The same of format=flowed: a line goes on in the next of the same depth if it ends with a blank and is no signature's."""
    held: list[str] = []
    depth = 0
    for line in lines:
        mark = re.match(">*", line)
        now = mark.end() if mark else 0
        line = line[now:]
        line = line[1:] if line.startswith(" ") else line  # stuffed
        if held and now != depth:
            yield depth > 0, "".join(held)
            held = []
        depth = now
        if line.endswith(" ") and line != _SIGNATURE:
            held.append(line[:-1] if delete_space else line)
            continue
        yield depth > 0, "".join((*held, line))
        held = []
    if held:
        yield depth > 0, "".join(held)


def _blocks(lines: Iterator[tuple[bool, str]]) -> Iterator[tuple[bool, str]]:
    """Lines that follow each other in the same depth, as one text."""
    block: list[str] = []
    before = False
    for quoted, line in lines:
        if quoted != before and block:
            yield before, "\n".join(block)
            block = []
        before = quoted
        block.append(line)
    if block:
        yield before, "\n".join(block)
