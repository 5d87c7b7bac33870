"""Jobs in parts, whose workers and whose server are killed."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
from collections import Counter
from pathlib import Path

from ingest_client import Client, Input, JobResult, JobSpec, JobState, custom
from scripts.faults.ledger import Ledger
from scripts.faults.rig import SERVICE_HANDLERS, killed_and_started, patient, played, serving
from scripts.faults.scenario import Round, Scenario

ROUNDS, ROUNDS_SHORT = 50, 2
JOBS, PARTS = 6, 40
KILLS_OF_WORKERS = 4
PAUSE_SECONDS_MAX = 0.2
DEADLY = 7
"""This part of every second job kills its worker each time, and has to be the only one that fails."""


def _spec(folder: Path, number: int) -> JobSpec:
    deadly = (DEADLY,) if number % 2 else ()
    task = custom("pieces", path=str(folder / f"tally-{number}"), count=PARTS, deadly=deadly)
    return JobSpec(Input(data=b"given"), task)


async def _kill_a_worker(client: Client, chance: random.Random) -> None:
    workers = (await client.stats()).workers
    if workers:
        try:
            os.kill(chance.choice(workers).pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # it has died of its own part


async def _judge(client: Client, ledger: Ledger, number: int, result: JobResult, tally: Path) -> int:
    """Look at one merged result. Answers how many runs of parts were repeated."""
    wanted = [f"{part}:given" for part in range(PARTS)]
    if number % 2:
        wanted[DEADLY] = "POISON_JOB"
    ledger.require(result.state is JobState.SUCCEEDED, f"a job in parts ended {result.state.name}: {result.error}")
    if result.succeeded:
        found = json.loads(await result.read())["results"]
        # A worker that is killed from outside counts for whatever it ran: three times by bad luck is poison too.
        ledger.require(found == wanted, f"a job in parts was merged of {found}")
        job = await client.get(result.job_id)
        ledger.require(job.attempt == 1, f"the job is at attempt {job.attempt}")
    runs = Counter((await asyncio.to_thread(tally.read_text)).split())
    return runs.total() - len(runs)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=0, help=f"(default {ROUNDS}; {ROUNDS_SHORT} with --short)")


async def _play(this: Round, ledger: Ledger) -> None:
    rounds = this.options.rounds or (ROUNDS_SHORT if this.short else ROUNDS)
    chance = random.Random(this.seed)
    repeated = 0
    async with serving(this, handlers=[SERVICE_HANDLERS]) as server, patient(server) as client:
        this.progress.begin("rounds", rounds)
        for turn in range(rounds):
            folder = this.folder / f"round-{turn}"
            folder.mkdir()
            batch = await client.submit([_spec(folder, number) for number in range(JOBS)])
            for number in range(KILLS_OF_WORKERS):
                await asyncio.sleep(chance.random() * PAUSE_SECONDS_MAX)
                await (killed_and_started(server) if number == KILLS_OF_WORKERS // 2 else _kill_a_worker(client, chance))
            for number, result in enumerate(await client.wait(batch, timeout_seconds=120)):
                repeated += await _judge(client, ledger, number, result, folder / f"tally-{number}")
            this.progress.advance()
        total = (await client.count()).total
    ledger.note("jobs_in_parts", rounds * JOBS)
    ledger.note("parts", rounds * JOBS * PARTS)
    ledger.note("kills_of_the_server", rounds)
    ledger.note("kills_of_workers", rounds * (KILLS_OF_WORKERS - 1))
    ledger.note("runs_of_parts_repeated", repeated)
    ledger.require(total == rounds * JOBS, f"{total} jobs are listed of {rounds * JOBS}")


SCENARIO = Scenario(
    "parts-killed",
    "Jobs of 40 parts each, while workers and the server are killed; in every second job one part kills its worker itself.",
    "Each job is merged of all its parts, in order, at its first attempt; of a part that kills, its failure alone.",
    played(_play, short_seconds_max=90, full_seconds_max=1_800),
    _arguments,
)
