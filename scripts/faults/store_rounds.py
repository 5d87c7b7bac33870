"""Many histories of the store on a forgetful disk, summed up: what `power-cut` and `disk-errors` share."""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path

from scripts.faults.disk import MEMORY
from scripts.faults.scenario import Outcome, Round
from scripts.faults.store_history import suffer

CUTS_PER_HISTORY = 5
"""A store grows old enough for its log to turn several times, and a fault is still found near its cause."""
CUTS, CUTS_SHORT = 1_000, 60
FAULTS_MAX = 5


def arguments(parser: argparse.ArgumentParser) -> None:
    """Of the scenarios that call `play`."""
    parser.add_argument("--cuts", type=int, help=f"power cuts; default: {CUTS:,}, short: {CUTS_SHORT}")


def play(this: Round, name: str, *, errors: bool) -> Outcome:
    """Play histories until there were enough cuts, or `FAULTS_MAX` histories broke a promise."""
    wanted = this.options.cuts or (CUTS_SHORT if this.short else CUTS)
    seeds = random.Random(this.seed)
    cuts = commits = refused = doubt = histories = 0
    faults: list[str] = []
    this.progress.begin("power cuts", wanted)
    begin = time.perf_counter()
    while cuts < wanted and len(faults) < FAULTS_MAX:
        seed = this.seed if histories == 0 else seeds.getrandbits(32)
        histories += 1
        folder = MEMORY if MEMORY.is_dir() else this.folder
        with tempfile.TemporaryDirectory(dir=folder, prefix="ingest-disk-") as place:
            history, broken = suffer(seed, Path(place), min(CUTS_PER_HISTORY, wanted - cuts), errors=errors)
        if broken:
            faults.append(f"{broken}; again: scripts/chaos {name} --cuts {CUTS_PER_HISTORY} --seed {seed}")
        cuts += history.cuts
        commits += history.commits
        refused += history.refused
        doubt += history.disk.writes_in_doubt
        this.progress.advance(history.cuts)
    seconds = time.perf_counter() - begin
    figures = {
        "power_cuts": cuts, "histories_broken": len(faults), "commits_acknowledged": commits, "commands_refused": refused,
        "writes_in_doubt": doubt, "cuts_per_second": round(cuts / seconds, 1),
    }  # fmt: skip
    return Outcome(not faults, figures, faults)
