"""Pages a second of our PDF reader against a bare pypdfium2 loop over the same files, in one process, in interleaved rounds."""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pypdfium2

from ingest.v1 import document_pb2
from ingest_server.handlers.extract import extract, preload
from ingest_server.handlers.extract_options import ExtractOptions
from ingest_server.handlers.interface import Context, Input, Output

PAGES_MAX = 1_000_000
ROUNDS = 7
"""Odd, so that the median is one of them."""


class FileInput(Input):
    """A PDF on disk."""

    def __init__(self, path: Path) -> None:
        """Stand for the file at `path`."""
        self._path = path
        self.media_type = "application/pdf"
        self.name = path.name
        self.metadata = {}
        self.size_bytes = path.stat().st_size

    def read(self) -> bytes:
        """All bytes."""
        return self._path.read_bytes()

    def view(self) -> memoryview:
        """All bytes."""
        return memoryview(self.read())

    def path(self) -> Path:
        """The file."""
        return self._path


class QuietContext(Context):
    """A context that nobody listens to."""

    def __init__(self, document: Input) -> None:
        """Run for `document`."""
        self.job_id = "00000000-0000-7000-8000-000000000000"
        self.attempt = 1
        self.crash_count = 0
        self.input = document
        self.log = logging.getLogger("bench")

    def progress(self, completed_units: int, total_units: int = 0, unit: str = "", message: str = "") -> None:
        """Tell nobody."""

    @property
    def cancelled(self) -> bool:
        """Never."""
        return False

    def check(self) -> None:
        """Go on."""

    def remaining_seconds(self) -> float:
        """For ever."""
        return float("inf")


@dataclass(frozen=True)
class Comparison:
    """One file, or all.

    Attributes:
        name: of the file.
        pages: in it.
        bare_pages_per_second, our_pages_per_second: medians over the rounds.
        ratio: median over the rounds of ours divided by bare, each within one round.
        ratio_min, ratio_max: over the rounds.
    """

    name: str
    pages: int
    bare_pages_per_second: float
    our_pages_per_second: float
    ratio: float
    ratio_min: float
    ratio_max: float


def bare_loop(path: Path, start: int = 0, stop: int = PAGES_MAX) -> int:
    """What one would write: the text of every page, or of some, through pypdfium2's own layer. Returns the number of pages."""
    pdf = pypdfium2.PdfDocument(path)
    pages = range(len(pdf))[start:stop]
    for number in pages:
        page = pdf[number]
        text_page = page.get_textpage()
        text_page.get_text_range()
        text_page.close()
        page.close()
    pdf.close()
    return len(pages)


def our_reader(path: Path) -> Output:
    """The extract task."""
    output = extract(QuietContext(FileInput(path)), ExtractOptions(pages_per_part=1_000_000))
    assert isinstance(output, Output), "asked for at once"
    return output


def compare(paths: Sequence[Path], rounds: int = ROUNDS) -> list[Comparison]:
    """Run both over each file, in turn, `rounds` times.

    Returns:
        One comparison per file, and one called "all" over their sums.

    Raises:
        RuntimeError: the two disagree about the number of pages.
    """
    preload()
    # Processor time: other processes on the machine count less than in wall time. Both loops are of one thread and never wait.
    times: dict[Path, list[tuple[float, float]]] = {path: [] for path in paths}
    pages = {path: bare_loop(path) for path in paths}
    for path in paths:
        read = document_pb2.Document.FromString(bytes(our_reader(path).data)).page_count
        if read != pages[path]:
            raise RuntimeError(f"{path.name}: our reader read {read} pages, the bare loop {pages[path]}")
    for number in range(rounds):
        for path in paths:
            # Who goes first changes from round to round.
            order: tuple[Callable[[Path], object], ...] = (bare_loop, our_reader) if number % 2 == 0 else (our_reader, bare_loop)
            taken = {run: _seconds(run, path) for run in order}
            times[path].append((taken[bare_loop], taken[our_reader]))
    result = [_comparison(path.name, pages[path], times[path]) for path in paths]
    sums = [
        (sum(times[path][number][0] for path in paths), sum(times[path][number][1] for path in paths)) for number in range(rounds)
    ]
    return [*result, _comparison("all", sum(pages.values()), sums)]


def _seconds(run: Callable[[Path], object], path: Path) -> float:
    begin = time.process_time()
    run(path)
    return time.process_time() - begin


def _comparison(name: str, pages: int, times: Sequence[tuple[float, float]]) -> Comparison:
    ratios = [bare / ours for bare, ours in times]
    bare, ours = (statistics.median(column) for column in zip(*times, strict=True))
    return Comparison(name, pages, pages / bare, pages / ours, statistics.median(ratios), min(ratios), max(ratios))


def find_pdfs(folder: Path, unpacked: Path) -> list[Path]:
    """PDFs in a folder and below, by name; those packed by gzip (as Debian does) are unpacked into `unpacked`."""
    found = sorted(folder.rglob("*.pdf"))
    for packed in sorted(folder.rglob("*.pdf.gz")):
        target = unpacked / packed.stem
        target.write_bytes(gzip.decompress(packed.read_bytes()))
        found.append(target)
    return found


def main() -> None:
    """Command line: a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "folder", type=Path, nargs="+", help="with PDFs, such as /usr/share/doc/octave or /usr/share/R/doc/manual"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--size-max", type=int, default=5_000_000, help="leave larger files out; bytes")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with TemporaryDirectory() as unpacked:
        paths = [path for folder in arguments.folder for path in find_pdfs(folder, Path(unpacked))]
        paths = [path for path in paths if path.stat().st_size <= arguments.size_max]
        if not paths:
            parser.error(f"no PDF of at most {arguments.size_max} bytes in {', '.join(map(str, arguments.folder))}")
        comparisons = compare(paths, arguments.rounds)
    if arguments.json:
        print(json.dumps([vars(each) for each in comparisons], indent=2))
        return
    print(f"{'file':24} {'pages':>6} {'bare/s':>8} {'ours/s':>8} {'ratio':>6}  min-max")
    for each in comparisons:
        rates = f"{each.bare_pages_per_second:8.0f} {each.our_pages_per_second:8.0f}"
        print(f"{each.name:24} {each.pages:6} {rates} {each.ratio:6.3f}  {each.ratio_min:.3f}-{each.ratio_max:.3f}")


if __name__ == "__main__":
    main()
