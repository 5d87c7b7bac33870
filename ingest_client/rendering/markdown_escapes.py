"""Escapes text for Markdown: whatever would mean something is made to mean itself, all else stays readable.

The rules are those of CommonMark 0.31 and of GitHub's tables, strikethrough, task lists, footnotes and alerts. A rule escapes
only where its construct could begin: `snake_case`, `2 * 3`, `a < b`, `AT&T` and `[1]` stay as they are.
"""

from __future__ import annotations

import re

_TEMPLATE = r"""
    (?P<backslash>\\(?=[!-/:-@\[-`{-~]|$))         # before punctuation it would escape, at the end of a line break the line
  | (?P<backtick>`)                                # pairs over any distance
  | (?P<star>\*+)
  | (?P<underscore>_+)
  | (?P<tilde>~+)
  | (?P<bracket>BRACKET)
  | (?P<angle><(?=[A-Za-z/!?]))                    # of a tag, a comment, an address
  | (?P<ampersand>&(?=\#?[A-Za-z0-9]{1,32};))      # of an entity
"""
# A link, a picture, a definition: none of them is without a bracket that "(" or ":" follows.
_INLINE = re.compile(_TEMPLATE.replace("BRACKET", r"\](?=[(:])"), re.VERBOSE | re.MULTILINE)
_LABEL = re.compile(_TEMPLATE.replace("BRACKET", r"[\[\]]"), re.VERBOSE | re.MULTILINE)
_LINE_START = re.compile(
    r"""
    (?P<ordered>\d{1,9}(?=[.)](?:[ \t]|$)))        # the mark after the number is escaped, not the digit
  | [-+*](?=[ \t]|$)                               # an item of a list
  | \#{1,6}(?=[ \t]|$)                             # a heading
  | >                                              # a quotation
  | ([-_*])(?:[ \t]*\2){2,}[ \t]*$                 # a line across
  | =+[ \t]*$                                      # makes the line above a heading
  | \[(?=[\ xX]\]|[!^])                            # a task, a footnote, an alert
  | (?=[|:\- \t]*-)[|:\-][|:\- \t]*$               # makes the line above a heading, or the head of a table
    """,
    re.VERBOSE,
)
_BLANKS = " \t\n"


def escape_inline(text: str) -> str:
    """Escape what has a meaning anywhere in a line. `text` is clean; line feeds in it stay."""
    return _INLINE.sub(_escaped, text)


def escape_line(line: str) -> str:
    """Escape a line that stands at the beginning of a block or continues one. `line` is clean, without blanks around it."""
    start = _LINE_START.match(line)
    if start is None:
        return escape_inline(line)
    at = start.end("ordered") if start.group("ordered") else 0
    parts, end = [line[:at], "\\", line[at]], at + 1
    for found in _INLINE.finditer(line, end):  # the pattern looks back: what stands before must stay in sight
        parts += (line[end : found.start()], _escaped(found))
        end = found.end()
    return "".join((*parts, line[end:]))


def escape_heading(line: str) -> str:
    """Escape the text of a heading, which may not end with a mark of its own. `line` is clean, without blanks around it."""
    escaped = escape_inline(line)
    return f"{escaped[:-1]}\\#" if escaped.endswith("#") else escaped


def escape_cell(line: str) -> str:
    """Escape the text of a cell in a table. `line` is clean, one line, without blanks around it."""
    return escape_inline(line).replace("|", "\\|")


def escape_label(line: str) -> str:
    """Escape the text in the brackets of a link or a picture. `line` is clean, one line."""
    return _LABEL.sub(_escaped, line)


def link_destination(address: str) -> str:
    """An address as it stands in the parentheses of a link: everything that could end it is encoded by percent."""
    return "".join(f"%{ord(each):02X}" if each in "()<>\\\"` '" or ord(each) < 0x20 else each for each in address)


def _escaped(found: re.Match[str]) -> str:
    kind, run = found.lastgroup, found.group()
    text = found.string
    before = text[found.start() - 1] if found.start() else " "
    after = text[found.end()] if found.end() < len(text) else " "
    apart = before in _BLANKS and after in _BLANKS
    if kind == "star" and apart:
        return run  # neither opens nor closes anything
    if kind == "underscore" and (apart or (before.isalnum() and after.isalnum())):
        return run
    if kind == "tilde" and len(run) == 1 and before in _BLANKS:
        return run  # could open, but nothing that could close it stays
    return "".join(f"\\{each}" for each in run)
