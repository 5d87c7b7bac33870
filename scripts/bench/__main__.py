"""Measures the service and its ceilings, prints one table, writes one JSON file.

Every figure is the median of interleaved rounds, its ratio the median of the ratios within the rounds. Names choose benchmarks;
without names all are run. The exit status is 0 also where a requirement is not met: that depends on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.bench import callbacks, footprint, pdf_figures, rates, rest, rest_figures
from scripts.bench.figures import Figure, table
from scripts.bench.machine import describe, fsync_seconds
from scripts.bench.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).resolve().parent / "results"
PDF_FOLDERS = (Path("/usr/share/R/doc/manual"), Path("/usr/share/doc/octave"), Path("/usr/share/doc/debian-policy"))
"""Where Debian's r-doc-pdf, octave-doc and debian-policy put theirs."""
MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs")

BENCHMARKS: dict[str, Callable[[Plan], list[Figure]]] = {
    "throughput": rates.jobs_end_to_end,
    "latency": rates.one_job,
    "coalesced": rates.coalesced,
    "pdf": pdf_figures.documents,
    "pdf-one": pdf_figures.one_document,
    "idle": footprint.idle,
    "watches": footprint.watchers,
    "preloaded": footprint.preloaded,
    "large-document": footprint.large_document,
    "rest-events": rest_figures.events,
    "rest-blobs": rest_figures.blobs,
    "full-store": rates.full_store,
    "callbacks": callbacks.callbacks,
    "rest-unary": rest.unary_calls,
}


def run(names: Sequence[str], plan: Plan) -> tuple[list[Figure], dict[str, float]]:
    """Run the benchmarks named, in that order, telling on stderr what goes on.

    Returns:
        The figures, and how many seconds each benchmark took.
    """
    figures: list[Figure] = []
    seconds: dict[str, float] = {}
    for name in names:
        print(f"{name} … ", end="", file=sys.stderr, flush=True)
        begin = time.perf_counter()
        figures += BENCHMARKS[name](plan)
        seconds[name] = time.perf_counter() - begin
        print(f"{seconds[name]:.0f} s", file=sys.stderr)
    return figures, seconds


def write(path: Path, about: dict[str, Any], figures: Sequence[Figure]) -> None:
    """Write the results file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({**about, "figures": [figure.as_json() for figure in figures]}, indent=2, ensure_ascii=False) + "\n"
    )


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench/run", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--rounds", type=int, help="of each figure; default 5, with --quick 2")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything works")
    parser.add_argument("--data-dir", type=Path, default=ROOT / "build" / "bench", help="on the disk to measure; %(default)s")
    parser.add_argument(
        "--pdfs", type=Path, action="append", help="folder with PDFs; default: manuals of Debian packages, or samples"
    )
    parser.add_argument("--output", type=Path, help="JSON file; default scripts/bench/results/TIME.json")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}: choose from {', '.join(BENCHMARKS)}")
    if given.rounds is not None and given.rounds < 1:
        parser.error(f"--rounds is {given.rounds}, but must be at least 1")
    missing = [str(folder) for folder in given.pdfs or () if not folder.is_dir()]
    if missing:
        parser.error(f"no such folder: {', '.join(missing)}")
    return given


def main() -> None:
    """Measure, print, write."""
    given = arguments()
    begin = datetime.now(UTC)
    given.data_dir.mkdir(parents=True, exist_ok=True)
    rounds = given.rounds or (2 if given.quick else 5)
    pdf_folders = tuple(given.pdfs or (folder for folder in PDF_FOLDERS if folder.is_dir()))
    with tempfile.TemporaryDirectory(dir=given.data_dir) as folder:
        plan = Plan(Path(folder), rounds, given.quick, pdf_folders)
        about: dict[str, Any] = {"time": begin.isoformat(timespec="seconds"), "rounds": rounds, "quick": given.quick}
        about |= describe(plan.data_dir)
        if about["data_dir"]["file_system"] in MEMORY_FILE_SYSTEMS:
            print(f"{given.data_dir} is in memory: fsync costs nothing there. Choose a disk with --data-dir.", file=sys.stderr)
        figures, seconds = run(given.names or list(BENCHMARKS), plan)
        about["at_end"] = {"load_average": os.getloadavg()[0], "fsync_us_median": fsync_seconds(plan.data_dir) * 1e6}
    output = given.output or RESULTS / f"{begin:%Y-%m-%dT%H%M%SZ}.json"
    write(output, {**about, "seconds": seconds}, figures)
    machine, disk, end = about["machine"], about["data_dir"], about["at_end"]
    print(f"{machine['processor']}, {machine['processors_usable']} processors, {disk['file_system']}, ", end="")
    print(f"fsync {disk['fsync_us_median']:,.0f} µs (at the end {end['fsync_us_median']:,.0f}), ", end="")
    print(f"load {machine['load_average_at_start']:.1f} (at the end {end['load_average']:.1f}), ", end="")
    print(f"medians of {rounds} rounds{', QUICK: small sizes' if given.quick else ''}\n")
    print(table(figures))
    print(f"\nwritten to {output}")


if __name__ == "__main__":
    main()
