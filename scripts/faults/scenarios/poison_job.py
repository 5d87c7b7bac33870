"""Jobs that kill every worker they get, by a signal or by eating memory, among jobs that do not."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median
from typing import Any

from ingest_client import Client, JobResult, JobSpec, JobState, custom
from scripts.faults.ledger import Ledger
from scripts.faults.rig import FAULT_HANDLERS, patient, played, serving
from scripts.faults.scenario import Round, Scenario

ROUNDS, ROUNDS_SHORT = 9, 1
NEIGHBOURS, NEIGHBOURS_SHORT = 2_000, 200
NEIGHBOUR_SECONDS = 0.005
MEMORY_BYTES_MAX = 256 << 20
THROUGHPUT_LEAST = 0.9
POISONS: tuple[tuple[Mapping[str, Any], str, str], ...] = (
    ({"manner": "kill"}, "POISON_JOB", "SIGKILL"),
    ({"manner": "segfault"}, "POISON_JOB", "SIGSEGV"),
    ({"manner": "memory", "bytes": 2 * MEMORY_BYTES_MAX}, "MEMORY_LIMIT", ""),
    ({"manner": "shared-memory", "bytes": 2 * MEMORY_BYTES_MAX}, "MEMORY_LIMIT", ""),
)
"""Options, and the reason and signal that must be told."""


async def _work(client: Client, neighbours: int, *poison: JobSpec) -> tuple[float, list[JobResult]]:
    """Run jobs with poison in their midst. Answers neighbours ended per second, and the results of the poison."""
    good = JobSpec(tasks=custom("spend", seconds=NEIGHBOUR_SECONDS))
    half = neighbours // 2
    begin = time.perf_counter()
    batch = await client.submit([*[good] * half, *poison, *[good] * (neighbours - half)])
    bad = set(batch.job_ids[half : half + len(poison)])
    ended, found, end = 0, list[JobResult](), begin
    async for result in client.as_completed(batch):
        if result.job_id in bad:
            found.append(result)
            continue
        assert result.succeeded, f"a neighbour ended {result.state.name}: {result.error}"
        ended += 1
        end = time.perf_counter()
    return ended / (end - begin), found


async def _judge(client: Client, ledger: Ledger, result: JobResult, reason: str, signal: str) -> None:
    job = await client.get(result.job_id)
    error = result.error
    told = f"the poison job ({signal or reason}) ended {result.state.name} after {job.crash_count} crashes: {error}"
    ledger.require(result.state is JobState.FAILED and error is not None and error.reason == reason, told)
    if signal and error is not None:
        ledger.require(error.metadata.get("signal") == signal and job.crash_count == 3, told)


async def _play(this: Round, ledger: Ledger) -> None:
    rounds = ROUNDS_SHORT if this.short else ROUNDS
    neighbours = NEIGHBOURS_SHORT if this.short else NEIGHBOURS
    flags = ("--attempt-memory-bytes-max", str(MEMORY_BYTES_MAX), "--retry-backoff-initial-seconds", "0.05")
    ratios: list[float] = []
    failed = 0
    async with serving(this, *flags, handlers=[FAULT_HANDLERS]) as server, patient(server) as client:
        await _work(client, 100)
        this.progress.begin("rounds", rounds * len(POISONS))
        for _ in range(rounds):
            for options, reason, signal in POISONS:
                alone, _ = await _work(client, neighbours)
                beside, results = await _work(client, neighbours, JobSpec(tasks=custom("die-always", **options)))
                ratios.append(beside / alone)
                for result in results:
                    await _judge(client, ledger, result, reason, signal)
                    failed += 1
                this.progress.advance()
    ledger.note("poison_jobs", len(ratios))
    ledger.note("poison_jobs_failed_with_reason", failed)
    ledger.require(failed == len(ratios), f"{failed} of {len(ratios)} poison jobs ended")
    ledger.ratio("neighbours_throughput_ratio_median", median(ratios), THROUGHPUT_LEAST)


SCENARIO = Scenario(
    "poison-job",
    "A job that kills each worker it gets, by SIGKILL, a segmentation fault, or memory, among jobs that do their work.",
    "FAILED after 3 crashes with the signal as reason, or for its memory; the others keep >= 0.9 of their throughput.",
    played(_play, short_seconds_max=90, full_seconds_max=1_800),
)
