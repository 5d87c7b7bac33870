"""The server is asked to end under load and is started again, again and again, while clients with default settings go on."""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
from collections import Counter
from contextlib import suppress
from statistics import median

from ingest_client import Client, IngestClientError, JobSpec, custom
from scripts.faults.ledger import Ledger
from scripts.faults.rig import FAULT_HANDLERS, patient, played, serving, started, until
from scripts.faults.scenario import Round, Scenario
from tests.acceptance.server.server_process import ServerProcess

RESTARTS, RESTARTS_SHORT = 100, 2
CALLERS = 12
DRAIN_SECONDS = 1.0
RUN_SECONDS = (0.005, 0.1)
LONG_RUN_SECONDS = 1.5
"""Longer than the drain waits: such a job is handed back, and must not be charged for it."""
LONG_SHARE = 0.03
JOBS_BETWEEN = 40
PAUSE_SECONDS = 0.01
"""Between two questions of one caller, which would otherwise do nothing but ask."""


class _Traffic:
    """Callers of every kind, one beside the other.

    Attributes:
        calls: that were answered, by kind.
        failed: calls that failed, and how.
        job_ids: all jobs made.
    """

    def __init__(self, client: Client, chance: random.Random) -> None:
        self._client = client
        self._chance = chance
        self.calls: Counter[str] = Counter()
        self.failed: list[str] = []
        self.job_ids: list[str] = []
        self._stopped = False
        self._tasks = [asyncio.create_task(self._call(("run", "submit", "get", "count")[n % 4])) for n in range(CALLERS)]

    async def stop(self) -> None:
        """No more calls; return when those under way have ended."""
        self._stopped = True
        await asyncio.gather(*self._tasks)

    async def cancel(self) -> None:
        """Give all of them up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _call(self, kind: str) -> None:
        while not self._stopped:
            try:
                await self._once(kind)
                self.calls[kind] += 1
            except IngestClientError as error:
                self.failed.append(f"{kind}: {type(error).__name__}: {error}")

    async def _once(self, kind: str) -> None:
        long = self._chance.random() < LONG_SHARE
        seconds = LONG_RUN_SECONDS if long else self._chance.uniform(*RUN_SECONDS)
        spec = JobSpec(tasks=custom("spend", seconds=seconds))
        if kind == "run":
            result = await self._client.run(spec)
            self.job_ids.append(result.job_id)
            assert result.succeeded, f"a job ended {result.state.name}: {result.error}"
        elif kind == "submit":
            self.job_ids += (await self._client.submit([spec] * 2)).job_ids
            await self._client.wait(self.job_ids[-2:])
        else:
            await asyncio.sleep(PAUSE_SECONDS)
            if kind == "get" and self.job_ids:
                await self._client.get(self._chance.choice(self.job_ids))
            else:
                await self._client.count()

    async def progress(self, jobs: int) -> None:
        """Wait until so many more jobs were made."""
        wanted = len(self.job_ids) + jobs
        await until(lambda: len(self.job_ids) >= wanted or any(task.done() for task in self._tasks))
        for task in self._tasks:
            if task.done():
                task.result()


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--restarts", type=int, default=0, help=f"(default {RESTARTS}; {RESTARTS_SHORT} with --short)")


def _client(this: Round, server: ServerProcess) -> Client:
    """One with default settings, which rides out some seconds; in a short round, beside other tests, a restart takes longer."""
    return patient(server) if this.short else Client(server.address)


async def _play(this: Round, ledger: Ledger) -> None:
    restarts = this.options.restarts or (RESTARTS_SHORT if this.short else RESTARTS)
    chance = random.Random(this.seed)
    away: list[float] = []
    flags = ("--drain-seconds", str(DRAIN_SECONDS), "--cancel-grace-seconds", "0.2")
    async with serving(this, *flags, handlers=[FAULT_HANDLERS]) as server, _client(this, server) as client:
        traffic = _Traffic(client, chance)
        try:
            this.progress.begin("restarts", restarts)
            for _ in range(restarts):
                await traffic.progress(JOBS_BETWEEN)
                await asyncio.sleep(chance.random() * RUN_SECONDS[1])
                server.signal(signal.SIGTERM)
                status = await asyncio.to_thread(server.wait)
                ledger.require(status == 0, f"the server ended with status {status}")
                away.append(await started(server))
                this.progress.advance()
            await traffic.stop()
        finally:
            with suppress(AssertionError):
                await traffic.cancel()
        results = await client.wait(traffic.job_ids)
        jobs = [await client.get(job_id) for job_id in traffic.job_ids]
        charged = [job for job in jobs if (job.attempt, job.crash_count) != (1, 0)]
    ledger.note("restarts", restarts)
    ledger.note("calls", traffic.calls.total())
    ledger.none("calls_failed", traffic.failed)
    ledger.note("jobs", len(traffic.job_ids))
    ledger.none("jobs_not_succeeded", [result.job_id for result in results if not result.succeeded])
    ledger.none("attempts_used_up", [f"{job.job_id} ({job.attempt} attempts, {job.crash_count} crashes)" for job in charged])
    ledger.note("start_median_seconds", median(away))


SCENARIO = Scenario(
    "rolling-restart",
    "SIGTERM under load and a new server on the same data, again and again; clients keep their default settings.",
    "0 failed calls seen by our client, 0 attempts used up, also by jobs that run longer than the drain waits.",
    played(_play, short_seconds_max=90, full_seconds_max=3_600),
    _arguments,
)
