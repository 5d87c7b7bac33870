"""Words and their order in what our PDF reader gives, against pdftotext (poppler-utils), on real documents.

Word F1 compares the multisets of words of a document, bigram F1 those of pairs of adjacent words, which tell the reading order.
pdftotext has two orders: that of its own layout analysis, and with -raw that of drawing. They differ in tables without rules,
such as the commands and their meanings in octave's reference cards, and the leaders of a table of contents: the first order reads
all of one column and then all of the next, the second reads row by row, as people do. Each document counts by the order that is
nearer to ours; both are shown.

Words are compared in small letters after Unicode normalization NFKC, so that ligatures and letter case do not count.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from ingest.v1 import document_pb2
from ingest_server.handlers.extract import preload
from scripts.bench.pdf_pages import find_pdfs, our_reader

FOLDERS = (
    Path("/usr/share/R/doc/manual"),
    Path("/usr/share/doc/octave"),
    Path("/usr/share/doc/debian-policy"),
    Path("/usr/share/doc/c++-annotations"),
    Path("/usr/share/doc/live-manual/pdf"),
)
"""Where Debian's r-doc-pdf, octave-doc, debian-policy, c++-annotations-pdf and live-manual-pdf put theirs."""
TIMEOUT_SECONDS = 300
"""pdftotext takes 10 s for the largest, of 3,500 pages."""
WORD_MEDIAN_MIN, WORD_MIN = 0.99, 0.95
BIGRAM_MEDIAN_MIN, BIGRAM_MIN = 0.93, 0.80
"""What is asked for: the median over all documents, and each one."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one document, or of one page.

    Attributes:
        name: of the document; with the page's number, if it is of one.
        words: in pdftotext's text.
        word_f1: from 0 to 1; 1 where neither has any.
        layout_f1, drawn_f1: of bigrams, against the order of layout analysis and that of drawing.
    """

    name: str
    words: int
    word_f1: float
    layout_f1: float
    drawn_f1: float

    @property
    def bigram_f1(self) -> float:
        """The better of the two."""
        return max(self.layout_f1, self.drawn_f1)


def words_of(text: str) -> list[str]:
    """The words of a text, as they are compared."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def f1(ours: Iterable[object], theirs: Iterable[object]) -> float:
    """Harmonic mean of precision and recall of multisets."""
    found, expected = Counter(ours), Counter(theirs)
    total = found.total() + expected.total()
    return 2 * (found & expected).total() / total if total else 1.0


def quality(name: str, ours: Sequence[str], layout: Sequence[str], drawn: Sequence[str]) -> Quality:
    """Compare our words with pdftotext's in both orders."""
    pairs = list(pairwise(ours))
    return Quality(name, len(layout), f1(ours, layout), f1(pairs, pairwise(layout)), f1(pairs, pairwise(drawn)))


def our_pages(path: Path) -> list[str]:
    """The text of each page by our reader."""
    document = document_pb2.Document.FromString(bytes(our_reader(path).data))
    pages: list[list[str]] = [[] for _ in range(document.page_count)]
    for element in document.elements:
        # Tables as people read them: row by row.
        texts = [cell.text for cell in element.table.cells] if element.HasField("table") else [element.text.text]
        pages[element.page - 1] += texts
    return ["\n".join(page) for page in pages]


def their_pages(path: Path, *options: str) -> list[str]:
    """The text of each page by pdftotext."""
    run = subprocess.run(
        ["pdftotext", "-enc", "UTF-8", *options, str(path), "-"], capture_output=True, timeout=TIMEOUT_SECONDS, check=True
    )
    return run.stdout.decode("utf-8", "replace").split("\f")[:-1]


def compare(path: Path) -> tuple[Quality, list[Quality]]:
    """A document, and its pages."""
    texts = (our_pages(path), their_pages(path), their_pages(path, "-raw"))
    words = [[words_of(page) for page in pages] for pages in texts]
    pages = [quality(f"{path.name}:{number}", *page) for number, page in enumerate(zip(*words, strict=True), 1)]
    return quality(path.name, *(list(chain.from_iterable(each)) for each in words)), pages


def met(documents: Sequence[Quality]) -> bool:
    """Whether what is asked for is reached by a set of documents."""
    words, bigrams = [each.word_f1 for each in documents], [each.bigram_f1 for each in documents]
    return (
        statistics.median(words) >= WORD_MEDIAN_MIN
        and min(words) >= WORD_MIN
        and statistics.median(bigrams) >= BIGRAM_MEDIAN_MIN
        and min(bigrams) >= BIGRAM_MIN
    )


def show(sets: Mapping[str, Sequence[Quality]], pages: Sequence[Quality]) -> None:
    """Print a table: of each set its documents, its median and worst; and the pages given."""
    line = "{:44} {:>8} {:>8} {:>9} {:>8} {:>8}".format
    print(line("document", "words", "word F1", "bigram F1", "layout", "drawn"))
    for name, documents in sets.items():
        for each in documents:
            print(_row(each, line))
        for what, choose in (("median", statistics.median), ("worst", min)):
            words, bigrams = choose([each.word_f1 for each in documents]), choose([each.bigram_f1 for each in documents])
            print(line(f"{what} of {name}", "", f"{words:.4f}", f"{bigrams:.4f}", "", ""))
        print(f"{name}: {'met' if met(documents) else 'NOT MET'}")
    for each in pages:
        print(_row(each, line))


def _row(each: Quality, line: Callable[..., str]) -> str:
    figures = (each.word_f1, each.bigram_f1, each.layout_f1, each.drawn_f1)
    return line(each.name, each.words, *(f"{figure:.4f}" for figure in figures))


def main() -> int:
    """Command line: a table, or JSON. The exit status is 1 where what is asked for is not reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("place", type=Path, nargs="*", help="a PDF, or a folder with PDFs; default: Debian's manuals")
    parser.add_argument("--pages", type=int, default=0, help="show so many of the pages with the lowest bigram F1")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    places = arguments.place or [folder for folder in FOLDERS if folder.is_dir()]
    preload()
    sets: dict[str, list[Quality]] = {}
    pages: list[Quality] = []
    seen: set[Path] = set()
    with TemporaryDirectory() as unpacked:
        for place in places:
            paths = [place] if place.is_file() else find_pdfs(place, Path(unpacked))
            # Debian has the same file under two names.
            fresh = [path for path in {path.resolve(): path for path in paths}.values() if path.resolve() not in seen]
            seen.update(path.resolve() for path in fresh)
            compared = [compare(path) for path in fresh]
            if compared:
                sets[place.name] = [document for document, _ in compared]
                pages += [page for _, found in compared for page in found]
    if not sets:
        parser.error(f"no PDF in {', '.join(map(str, places)) or 'the places where Debian puts its manuals'}")
    pages = sorted(pages, key=lambda page: page.bigram_f1)[: arguments.pages]
    if arguments.json:
        print(json.dumps({name: [asdict(each) for each in found] for name, found in {**sets, "pages": pages}.items()}, indent=2))
    else:
        show(sets, pages)
    return 0 if all(map(met, sets.values())) else 1


if __name__ == "__main__":
    sys.exit(main())
