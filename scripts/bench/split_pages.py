"""Pages a second of the split task alone, over a made document of 1,000 pages.

python -m scripts.bench.split_pages
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable

from ingest.v1 import document_pb2
from ingest_server.domain.split_rules import SplitRequest, SplitUnit
from ingest_server.handlers.chunking.chunker import add_chunks
from ingest_server.handlers.chunking.source_text import SourceText
from ingest_server.handlers.chunking.token_estimate import count_tokens

PAGES = 1_000
PARAGRAPHS_PER_PAGE = 6
"""Of about 450 characters: 2,700 a page, as a page of a manual has."""
ROUNDS = 5


def made_document(seed: int = 1) -> bytes:
    """A serialized document of prose under headings; the same for the same seed."""
    chance = random.Random(seed)
    words = ["".join(chance.choice("etaoinshrdlu") for _ in range(chance.randint(2, 9))) for _ in range(5_000)]
    document = document_pb2.Document(page_count=PAGES)
    for number in range(PAGES * PARAGRAPHS_PER_PAGE):
        element = document.elements.add(id=f"e{number + 1}", page=number // PARAGRAPHS_PER_PAGE + 1)
        if number % 20 == 0:
            element.heading_level = 1 + number // 20 % 3
            element.text.role = document_pb2.TEXT_ROLE_HEADING
            element.text.text = " ".join(chance.choices(words, k=6))
        else:
            sentences = (" ".join(chance.choices(words, k=chance.randint(5, 20))) for _ in range(chance.randint(3, 8)))
            element.text.text = " ".join(sentence.capitalize() + "." for sentence in sentences)
    return document.SerializeToString()


def split_once(data: bytes, request: SplitRequest) -> bytes:
    """What the task does with a document: read, cut, write."""
    document = document_pb2.Document.FromString(data)
    add_chunks(SourceText(document), request, count_tokens, document, _go_on)
    return document.SerializeToString()


def _go_on() -> None:
    """Nobody cancels."""


def seconds(work: Callable[[], object]) -> float:
    """Median of `ROUNDS` runs."""
    taken = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def main() -> None:
    """Print one line for each unit."""
    data = made_document()
    for unit, request in {
        "tokens:512, overlap 64": SplitRequest(512, 64),
        "characters:2000, overlap 200": SplitRequest(2_000, 200, SplitUnit.CHARACTERS),
        "sentences:10, overlap 2": SplitRequest(10, 2, SplitUnit.SENTENCES),
        "pages:1, at most 512 tokens": SplitRequest(1, 0, SplitUnit.PAGES, 0, 512),
        "headings:1": SplitRequest(1, 0, SplitUnit.HEADINGS),
    }.items():
        taken = seconds(lambda request=request: split_once(data, request))  # type: ignore[misc]
        print(f"{unit:30} {PAGES / taken:8,.0f} pages/s")


if __name__ == "__main__":
    main()
