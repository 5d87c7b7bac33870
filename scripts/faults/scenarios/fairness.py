"""A tenant with one job at a time beside one with 100,000 that wait; the same for two fairness keys of one tenant."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from datetime import datetime
from statistics import mean

from ingest_client import Client, JobSpec, custom
from scripts.faults.ledger import Ledger, p99
from scripts.faults.rig import FAULT_HANDLERS, patient, played, serving
from scripts.faults.scenario import Round, Scenario

JOBS, JOBS_SHORT = 100_000, 1_000
PROBES, PROBES_SHORT = 200, 5
RUN_SECONDS = 0.05
"""Of every job: so a worker comes free every 25 ms, and 100,000 jobs would take 42 minutes."""
WAIT_JOB_TIMES_MAX = 2.0
CROWD, SINGLE = "crowd-token-0123456789", "single-token-0123456789"
TOKENS = f"""
[[tokens]]
token = "{CROWD}"
tenant = "crowd"

[[tokens]]
token = "{SINGLE}"
tenant = "single"
"""


def _seconds(begin: datetime | None, end: datetime | None) -> float:
    assert begin is not None and end is not None, "the job has not run"  # noqa: PT018, one thing: it ran
    return (end - begin).total_seconds()


async def _probe(this: Round, client: Client, count: int, fairness_key: str) -> tuple[Sequence[float], float]:
    """Run jobs one after the other. Answers how long each waited for its start, and the mean time they ran."""
    waits: list[float] = []
    runs: list[float] = []
    for _ in range(count):
        result = await client.run(JobSpec(tasks=custom("spend", seconds=RUN_SECONDS), fairness_key=fairness_key))
        assert result.succeeded, f"the single job ended {result.state.name}: {result.error}"
        job = await client.get(result.job_id)
        waits.append(_seconds(job.create_time, job.start_time))
        runs.append(_seconds(job.start_time, job.end_time))
        this.progress.advance()
    return waits, mean(runs)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=0, help=f"of the crowd (default {JOBS:,}; {JOBS_SHORT:,} with --short)")


async def _play(this: Round, ledger: Ledger) -> None:
    count = this.options.jobs or (JOBS_SHORT if this.short else JOBS)
    probes = PROBES_SHORT if this.short else PROBES
    tokens = this.folder / "tokens.toml"
    await asyncio.to_thread(tokens.write_text, TOKENS)
    many = JobSpec(tasks=custom("spend", seconds=RUN_SECONDS), fairness_key="many")
    flags = ("--tokens-file", str(tokens))
    async with (
        serving(this, *flags, handlers=[FAULT_HANDLERS]) as server,
        patient(server, token=CROWD) as crowd,
        patient(server, token=SINGLE) as single,
    ):
        batch = await crowd.submit([many] * count)
        assert not batch.refused, f"refused: {batch.refused[0]}"
        this.progress.begin("probes", 2 * probes)
        for name, client, key in (("tenant", single, ""), ("fairness_key", crowd, "few")):
            waits, run_seconds = await _probe(this, client, probes, key)
            ledger.note(f"{name}_wait_mean_job_times", mean(waits) / run_seconds)
            ledger.seconds(f"{name}_wait_p99_job_times", p99(waits) / run_seconds, WAIT_JOB_TIMES_MAX)
        stats = await crowd.stats()
        ledger.note("jobs_of_the_crowd", count)
        ledger.note("still_queued_at_the_end", stats.queued_count)
        ledger.require(stats.queued_count > count // 3, f"only {stats.queued_count} jobs still waited: there was no crowd")


SCENARIO = Scenario(
    "fairness",
    "A tenant with one job at a time beside one with 100,000 queued, all workers busy; then two fairness keys of one tenant.",
    "The single job waits <= 2 mean job times (p99).",
    played(_play, short_seconds_max=90, full_seconds_max=900),
    _arguments,
)
