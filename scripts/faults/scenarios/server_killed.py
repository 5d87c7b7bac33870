"""The server is killed under load and started again, many times."""

from __future__ import annotations

import argparse
import asyncio
import random
from collections import Counter
from statistics import median

from ingest_client import JobSpec, JobState, custom
from scripts.faults.ledger import Ledger, p99
from scripts.faults.load import loading
from scripts.faults.rig import SERVICE_HANDLERS, killed_and_started, patient, played, serving
from scripts.faults.scenario import Round, Scenario

ROUNDS, ROUNDS_SHORT = 1_000, 3
JOBS_BETWEEN_KILLS = (20, 250)
PAUSE_SECONDS_MAX = 0.02
"""By chance up to so long after an event was seen: kills shall not all fall on the same moment of a batch."""
LAST_JOBS_SECONDS_MAX = 120.0
RESTART_SECONDS_MAX = 2.0
"""A restart with few live jobs is at least as quick as one with 100,000."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=0, help=f"kills (default {ROUNDS:,}; {ROUNDS_SHORT} with --short)")


async def _play(this: Round, ledger: Ledger) -> None:
    rounds = this.options.rounds or (ROUNDS_SHORT if this.short else ROUNDS)
    chance = random.Random(this.seed)
    tally = this.folder / "tally"
    spec = JobSpec(tasks=custom("tally", path=str(tally)))
    restarts: list[float] = []
    async with serving(this, handlers=[SERVICE_HANDLERS]) as server, patient(server) as client, loading(client, spec) as load:
        this.progress.begin("kills", rounds)
        for _ in range(rounds):
            await load.progress(chance.randrange(*JOBS_BETWEEN_KILLS))
            await asyncio.sleep(chance.random() * PAUSE_SECONDS_MAX)
            restarts.append(await killed_and_started(server))
            this.progress.advance()
        await load.stop()
        lost = await load.until_all_ended(LAST_JOBS_SECONDS_MAX)
        ended, acknowledged = load.observer.ended, set(load.acknowledged)
        ledger.note("kills", rounds)
        ledger.note("jobs_acknowledged", len(acknowledged))
        ledger.none("jobs_lost", lost)
        ledger.none("jobs_made_twice", ended.keys() - acknowledged)
        ledger.none("jobs_not_succeeded", [job_id for job_id, state in ended.items() if state is not JobState.SUCCEEDED])
        results = {result.job_id: result.state async for result in client.as_completed(list(acknowledged - set(lost)))}
        ledger.none("terminal_states_changed", [job_id for job_id, state in results.items() if ended[job_id] is not state])
        counts = Counter(tally.read_text().split())
        ledger.none("jobs_ended_without_a_run", ended.keys() - counts.keys())
        ledger.note("runs_repeated_after_a_kill", sum(counts.values()) - len(counts))
        ledger.note("watch_events", len(load.observer.seen))
        ledger.note("restart_median_seconds", median(restarts))
        ledger.seconds("restart_p99_seconds", p99(restarts), RESTART_SECONDS_MAX)


SCENARIO = Scenario(
    "server-killed",
    "kill -9 of the server under load, and a restart, again and again.",
    "0 acknowledged jobs lost, 0 made twice, 0 terminal states changed, no gap in the watch; restarted within 2 s.",
    played(_play, short_seconds_max=90, full_seconds_max=7_200),
    _arguments,
)
