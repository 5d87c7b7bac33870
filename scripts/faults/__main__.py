"""Plays scenarios of faults and tells what held.

The exit status is 0 if every criterion held, 1 if one was broken, 3 if none was broken but a scenario cannot be played on this
machine, 2 for a wrong command line.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.faults import registry
from scripts.faults.report import Row, bar, show, status
from scripts.faults.scenario import Outcome, Round, Scenario

SEED_BITS = 32


def parser(scenarios: Mapping[str, Scenario]) -> argparse.ArgumentParser:
    """The command line: a subcommand for each scenario, and `list` and `all`."""
    made = argparse.ArgumentParser(prog="scripts/chaos", description=(__doc__ or "").partition("\n\n")[0])
    commands = made.add_subparsers(dest="command", required=True, metavar="NAME")
    listing = commands.add_parser("list", help="names, what happens, and what must hold")
    listing.add_argument("--json", action="store_true", help="for programs")
    everything = commands.add_parser("all", help="every scenario, one after the other")
    _common(everything)
    for scenario in scenarios.values():
        about = f"{scenario.summary} Must hold: {scenario.criterion}"
        own = commands.add_parser(scenario.name, help=scenario.summary.replace("%", "%%"), description=about.replace("%", "%%"))
        _common(own)
        scenario.arguments(own)
    return made


def _common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--seed", type=int, help="what is left to chance follows from it; default: a fresh one, which is printed"
    )
    command.add_argument("--short", action="store_true", help="seconds instead of minutes")
    command.add_argument("--json", action="store_true", help="for programs")


def play(scenario: Scenario, options: argparse.Namespace) -> Row:
    """Play one scenario."""
    seed = options.seed if options.seed is not None else secrets.randbits(SEED_BITS)
    if not sys.stderr.isatty():
        print(f"{scenario.name}: seed {seed}", file=sys.stderr, flush=True)
    begin = time.perf_counter()
    with bar(scenario.name) as progress, tempfile.TemporaryDirectory(prefix="ingest-chaos-") as folder:
        try:
            outcome = scenario.run(Round(seed, options.short, Path(folder), options, progress))
        except Exception as error:  # a fault of the scenario itself must not cost the table of hours
            outcome = Outcome(False, faults=[f"it broke off: {type(error).__name__}: {error}"])
    return Row(scenario, seed, outcome, time.perf_counter() - begin)


def main(given: Sequence[str] | None = None) -> int:
    """Run as `scripts/chaos`."""
    scenarios = registry.load()
    chosen = parser(scenarios)
    options = chosen.parse_args(given)
    if options.command == "list":
        _print_list(scenarios, as_json=options.json)
        return 0
    if options.command != "all":
        rows = [play(scenarios[options.command], options)]
    else:
        rows = []
        for scenario in (scenario for scenario in scenarios.values() if scenario.in_all):
            own = chosen.parse_args([scenario.name])
            own.seed, own.short = options.seed, options.short
            rows.append(play(scenario, own))
    show(rows, as_json=options.json)
    return status(rows)


def _print_list(scenarios: Mapping[str, Scenario], *, as_json: bool) -> None:
    if as_json:
        rows = [{"scenario": one.name, "summary": one.summary, "criterion": one.criterion} for one in scenarios.values()]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for scenario in scenarios.values():
        print(f"{scenario.name}\n    {scenario.summary}\n    Must hold: {scenario.criterion}")


if __name__ == "__main__":
    sys.exit(main())
