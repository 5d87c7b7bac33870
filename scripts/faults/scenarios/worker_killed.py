"""Workers die in the midst of a job, or stand still: how soon that is seen, and how soon the job runs again."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ingest_client import Client, JobEvent, JobSpec, JobState, RetryPolicy, custom
from scripts.faults.ledger import Ledger, p99
from scripts.faults.rig import FAULT_HANDLERS, patient, played, serving
from scripts.faults.scenario import Round, Scenario
from tests.hostile.observer import Observer

DEATHS, DEATHS_SHORT = 300, 3
"""Of each manner."""
MANNERS = ("kill", "segfault", "exit")
STOP_TIMEOUT_SECONDS = 0.5
"""A worker that stands still is alive; only the time limit of its attempt tells."""
GRACE_SECONDS = 0.1
BESIDE = 4
DETECTED_SECONDS_MAX, AGAIN_SECONDS_MAX = 0.1, 1.0
AT_ONCE = RetryPolicy(max_attempts=3, initial_backoff_seconds=0.0)


class _Deaths(Observer):
    """An observer that notes when it first heard that a job no longer ran, though it had not ended."""

    def __init__(self, client: Client) -> None:
        self.heard_ns: dict[str, int] = {}
        super().__init__(client)

    def _take(self, event: JobEvent) -> None:
        super()._take(event)
        if event.revision and event.error is not None and not event.state.terminal:
            self.heard_ns.setdefault(event.job_id, time.monotonic_ns())


@asynccontextmanager
async def _neighbours(client: Client) -> AsyncIterator[list[str]]:
    """A few jobs at a time are beside those that kill; answers the ids of those that succeeded at their first attempt."""
    good: list[str] = []

    async def work() -> None:
        while True:
            result = await client.run(JobSpec(tasks=custom("spend", seconds=0.005)))
            assert result.succeeded, f"a neighbour ended {result.state.name}: {result.error}"
            good.append(result.job_id)

    tasks = [asyncio.create_task(work()) for _ in range(BESIDE)]
    try:
        yield good
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _die(client: Client, deaths: _Deaths, folder: Path, manner: str) -> tuple[float, float]:
    """Let one worker die; answer the seconds until that was heard of, and until its job ran again."""
    timeout = STOP_TIMEOUT_SECONDS if manner == "stop" else None
    task = custom("die-once", manner=manner, folder=str(folder))
    result = await client.run(JobSpec(tasks=task, attempt_timeout_seconds=timeout, retry_policy=AT_ONCE))
    assert result.state is JobState.SUCCEEDED, f"{manner}: the job ended {result.state.name}: {result.error}"
    died_ns, again_ns = map(int, (await result.read()).split())
    await deaths.until_all_ended([result.job_id])
    return (deaths.heard_ns[result.job_id] - died_ns) / 1e9, (again_ns - died_ns) / 1e9


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--deaths", type=int, default=0, help=f"of each manner (default {DEATHS}; {DEATHS_SHORT} with --short)")


async def _play(this: Round, ledger: Ledger) -> None:
    count = this.options.deaths or (DEATHS_SHORT if this.short else DEATHS)
    flags = ("--cancel-grace-seconds", str(GRACE_SECONDS))
    detected: list[float] = []
    again: list[float] = []
    stopped: list[float] = []
    async with serving(this, *flags, handlers=[FAULT_HANDLERS]) as server, patient(server) as client:
        deaths = _Deaths(client)
        async with _neighbours(client) as neighbours:
            this.progress.begin("deaths", count * (len(MANNERS) + 1))
            for number in range(count * (len(MANNERS) + 1)):
                manner = (*MANNERS, "stop")[number % (len(MANNERS) + 1)]
                heard, ran = await _die(client, deaths, this.folder, manner)
                if manner == "stop":
                    stopped.append(ran - STOP_TIMEOUT_SECONDS)
                else:
                    detected.append(heard)
                    again.append(ran)
                this.progress.advance()
        jobs = [await client.get(job_id) for job_id in neighbours[:: max(1, len(neighbours) // 200)]]
        stats = await client.stats()
        await deaths.close()
    ledger.note("deaths", len(detected))
    ledger.seconds("detected_p99_seconds", p99(detected), DETECTED_SECONDS_MAX)
    ledger.seconds("running_again_p99_seconds", p99(again), AGAIN_SECONDS_MAX)
    ledger.note("standstills", len(stopped))
    ledger.seconds("running_again_after_timeout_p99_seconds", p99(stopped), AGAIN_SECONDS_MAX)
    ledger.note("neighbours", len(neighbours))
    ledger.none("neighbours_blamed", [job.job_id for job in jobs if job.crash_count])
    ledger.require(stats.worker_crash_count >= len(detected), f"the server counted {stats.worker_crash_count} crashes")


SCENARIO = Scenario(
    "worker-killed",
    "Workers in the midst of a job are killed, crash, exit, or are stopped (SIGSTOP).",
    "Death detected p99 <= 100 ms, its job running again p99 <= 1 s (after its time limit for one that is stopped); "
    "no neighbour fails or is blamed.",
    played(_play, short_seconds_max=90, full_seconds_max=1_800),
    _arguments,
)
