"""One result of a search."""

from __future__ import annotations

from dataclasses import dataclass

MARK_BEGIN, MARK_END = "\x02", "\x03"
"""Stand around found words in `Hit.snippet`: control characters that no cleaned text has."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found.

    Attributes:
        score: higher is better; comparable within one search only.
        name: of the document.
        document_key: as it was stored under; of the command line the path of the file. "" if none was given.
        title: of the document, "" if it has none.
        document_id: of the document in the database.
        inside: whether the document lies in another, such as a mail or an archive; the key is that of the outermost.
        chunk_id: of the chunk in the document, such as "c3".
        pages: that the chunk touches, ascending; empty where there are none.
        headings: that it stands under, outermost first.
        text: of the chunk.
        snippet: the part of the text that fits best, found words between `MARK_BEGIN` and `MARK_END`; without words the
            beginning.
    """

    score: float
    name: str
    document_key: str
    title: str
    document_id: str
    inside: bool
    chunk_id: str
    pages: tuple[int, ...]
    headings: tuple[str, ...]
    text: str
    snippet: str
