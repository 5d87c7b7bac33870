"""What each thing read of a PDF beside its text costs: processor time relative to the text alone, in interleaved rounds.

Use: python -m scripts.bench.pdf_structure /usr/share/R/doc/manual/R-exts.pdf /usr/share/doc/octave/octave.pdf
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sized
from dataclasses import dataclass
from pathlib import Path

from ingest.v1 import document_pb2
from ingest_server.handlers.extract import preload
from ingest_server.handlers.pdf.reader import PdfReader
from ingest_server.handlers.reader import ReadOptions
from ingest_server.handlers.source import Source
from scripts.bench.pdf_pages import FileInput, QuietContext

ROUNDS = 5
PAGES_DRAWN = 40
"""Pages are drawn of the first so many only: it takes some fifteen times as long as their text."""
CASES = {
    "text": ReadOptions(),
    "outline": ReadOptions(outline=True),
    "links": ReadOptions(links=True),
    "images": ReadOptions(images=True),
}
DRAWN = ReadOptions(page_images_dpi=150, last_page=PAGES_DRAWN)


@dataclass(frozen=True)
class Cost:
    """Of one case.

    Attributes:
        name: of the case.
        found: how many things were read; bytes of drawn pages.
        seconds: of processor time, median.
        ratio: median over the rounds of the time of this case by that of the text alone, each within one round.
    """

    name: str
    found: int
    seconds: float
    ratio: float


def costs(path: Path, rounds: int = ROUNDS) -> list[Cost]:
    """Read a PDF in every way, `rounds` times, in turn. The drawn pages are compared with the text of the same pages."""
    source, context, reader = Source(FileInput(path)), QuietContext(FileInput(path)), PdfReader()
    cases = {**CASES, "text of drawn": ReadOptions(last_page=PAGES_DRAWN), "drawn": DRAWN}
    times: dict[str, list[float]] = {name: [] for name in cases}
    found: dict[str, int] = {}
    for _ in range(rounds):
        for name, options in cases.items():
            begin = time.process_time()
            document = reader.read(source, options, context)
            times[name].append(time.process_time() - begin)
            found[name] = _count(document, name)
    bases = {name: "text of drawn" if name in ("drawn", "text of drawn") else "text" for name in cases}
    return [Cost(name, found[name], statistics.median(times[name]), _ratio(times[name], times[bases[name]])) for name in cases]


def _ratio(ours: list[float], base: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(ours, base, strict=True))


def _count(document: document_pb2.Document, name: str) -> int:
    if name == "images":
        return sum(element.HasField("image") for element in document.elements)
    if name == "drawn":
        return sum(len(image.data) for image in document.page_images)
    things: dict[str, Sized] = {"outline": document.outline, "links": document.links}
    return len(things.get(name, document.elements))


def main() -> None:
    """Command line: a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pdf", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    preload()
    print(f"{'file':24} {'case':14} {'found':>10} {'seconds':>8} {'ratio':>6}")
    for path in arguments.pdf:
        for cost in costs(path, arguments.rounds):
            print(f"{path.name:24} {cost.name:14} {cost.found:10} {cost.seconds:8.3f} {cost.ratio:6.2f}")


if __name__ == "__main__":
    main()
