"""The fenced blocks of a Markdown page that say in their first line what a test does with them.

    ```sh run               a shell runs it; `status=1` where another end than 0 is meant
    ```sh server            a server runs it, in place of the one before, until the next one or the end of the page
    ```sh beside            the same, beside the one before
    ```python run           Python runs it
    ```js run               Node runs it
    ```js browser           Chromium runs it, in the console of the page /docs; it must come to its end
    ```python file=NAME     it is written to a file

`needs=PROGRAM`: passed over where the program is not installed. Blocks without any of these are for reading only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(\w+)[ \t]*([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its language, what to do (a word of the list above, or ""), the options, the text, and where it stands."""

    language: str
    deed: str
    options: dict[str, str]
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order.

    Raises:
        ValueError: a block says something this does not know.
    """
    source = page.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(source):
        line = source.count("\n", 0, match.start()) + 1
        deed, options = "", {}
        for word in match[2].split():
            name, equals, value = word.partition("=")
            if word in ("run", "server", "beside", "browser"):
                deed = word
            elif equals and name in ("file", "needs", "status"):
                options[name] = value
                deed = "file" if name == "file" else deed
            else:
                raise ValueError(f"{page}:{line}: {word!r} is nothing a test does with a block")
        found.append(Block(match[1], deed, options, match[3], line))
    return found
