"""Words and their order in what our HTML reader gives, against hand-made truth on 20 pages; and files a second of one core.

    python -m scripts.bench.html_quality [--folder FOLDER] [--rounds 3] [--json]

The pages are those of Debian's python3.11-doc; where it is not installed, the package is downloaded by apt-get and unpacked into
a temporary folder. Word F1 compares the multisets of words, bigram F1 those of pairs of adjacent words, as `pdf_quality` does.
"full" is the same for all text of a page, read with content FULL. Speed is processor time of the extract task, reading the file
included.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from ingest.v1 import document_pb2
from ingest_server.domain.extract_rules import ContentScope
from ingest_server.handlers.extract import extract, preload
from ingest_server.handlers.extract_options import ExtractOptions
from ingest_server.handlers.inputs import FileInput
from ingest_server.handlers.interface import Output
from scripts.bench.html_truth import PAGES, Page, TruthFault, all_words, content_words
from scripts.bench.pdf_pages import QuietContext
from scripts.bench.pdf_quality import f1, words_of

PACKAGE = "python3.11-doc"
BELOW_ROOT = Path("usr/share/doc/python3.11/html")
"""Where the package has its pages."""
FETCH_SECONDS = 600
WORD_MIN = 0.95
"""Asked for of each page."""
FILES_PER_SECOND_MIN = 200
"""Asked for of one core, over all pages."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one page.

    Attributes:
        name: its path.
        words: in the truth.
        word_f1, bigram_f1: of the main content, from 0 to 1.
        full_f1: word F1 of all text.
    """

    name: str
    words: int
    word_f1: float
    bigram_f1: float
    full_f1: float


@dataclass(frozen=True, slots=True)
class Speed:
    """Of all pages: how many, their bytes, and the median over the rounds of files a second."""

    files: int
    total_bytes: int
    files_per_second: float


@contextmanager
def pages_folder(given: Path | None) -> Iterator[Path]:
    """The folder with the pages: the given one, the installed one, or one that goes at the end.

    Raises:
        RuntimeError: the package cannot be downloaded; the text says what to do.
    """
    if given is not None:
        yield given
    elif (installed := Path("/") / BELOW_ROOT).is_dir():
        yield installed
    else:
        with TemporaryDirectory() as folder:
            for command in (["apt-get", "download", PACKAGE], ["sh", "-c", f"dpkg -x {PACKAGE}_*.deb unpacked"]):
                try:
                    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
                except OSError as error:
                    raise RuntimeError(f"{command[0]} cannot be run: {error}. Name the pages' folder by --folder.") from error
                if run.returncode:
                    why = run.stderr.strip().splitlines()[-1:] or ["it did not say why"]
                    raise RuntimeError(f"{PACKAGE} was not got: {why[0]}. Run apt-get update, or name the folder by --folder.")
            yield Path(folder) / "unpacked" / BELOW_ROOT


def our_words(path: Path, scope: ContentScope) -> list[str]:
    """The words of a page by our reader, tables by their cells."""
    document = document_pb2.Document.FromString(_read(path, scope))
    texts: list[str] = []
    for element in document.elements:
        texts.append(element.text.text)
        texts.append(element.table.caption)
        texts += (cell.text for cell in element.table.cells)
    return words_of("\n".join(texts))


def _read(path: Path, scope: ContentScope) -> bytes:
    document = FileInput(path, path.stat().st_size, "text/html", path.name)
    output = extract(QuietContext(document), ExtractOptions(content=scope))
    assert isinstance(output, Output), "a document without pages"
    return bytes(output.data)


def compare(page: Page, folder: Path) -> Quality:
    """Compare one page with its truth. Raises TruthFault, OSError."""
    truth = content_words(page, folder)
    path = folder / page.path
    ours = our_words(path, ContentScope.MAIN)
    full = f1(our_words(path, ContentScope.FULL), all_words(path))
    return Quality(page.path, len(truth), f1(ours, truth), f1(pairwise(ours), pairwise(truth)), full)


def speed(paths: Sequence[Path], rounds: int) -> Speed:
    """Read all pages, one after the other, `rounds` times."""
    rates = []
    for _ in range(rounds):
        begin = time.process_time()
        for path in paths:
            _read(path, ContentScope.MAIN)
        rates.append(len(paths) / (time.process_time() - begin))
    return Speed(len(paths), sum(path.stat().st_size for path in paths), statistics.median(rates))


def met(qualities: Sequence[Quality], measured: Speed) -> bool:
    """Whether what is asked for is reached."""
    worst = min(min(each.word_f1, each.full_f1) for each in qualities)
    return worst >= WORD_MIN and measured.files_per_second >= FILES_PER_SECOND_MIN


def show(qualities: Sequence[Quality], measured: Speed) -> None:
    """Print a table: each page, the median and the worst, and the speed."""
    line = "{:32} {:>8} {:>8} {:>9} {:>8}".format
    print(line("page", "words", "word F1", "bigram F1", "full F1"))
    for each in qualities:
        print(line(each.name, each.words, *(f"{figure:.4f}" for figure in (each.word_f1, each.bigram_f1, each.full_f1))))
    for what, choose in (("median", statistics.median), ("worst", min)):
        figures = [choose([getattr(each, name) for each in qualities]) for name in ("word_f1", "bigram_f1", "full_f1")]
        print(line(what, "", *(f"{figure:.4f}" for figure in figures)))
    print(
        f"{measured.files} files of {measured.total_bytes / 1e6:.1f} MB: {measured.files_per_second:,.0f} files/s of one core; "
        f"asked for: word F1 {WORD_MIN} of each page, {FILES_PER_SECOND_MIN} files/s: "
        f"{'met' if met(qualities, measured) else 'NOT MET'}"
    )


def main() -> int:
    """Command line: a table, or JSON. The exit status is 1 where what is asked for is not reached, 2 without the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help=f"the pages of {PACKAGE}, unpacked; default: installed, or downloaded")
    parser.add_argument("--rounds", type=int, default=3, help="of the speed; odd, so that the median is one of them")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    preload()
    gc.collect()
    gc.freeze()  # as it is in a worker
    try:
        with pages_folder(arguments.folder) as folder:
            qualities = [compare(page, folder) for page in PAGES]
            measured = speed(sorted(folder.rglob("*.html")), max(arguments.rounds, 1))
    except (RuntimeError, TruthFault, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps({"pages": [asdict(each) for each in qualities], "speed": asdict(measured)}, indent=2))
    else:
        show(qualities, measured)
    return 0 if met(qualities, measured) else 1


if __name__ == "__main__":
    sys.exit(main())
