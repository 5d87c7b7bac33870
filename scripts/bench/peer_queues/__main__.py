"""Measures the same jobs through other Python queues and ours, in interleaved rounds; writes JSON, and the table of the docs."""

from __future__ import annotations

import argparse
import datetime
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scripts.bench.peer_queues import setups
from scripts.bench.peer_queues.page import write_page
from scripts.bench.peer_queues.record import text_table
from scripts.bench.peer_queues.rounds import Plan, run
from scripts.bench.peer_queues.turn import Amount

ROOT = Path(__file__).parents[3]
BUILD = ROOT / "build" / "peers"


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench/peers", description=(__doc__ or "").strip())
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="a peer, or PEER/SETTING; may be repeated")
    parser.add_argument("--rounds", type=int, default=3, help="of those settings that lead; the others have one (default: 3)")
    parser.add_argument("--jobs", type=int, default=20_000, help="of each turn (default: 20,000)")
    parser.add_argument(
        "--turn-seconds",
        type=float,
        default=4.0,
        help="a slow peer's turn has as many jobs as fit; 0: all, however long (default: 4)",
    )
    parser.add_argument("--quick", action="store_true", help="small turns, one round: shows that everything works")
    parser.add_argument("--json", action="store_true", help="print the record instead of the table")
    parser.add_argument("--output", type=Path, help="file of the record (default: build/peers/record.json)")
    parser.add_argument("--list", action="store_true", help="tell the names, and do nothing")
    parser.add_argument(
        "--page", type=Path, metavar="RECORD", help="write the table of docs/performance.md from a record, measure nothing"
    )
    options = parser.parse_args(given)
    if options.rounds < 1 or options.jobs < 1 or options.turn_seconds < 0:
        parser.error("--rounds and --jobs are at least 1, --turn-seconds at least 0")
    try:
        options.setups = tuple(setups.chosen(options.only))
    except ValueError as error:
        parser.error(str(error))
    return options


def teller(quiet: bool) -> Callable[[str], None]:
    """Progress on standard error: one line that is rewritten on a terminal, lines elsewhere."""
    terminal = sys.stderr.isatty()

    def tell(line: str) -> None:
        if quiet:
            return
        print(f"\r\x1b[2K{line}" if terminal else line, end="" if terminal else "\n", file=sys.stderr, flush=True)

    return tell


def commit() -> str:
    """The commit that was measured; "" outside a repository."""
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return found.stdout.strip() if found.returncode == 0 else ""


def main(given: Sequence[str]) -> int:
    """Do as the command line says. Answers 0; 1 if a peer failed or a requirement is not met; 2 for a wrong command line."""
    options = arguments(given)
    if options.list:
        print("\n".join(setup.name for setup in options.setups))
        return 0
    if options.page:
        write_page(ROOT / "docs" / "performance.md", json.loads(options.page.read_text()))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that all that was started is ended
    amount = Amount(500, 0.5, 5, 0.5) if options.quick else Amount(options.jobs, options.turn_seconds, 200, 0.8)
    plan = Plan(options.setups, 1 if options.quick else options.rounds, amount, BUILD, options.quick)
    record: dict[str, Any] = {
        "begun": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        **run(plan, teller(False)),
    }
    teller(False)("")
    output: Path = options.output or BUILD / "record.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1) if options.json else f"{text_table(record)}\n\n{output}")
    missed = not options.quick and not options.only and not all(each["met"] for each in record["verdicts"])
    return 1 if record["failed"] or missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
