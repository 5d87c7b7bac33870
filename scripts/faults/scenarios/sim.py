"""The deterministic simulation: store, scheduler and settlement through seeded histories of faults, in virtual time."""

from __future__ import annotations

import argparse
import os
import time

from scripts.faults.scenario import Outcome, Round, Scenario
from tests.simulation.campaign import NOTHING, describe, play_many, shrink
from tests.simulation.history import MEMORY, SQLITE, plan_of

SEEDS, SEEDS_SHORT = 10_000, 300
FAULTS_SHOWN_MAX = 5


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, help=f"histories, from --seed on; default {SEEDS:,}, short {SEEDS_SHORT}")
    parser.add_argument("--steps", type=int, help="steps of each; default: what its seed chooses, 12 to 400")
    parser.add_argument("--store", choices=(MEMORY, SQLITE), help="default: what each seed chooses; one in 25 SQLite")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes; default %(default)s")


def _run(this: Round) -> Outcome:
    options = this.options
    count = options.seeds or (SEEDS_SHORT if this.short else SEEDS)
    this.progress.begin("histories", count)
    begin = time.perf_counter()
    tally = NOTHING
    for part in play_many(this.seed, count, length=options.steps, store=options.store, processes=options.jobs):
        tally += part
        this.progress.advance(part.histories)
    seconds = time.perf_counter() - begin
    figures = {
        "histories": tally.histories,
        "of them on SQLite": tally.on_sqlite,
        "violations": len(tally.failed),
        "steps": tally.steps,
        "jobs": tally.jobs,
        "events": tally.events,
        "histories/s": round(tally.histories / seconds, 1),
    }
    faults = []
    for seed, _ in sorted(tally.failed)[:FAULTS_SHOWN_MAX]:
        plan = plan_of(seed, length=options.steps, store=options.store)
        faults.append(describe(shrink(plan), plan))
    if len(tally.failed) > FAULTS_SHOWN_MAX:
        faults.append(f"and {len(tally.failed) - FAULTS_SHOWN_MAX} seeds more")
    return Outcome(not tally.failed, figures, faults)


SCENARIO = Scenario(
    "sim",
    "Store, scheduler and settlement live through seeded histories of faults, in virtual time.",
    "No acknowledged job lost, no terminal state changed, no gap in the log, no limit exceeded; all ends when the faults stop.",
    _run,
    _arguments,
)
