"""The server is killed with very many live jobs, and started again: how long until it serves."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

from ingest_client import Client, JobSpec, echo
from scripts.faults.ledger import Ledger
from scripts.faults.rig import killed_and_started, patient, played, serving
from scripts.faults.scenario import Round, Scenario

LIMITS = {100_000: 2.0, 1_000_000: 10.0}
"""Live jobs, and the seconds until the server serves again."""
JOBS_SHORT = 3_000
RESTARTS = 3
QUEUE = "held"


def _specs(count: int) -> Iterator[JobSpec]:
    """Every second one waits in a queue that is paused, the others for tomorrow."""
    waiting = JobSpec(b"x" * 100, echo(), queue=QUEUE)
    later = JobSpec(b"x" * 100, echo(), queue=QUEUE, start_delay_seconds=86_400.0)
    for number in range(count):
        yield later if number % 2 else waiting


async def _fill(this: Round, client: Client, count: int) -> str:
    """Submit the jobs; answers the id of the last."""
    this.progress.begin("jobs submitted", count)
    job_id = ""
    async for result in client.submit_stream(_specs(count)):
        assert result.error is None, f"refused: {result.error}"
        job_id = result.job_id
        this.progress.advance()
    return job_id


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=0, help="live jobs (default: 100,000 and then 1,000,000)")


async def _play(this: Round, ledger: Ledger) -> None:
    asked = this.options.jobs or (JOBS_SHORT if this.short else 0)
    for count in [asked] if asked else LIMITS:
        limit = next((seconds for jobs, seconds in LIMITS.items() if count <= jobs), 10.0 * count / 1_000_000)
        flags = ("--queued-jobs-max", str(count + 1_000))
        async with serving(this, *flags, handlers=[], name=f"server-{count}") as server, patient(server) as client:
            await client.queues.update(QUEUE, create=True)
            await client.queues.pause(QUEUE)
            last = await _fill(this, client, count)
            worst = 0.0
            for _ in range(RESTARTS):
                begin = time.perf_counter()
                await killed_and_started(server)
                await client.get(last)
                worst = max(worst, time.perf_counter() - begin)
            total = (await client.count()).total
        ledger.require(total == count, f"{total} of {count} jobs were there after {RESTARTS} restarts")
        ledger.seconds(f"restart_with_{count}_jobs_seconds", worst, limit)


SCENARIO = Scenario(
    "restart-live",
    "kill -9 with 100,000 and with 1,000,000 live jobs, and a restart: from the kill to the answer of a first call.",
    "Served again after <= 2 s with 100,000 and <= 10 s with 1,000,000 live jobs, none lost.",
    played(_play, short_seconds_max=90, full_seconds_max=1_200),
    _arguments,
)
