"""From what somebody typed to queries of FTS5, the strictest first."""

from __future__ import annotations

import re
from collections.abc import Iterator

WORDS_MAX = 64
"""Words of a query that count: enough for a pasted paragraph."""
_WORD = re.compile(r"\w+")


def queries(text: str) -> Iterator[str]:
    """Queries to try in turn until one finds something.

    First the text as FTS5 reads it, if it uses its syntax: "a phrase", prefix*, AND, OR, NOT, NEAR(…). It may be none, which the
    caller learns from SQLite and passes over. Then all of its words, wherever they stand; then any of them, the best first.
    """
    words = list(dict.fromkeys(_WORD.findall(text)))[:WORDS_MAX]
    if any(letter in text for letter in '"*()^+:') or {"AND", "OR", "NOT", "NEAR"} & set(words):
        yield text
    quoted = [f'"{word}"' for word in words]
    if quoted:
        yield " AND ".join(quoted)
    if len(quoted) > 1:
        yield " OR ".join(quoted)
