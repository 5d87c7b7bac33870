"""Many histories: in several processes, with the seeds that failed cut down to what is needed to see the fault."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from tests.simulation.history import SQLITE, Ending, Plan, plan_of, play, prefix, without

BATCH_HISTORIES = 100
SHRINK_SECONDS_MAX = 20.0
RAM_DISK = Path("/dev/shm")
"""Where it is there: fsync costs nothing, and nothing here is about power cuts."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What a stretch of seeds came to. `failed` are the seeds that broke a promise, with what it was."""

    histories: int
    on_sqlite: int
    steps: int
    events: int
    jobs: int
    failed: tuple[tuple[int, str], ...]

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.histories + other.histories, self.on_sqlite + other.on_sqlite, self.steps + other.steps,
            self.events + other.events, self.jobs + other.jobs, self.failed + other.failed,
        )  # fmt: skip


NOTHING = Tally(0, 0, 0, 0, 0, ())


def play_plan(plan: Plan) -> Ending:
    """Play one history, with a folder if it needs one."""
    if plan.store != SQLITE:
        return play(plan)
    folder = Path(tempfile.mkdtemp(prefix="ingest-simulation-", dir=RAM_DISK if os.access(RAM_DISK, os.W_OK) else None))
    try:
        return play(plan, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def play_seeds(first: int, count: int, length: int | None = None, store: str | None = None) -> Tally:
    """Play the histories of seeds `first` … `first + count - 1`."""
    logging.disable(logging.CRITICAL)  # they warn of each fault that is put in
    try:
        tally = NOTHING
        for seed in range(first, first + count):
            plan = plan_of(seed, length=length, store=store)
            ending = play_plan(plan)
            failed = ((seed, ending.fault),) if ending.fault else ()
            tally += Tally(1, int(plan.store == SQLITE), len(plan.steps), ending.events, ending.jobs, failed)
        return tally
    finally:
        logging.disable(logging.NOTSET)


def play_many(first: int, count: int, *, length: int | None, store: str | None, processes: int) -> Iterator[Tally]:
    """Play `count` histories in some processes; gives what each stretch came to, as it ends."""
    starts = iter(range(first, first + count, BATCH_HISTORIES))
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        running: set[Future[Tally]] = set()
        while True:
            for start in starts:
                running.add(pool.submit(play_seeds, start, min(BATCH_HISTORIES, first + count - start), length, store))
                if len(running) >= 2 * processes:
                    break
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()


def shrink(plan: Plan, *, seconds_max: float = SHRINK_SECONDS_MAX) -> Ending:
    """The shortest beginning of a failing history that still fails, without the steps that it can do without: one pass, from the
    end, as long as the time allows. The first Ending that fails is kept, whatever its fault."""
    logging.disable(logging.CRITICAL)
    try:
        worst = play_plan(plan)
        end = time.monotonic() + seconds_max
        length = worst.step + 1
        while 0 < length < len(worst.plan.steps) and time.monotonic() < end:
            shorter = play_plan(prefix(plan, length))
            if shorter.fault:
                worst = shorter
                break
            length += 1
        at = len(worst.plan.steps) - 1
        while at >= 0 and time.monotonic() < end:
            shorter = play_plan(without(worst.plan, [at]))
            if shorter.fault:
                worst = shorter
            at -= 1
        return worst
    finally:
        logging.disable(logging.NOTSET)


def describe(ending: Ending, original: Plan) -> str:
    """A failing history for people: what broke, how to play it again, and the steps that are left of it."""
    again = f"scripts/chaos sim --seed {original.seed} --seeds 1"
    kinds = ", ".join(step.kind for step in ending.plan.steps)
    return (
        f"seed {original.seed} on {original.store}: {ending.fault}\n  play it again: {again}\n"
        f"  of its {len(original.steps)} steps these {len(ending.plan.steps)} suffice: {kinds}"
    )
