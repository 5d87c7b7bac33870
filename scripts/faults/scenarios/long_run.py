"""Jobs that run very much longer than their lease, on workers that do nothing else meanwhile."""

from __future__ import annotations

import time
from collections import Counter

from ingest_client import JobSpec, custom
from scripts.faults.ledger import Ledger, counted
from scripts.faults.rig import FAULT_HANDLERS, SERVICE_HANDLERS, patient, played, serving
from scripts.faults.scenario import Round, Scenario

LEASE_SECONDS = 3.0
"""The shortest that there is."""
LEASES, LEASES_SHORT = 100, 2
SHORT_JOBS = 20


async def _play(this: Round, ledger: Ledger) -> None:
    seconds = (LEASES_SHORT if this.short else LEASES) * LEASE_SECONDS
    tally = this.folder / "tally"
    note = custom("tally", path=str(tally))
    flags = ("--lease-seconds", str(LEASE_SECONDS))
    async with serving(this, *flags, handlers=[SERVICE_HANDLERS, FAULT_HANDLERS]) as server, patient(server) as client:
        this.progress.begin("jobs", 2)
        begin = time.perf_counter()
        # The note is written after the long part: whoever runs it twice is seen.
        long = await client.submit([JobSpec(tasks=(custom("spend", seconds=seconds), note))] * 2)
        waiting = await client.submit([JobSpec(tasks=note)] * SHORT_JOBS)
        results = []
        async for result in client.as_completed(long):
            results.append(result)
            this.progress.advance()
        ran = time.perf_counter() - begin
        after = await client.wait(waiting)
        jobs = [await client.get(job_id) for job_id in long.job_ids]
    ledger.note("leases", ran / LEASE_SECONDS)
    ledger.none("jobs_not_succeeded", [each.job_id for each in (*results, *after) if not each.succeeded])
    ledger.none("attempts_used_up", [job.job_id for job in jobs if (job.attempt, job.crash_count) != (1, 0)])
    counts = Counter(tally.read_text().split())
    ledger.none("jobs_not_run_exactly_once", counted((*long.job_ids, *waiting.job_ids), counts, 1, 1))


SCENARIO = Scenario(
    "long-run",
    "A job for each worker that runs 100 times longer than the shortest lease, and others that wait behind them.",
    "Each runs once, at its first attempt.",
    played(_play, short_seconds_max=90, full_seconds_max=600),
)
