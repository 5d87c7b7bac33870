"""Tables in what our PDF reader gives, against tables whose cells are known.

The measure is that of the table competition of ICDAR 2013 (Göbel, Hassan, Oro and Orsi, "A Methodology for Evaluating Algorithms
for Table Understanding in PDF Documents", 2012): a table is the multiset of its adjacency relations, (text of a cell, text of its
next cell with text to the right or below, direction), white space removed; F1 compares the multisets of all tables of one kind.
What stands in columns but is no table has no relations: there, tables found are counted.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ingest.v1 import document_pb2
from ingest_server.handlers.extract import preload
from scripts.bench.column_samples import OTHER_KINDS
from scripts.bench.pdf_pages import our_reader
from scripts.bench.table_samples import TABLE_KINDS, Place, Sample

PER_KIND = 60
"""Pages of each kind."""
LEAST = {"ruled": 0.98, "unruled": 0.98, "merged": 0.9, "multi-line": 0.9, "multi-line unruled": 0.9}
"""Cell-adjacency F1 that is asked for."""

Relation = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one kind.

    Attributes:
        kind: of pages.
        pages: of that kind.
        tables: found on them.
        precision, recall, f1: of adjacency relations; None for kinds without tables.
        worst: numbers of the samples with the lowest F1, those below 1 only; or of those with a table where none is.
    """

    kind: str
    pages: int
    tables: int
    precision: float | None
    recall: float | None
    f1: float | None
    worst: tuple[int, ...]

    @property
    def met(self) -> bool:
        """Whether what is asked for is reached."""
        return self.tables == 0 if self.f1 is None else self.f1 >= LEAST[self.kind]


def samples(kind: str, count: int, seed: int = 1) -> list[Sample]:
    """Make samples of one kind, of `TABLE_KINDS` or `OTHER_KINDS`; always the same."""
    make = TABLE_KINDS.get(kind) or OTHER_KINDS[kind]
    return [make(random.Random(f"{kind} {seed} {number}")) for number in range(count)]


def relations(cells: Iterable[Place]) -> Counter[Relation]:
    """The adjacency relations of a table: of each cell, in each row and column that it spans, to the next cell with text; the
    same relation of a spanning cell counts once."""
    owners: dict[tuple[int, int], int] = {}
    listed = list(cells)
    for number, (row, column, down, across, _) in enumerate(listed):
        for y in range(row, row + down):
            for x in range(column, column + across):
                owners[y, x] = number
    last_row, last_column = max((y for y, _ in owners), default=-1), max((x for _, x in owners), default=-1)
    pairs: set[tuple[int, int, str]] = set()
    for (y, x), number in owners.items():
        right = next((owners[y, to] for to in range(x + 1, last_column + 1) if owners.get((y, to), number) != number), None)
        below = next((owners[to, x] for to in range(y + 1, last_row + 1) if owners.get((to, x), number) != number), None)
        pairs |= {(number, right, "right")} if right is not None else set()
        pairs |= {(number, below, "below")} if below is not None else set()
    texts = ["".join(cell[4].split()) for cell in listed]
    return Counter((texts[one], texts[other], direction) for one, other, direction in pairs)


def found_tables(sample: Sample, folder: Path) -> list[list[Place]]:
    """The cells of the tables that our reader finds; the sample is put into `folder`."""
    path = folder / "sample.pdf"
    path.write_bytes(sample.pdf)
    document = document_pb2.Document.FromString(bytes(our_reader(path).data))
    return [
        [(cell.row, cell.column, cell.row_span, cell.column_span, cell.text) for cell in element.table.cells]
        for element in document.elements
        if element.WhichOneof("kind") == "table"
    ]


def measure(kind: str, count: int, seed: int, folder: Path) -> Quality:
    """Read samples of one kind."""
    expected_all: Counter[Relation] = Counter()
    tables = correct = found_count = 0
    scores: list[tuple[float, int]] = []
    for number, sample in enumerate(samples(kind, count, seed)):
        found = found_tables(sample, folder)
        tables += len(found)
        if sample.cells is None:
            scores += [(0.0, number)] if found else []
            continue
        expected = relations(sample.cells)
        ours: Counter[Relation] = Counter()
        for cells in found:
            ours += relations(cells)
        expected_all += expected
        shared = (expected & ours).total()
        correct, found_count = correct + shared, found_count + ours.total()
        score = 2 * shared / max(expected.total() + ours.total(), 1)
        scores += [(score, number)] if score < 1 else []
    worst = tuple(number for _, number in sorted(scores)[:8])
    if kind in OTHER_KINDS:
        return Quality(kind, count, tables, None, None, None, worst)
    precision, recall = correct / max(found_count, 1), correct / max(expected_all.total(), 1)
    f1 = 2 * correct / max(found_count + expected_all.total(), 1)
    return Quality(kind, count, tables, precision, recall, f1, worst)


def main() -> int:
    """Command line: a table, or JSON. The exit status is 1 where what is asked for is not reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join((*TABLE_KINDS, *OTHER_KINDS))}; default all")
    parser.add_argument("--count", type=int, default=PER_KIND, help="pages of each kind; default %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="other tables for another number")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    unknown = [kind for kind in arguments.kinds if kind not in TABLE_KINDS and kind not in OTHER_KINDS]
    if unknown or arguments.count < 1:
        parser.error(f"no kind is called {', '.join(unknown)}" if unknown else f"--count is {arguments.count}; at least 1")
    preload()
    kinds = arguments.kinds or (*TABLE_KINDS, *OTHER_KINDS)
    with TemporaryDirectory() as folder:
        measured = [measure(kind, arguments.count, arguments.seed, Path(folder)) for kind in kinds]
    if arguments.json:
        print(json.dumps([{**asdict(each), "met": each.met} for each in measured], indent=2))
    else:
        print(f"{'kind':20} {'pages':>5} {'tables':>6} {'precision':>9} {'recall':>7} {'F1':>7}")
        for each in measured:
            figures = (each.precision, each.recall, each.f1)
            shown = "  ".join("      –" if figure is None else f"{figure:7.4f}" for figure in figures)
            verdict = f"{'met' if each.met else 'NOT MET'} {each.worst or ''}"
            print(f"{each.kind:20} {each.pages:5} {each.tables:6}  {shown}  {verdict}")
    return 0 if all(each.met for each in measured) else 1


if __name__ == "__main__":
    sys.exit(main())
