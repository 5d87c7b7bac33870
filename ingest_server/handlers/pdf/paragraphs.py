"""Joins the lines of a page into paragraphs.

A line begins a paragraph when it shows one of the signs of one: a wider pitch, another font size, an indent, a bullet, or room at
the end of the line before, where its first word would have fitted (a line that is broken although there was room was broken on
purpose). The rules are those of the survey in Bast and Korzen, "A Benchmark and Evaluation for Text Extraction from PDF" (2017),
section 4, as far as they need only the boxes of lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import itemgetter, le
from typing import TypeAlias

from ingest.v1 import document_pb2
from ingest_server.handlers.elements import LIST_ITEM, PARAGRAPH, Box
from ingest_server.handlers.pdf.hyphens import joined
from ingest_server.handlers.pdf.page_text import Columns, LineRow

PITCH_FACTOR = 1.28
"""A pitch wider than that of the paragraph by this factor begins a new one."""
PITCH_SIZES = 1.75
"""So does, after a single line, a pitch of more than so many font sizes; double spacing is 2.4, usual spacing 1.2."""
SIZE_PART = 0.12
"""Font sizes that differ by more than this part are different."""
INDENT_SIZES = 0.7
"""A left edge that differs by more than so many font sizes is an indent. TeX indents by 1.5."""
SHORT_PART = 0.55
"""A line that ends before this part of its column is the last of a paragraph."""

_BULLETS = frozenset("•◦▪▫●○■□‣⁃–—*·∙➢➤✓\uf0b7")  # these are the characters that begin items
_NUMBERED = re.compile(r"(?:\d{1,3}[.)]|\([a-z0-9]{1,3}\)|[a-z]\))\s+\S")
_AFTER_BULLET = frozenset((" ", ""))
_LEADER_ENDS = frozenset("0123456789.")
"""Lines of a table of contents end in one of these."""
_TOP = itemgetter(1)
_SENTENCE_ENDS = frozenset(".!?:;)”’\"'")


Paragraph: TypeAlias = tuple[str, Box, float, "document_pb2.TextRole", int]
"""(text, where it stands, font size in points, PARAGRAPH or LIST_ITEM, number of lines)"""


def paragraphs(lines: Sequence[LineRow], page_text: str) -> list[Paragraph]:
    """Join lines.

    Args:
        lines: of a page, in reading order.
        page_text: of the whole page; tells which divided words have a hyphen of their own.

    Returns:
        Paragraphs in the same order. No paragraph goes over a column's or page's end.
    """
    result: list[Paragraph] = []
    begin = 0
    while begin < len(lines):
        end = _column_end(lines, begin)
        lefts, tops, rights, bottoms, sizes, texts, breaks, _, _ = zip(*lines[begin:end], strict=True)
        result += column_paragraphs((lefts, tops, rights, bottoms, sizes, texts, breaks), page_text)
        begin = end
    return result


def column_paragraphs(lines: Columns, page_text: str) -> list[Paragraph]:
    """Join the lines of one column, of which none stands higher than the one before by more than a font size.

    Args:
        lines: at least one.
        page_text: see `paragraphs`.

    Returns:
        Paragraphs in the same order.
    """
    lefts, tops, rights, bottoms, sizes, texts, breaks = lines
    starts = _starts(lines)
    any_divided = True in breaks
    result: list[Paragraph] = []
    add = result.append
    for start, end in zip(starts, (*starts[1:], len(texts)), strict=True):
        text = texts[start]
        # Letters in second and third place are most paragraphs, and none is an item.
        role = PARAGRAPH if text[1:3].isalpha() or not _is_item(text) else LIST_ITEM
        size = sizes[start]
        count = end - start
        if count == 1:
            box = (lefts[start], tops[start], rights[start], bottoms[start])
            add((text + "-" if breaks[start] else text, box, size, role, 1))
            continue
        if sizes[end - 1] != size:
            size = sorted(sizes[start:end])[count // 2]
        if any_divided and True in breaks[start:end]:
            text = _divided_text(texts[start:end], breaks[start:end], page_text)
        else:
            text = " ".join(texts[start:end])
        box = (min(lefts[start:end]), min(tops[start:end]), max(rights[start:end]), max(bottoms[start:end]))
        add((text, box, size, role, count))
    return result


def _column_end(lines: Sequence[LineRow], start: int) -> int:
    """Index after the last line of the column that begins at `start`: before the next line that stands higher."""
    tops = list(map(_TOP, lines[start:]))
    if all(map(le, tops, tops[1:])):
        return len(lines)
    above = tops[0]
    for index, top in enumerate(tops):
        if top < above - lines[start + index][4]:
            return start + index
        above = top
    return len(lines)


def _starts(lines: Columns) -> list[int]:
    """Indexes of the lines that begin a paragraph."""
    lefts, tops, rights, bottoms, sizes, texts, breaks = lines
    # Quartiles, not extremes: a title over two columns stands in one of them.
    left, right = sorted(lefts)[len(lefts) // 4], sorted(rights)[3 * len(rights) // 4]
    short = left + SHORT_PART * (right - left)
    starts = [0]
    first = 0
    before_left, before_right, before_bottom, before_size, before_text = lefts[0], rights[0], bottoms[0], sizes[0], texts[0]
    limit = PITCH_SIZES * before_size
    bullets, leader_ends = _BULLETS, _LEADER_ENDS
    following = zip(lefts[1:], rights[1:], bottoms[1:], sizes[1:], texts[1:], strict=True)
    for index, (left, right, bottom, size, text) in enumerate(following, 1):
        step = bottom - before_bottom
        if step > limit:
            begins = True
        elif (
            # The usual line: as the one before, which is full. All else is looked at closely.
            right - before_right < size < 2.0 * step
            and before_right > short
            and (left == before_left or -1.0 < left - before_left < 1.0)
            and (size == before_size or -1.0 < size - before_size < 1.0)
            and text[0] not in bullets
            and before_text[-1] not in leader_ends
        ):
            limit = PITCH_FACTOR * step
            before_left, before_right, before_bottom, before_size, before_text = left, right, bottom, size, text
            continue
        elif tops[index] < before_bottom and step < 0.5 * size:
            begins = left > before_right + 4 * size or left < before_left
        elif size - before_size > SIZE_PART * before_size or before_size - size > SIZE_PART * before_size:
            begins = True
        elif breaks[index - 1]:
            begins = text[0] in bullets and text[1:2] in _AFTER_BULLET
        elif (text[0] in bullets and text[1:2] in _AFTER_BULLET) or (
            before_text[-1] in leader_ends and (" . ." in before_text or "...." in before_text)
        ):
            begins = True
        else:
            # The first word needs its share of the line's width.
            fitted = before_right < short or right - before_right > (text.find(" ") + 1 or len(text)) * (right - left) / len(text)
            item = _is_item(texts[first])
            shift, indent = left - before_left, INDENT_SIZES * size
            if not -indent < shift < indent:
                begins = _begins_at_indent(shift > 0, fitted, item, index - first, before_text)
            elif fitted:
                begins = not (shift and item and index - first == 1) or _NUMBERED.match(text) is not None
            else:
                begins = item and abs(left - lefts[first]) < indent and _is_item(text)
        if begins:
            starts.append(index)
            first = index
            limit = PITCH_SIZES * size
        elif step > 0.5 * size:
            limit = PITCH_FACTOR * step
        before_left, before_right, before_bottom, before_size, before_text = left, right, bottom, size, text
    return starts


def _begins_at_indent(inwards: bool, fitted: bool, item: bool, count: int, before_text: str) -> bool:
    """Whether a line whose left edge is not that of the line before begins a paragraph.

    Args:
        inwards: it stands further right, not further left.
        fitted: its first word would have fitted into the line before.
        item: the paragraph under way is an item of a list.
        count: lines of the paragraph under way.
        before_text: the line before.
    """
    if inwards:
        return not (item and count == 1) and (fitted or before_text[-1] in _SENTENCE_ENDS)
    return item or fitted or count > 1


def _is_item(text: str) -> bool:
    """Whether a paragraph that begins like this is an item of a list."""
    head = text[0]
    if head in _BULLETS:
        return text[1:2] in _AFTER_BULLET
    # The regular expression takes 0.4 µs, and nearly no line begins in a way that it could match.
    return (head == "(" or text[1:2] == ")" or head.isdecimal()) and _NUMBERED.match(text) is not None


def _divided_text(texts: Sequence[str], breaks: Sequence[bool], page_text: str) -> str:
    """Join lines of which some end in a divided word."""
    pieces = [texts[0]]
    for following, broken in zip(texts[1:], breaks, strict=False):
        if broken:
            pieces[-1] = joined(pieces[-1], following, page_text)
        else:
            pieces.append(following)
    return " ".join(pieces) + ("-" if breaks[-1] else "")
