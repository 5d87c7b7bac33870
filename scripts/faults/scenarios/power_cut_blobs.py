"""The blob store is killed, and the power is cut, while blobs are written, claimed and swept."""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path

from scripts.faults.blob_history import BlobHistory
from scripts.faults.disk import MEMORY
from scripts.faults.scenario import Outcome, Round, Scenario, cannot_run

CUTS_PER_HISTORY = 5
CUTS, CUTS_SHORT = 1_000, 60
FAULTS_MAX = 5


def arguments(parser: argparse.ArgumentParser) -> None:
    """See `SCENARIO`."""
    parser.add_argument("--cuts", type=int, help=f"power cuts; default: {CUTS:,}, short: {CUTS_SHORT}")


def run(this: Round) -> Outcome:
    """See `SCENARIO`."""
    if not MEMORY.is_dir():
        return cannot_run(f"needs the tmpfs {MEMORY}")
    wanted = this.options.cuts or (CUTS_SHORT if this.short else CUTS)
    seeds = random.Random(this.seed)
    cuts = answers = 0
    faults: list[str] = []
    this.progress.begin("power cuts", wanted)
    begin = time.perf_counter()
    while cuts < wanted and len(faults) < FAULTS_MAX:
        seed = this.seed if cuts == 0 else seeds.getrandbits(32)
        with tempfile.TemporaryDirectory(dir=MEMORY, prefix="ingest-blobs-") as place:
            history = BlobHistory(seed, Path(place))
            history.run(min(CUTS_PER_HISTORY, wanted - cuts))
        faults += [f"{fault}; again: scripts/chaos {SCENARIO.name} --seed {seed} --cuts 5" for fault in history.faults[:1]]
        cuts += history.cuts
        answers += history.answers
        this.progress.advance(history.cuts)
    seconds = time.perf_counter() - begin
    figures = {
        "power_cuts": cuts, "histories_broken": len(faults), "operations_acknowledged": answers,
        "cuts_per_second": round(cuts / seconds, 1),
    }  # fmt: skip
    return Outcome(not faults, figures, faults)


SCENARIO = Scenario(
    name="power-cut-blobs",
    summary="The blob store is killed up to three times, then the power fails: bytes and names that were not synced may be lost.",
    criterion="After 1,000 cuts every acknowledged blob and claim is there, and every blob is whole.",
    run=run,
    arguments=arguments,
)
