"""Sends files made to do harm to a real server and tells what became of each.

Samples of other projects' tests, mutants of them, and bombs made by code go to a server with two workers and usual limits,
with ordinary documents between them. Every file must end in a result or a clear failure within its limits; no process of the
server may be replaced, no ordinary document may fail or come out otherwise, no worker may outgrow its memory, and nothing may
be left behind. The exit status is 0 only if all of that is so.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ingest_client import IngestClientError
from scripts.hostile_set.assault import Round, run_round
from scripts.hostile_set.hostile_file import HostileFile
from scripts.hostile_set.report import show, verdict, write
from scripts.hostile_set.selection import Selection, groups
from scripts.hostile_set.verdict import Limits

ROOT = Path(__file__).resolve().parents[2]
MIB = 1024 * 1024
USUAL, SHORT = 1, 10
"""Of the samples each so-manieth is taken."""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/hostile", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--short", action="store_true", help="a round of a minute: few samples, nothing heavy")
    parser.add_argument("--mutants", type=int, default=6, help="of each sample; default %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="of the mutants; default %(default)s")
    parser.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help="files whose identity or group has this in it"
    )
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write the chosen files there and send nothing")
    parser.add_argument("--strict", action="store_true", help="an exception that no reader expected is a fault")
    parser.add_argument("--attempt-timeout-seconds", type=float, help="default 20, with --short 2")
    parser.add_argument("--attempt-memory-mib", type=int, help="default 512, with --short 256")
    parser.add_argument("--result-mib", type=int, default=64, help="largest result; default %(default)s")
    parser.add_argument("--material", type=Path, default=ROOT / "build" / "hostile", help="where samples are kept; %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found there as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser.parse_args()


def written(chosen: dict[str, Sequence[HostileFile]], folder: Path) -> int:
    """Write files into a folder, with a list of what they are. Answers how many."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [file for group in chosen.values() for file in group]
    listing = []
    for number, file in enumerate(files):
        name = f"{number:05}-{file.name}"
        (folder / name).write_bytes(file.make())
        listing.append(f"{name}\t{file.identity}\n")
    (folder / "list.tsv").write_text("".join(listing), encoding="utf-8")
    return len(files)


async def assault(chosen: dict[str, Sequence[HostileFile]], limits: Limits, console: Console, *, quiet: bool) -> Round:
    """Run a round in a temporary folder, with a progress bar for each group."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        Progress(*columns, console=console, disable=quiet) as progress,
        tempfile.TemporaryDirectory(prefix="ingest-hostile-") as folder,
    ):
        bars: dict[str, TaskID] = {}

        def tell(group: str, count: int) -> None:
            if group not in bars:
                bars[group] = progress.add_task(group, total=len(chosen[group]))
            progress.advance(bars[group], count)

        return await run_round(chosen, Path(folder), limits, tell)


def main() -> int:
    """Run as `scripts/hostile`. Answers the exit status."""
    given = arguments()
    selection = Selection(
        given.material,
        mutants=1 if given.short else given.mutants,
        seed=given.seed,
        every=SHORT if given.short else USUAL,
        short=given.short,
        only=tuple(given.only),
    )
    chosen = groups(selection)
    if not chosen:
        print(f"hostile: nothing in the set has {' or '.join(given.only)} in its name", file=sys.stderr)
        return 2
    if given.write:
        print(f"{written(chosen, given.write)} files in {given.write}")
        return 0
    seconds_max = given.attempt_timeout_seconds or (2.0 if given.short else 20.0)
    memory_mib = given.attempt_memory_mib or (256 if given.short else 512)
    limits = Limits(seconds_max, 1.0, memory_mib * MIB, given.result_mib * MIB)
    console = Console(stderr=True)
    print(
        f"{sum(map(len, chosen.values()))} files in {len(chosen)} groups, {selection.mutants} mutants a sample, seed {given.seed}"
    )
    begin = time.monotonic()
    try:
        found = asyncio.run(assault(chosen, limits, console, quiet=given.quiet))
    except (IngestClientError, RuntimeError) as error:
        print(f"hostile: the round could not be ended: {error}", file=sys.stderr)
        return 1
    seconds = time.monotonic() - begin
    show(found, limits, Console(width=None if sys.stdout.isatty() else 180))
    well = verdict(found, strict=given.strict)
    if given.json:
        about = {
            "seed": given.seed,
            "mutants": selection.mutants,
            "short": given.short,
            "seconds": round(seconds, 1),
            "well": well,
        }
        write(given.json, found, about)
    print(f"{'OK' if well else 'FAILED'}: {seconds:.0f} s, seed {given.seed}")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
