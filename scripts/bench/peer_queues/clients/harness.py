"""Measures one peer from its client: warm-up, jobs by the thousand, one job at a time; runs in the peer's own environment.

A client calls `serve` or `serve_async` with what submits jobs and collects their results. The command line says how much:
JOBS_MAX SECONDS LATENCY_JOBS LATENCY_SECONDS. One line of JSON goes to standard output. Knows the standard library only.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

FAST = os.environ.get("PEER_SETTING", "default") != "default"
DURABLE = os.environ.get("PEER_SETTING", "default") == "durable"
URL = os.environ.get("PEER_URL", "")
BROKER_URL = os.environ.get("PEER_BROKER_URL", "") or URL
QUEUE = os.environ.get("PEER_QUEUE", "bench")
ANSWER = 7
"""What every job returns."""

WARM_UP_JOBS = 50
PROBE_JOBS = 200
LATENCIES_LEAST = 5


@dataclass(frozen=True)
class Amount:
    """How much to measure.

    Attributes:
        jobs_max: of the large measurement.
        seconds: what the large measurement may take; fewer jobs are taken where `jobs_max` would take longer. 0 is no bound.
        latency_jobs, latency_seconds: of the measurement of one job at a time, whichever ends it first.
    """

    jobs_max: int
    seconds: float
    latency_jobs: int
    latency_seconds: float


def amount() -> Amount:
    """What the command line asks for."""
    jobs_max, seconds, latency_jobs, latency_seconds = sys.argv[1:5]
    return Amount(int(jobs_max), float(seconds), int(latency_jobs), float(latency_seconds))


def jobs_within(asked: Amount, jobs: int, seconds: float, share: float = 1.0) -> int:
    """How many jobs fit into `share` of the time, when `jobs` took `seconds`; between the probe and `jobs_max`."""
    if not asked.seconds:
        return asked.jobs_max
    fit = int(jobs / max(seconds, 1e-6) * asked.seconds * share)
    rounded = fit // 100 * 100
    return max(min(PROBE_JOBS, asked.jobs_max), min(asked.jobs_max, rounded))


def check(results: list[object]) -> None:
    """Every job answered what it had to."""
    if any(result != ANSWER for result in results):
        raise SystemExit(f"a result is not {ANSWER}: {[result for result in results if result != ANSWER][:3]!r}")


async def measure(asked: Amount, run: Callable[[int], Awaitable[None]]) -> dict[str, object]:
    """The whole measurement. `run` submits so many jobs and returns when all results are there."""
    await run(1)
    await run(WARM_UP_JOBS)
    jobs = min(PROBE_JOBS, asked.jobs_max)
    for share in (0.15, 1.0):  # a poll of half a second hides the rate of few jobs: the second guess is the better one
        begin = time.perf_counter()
        await run(jobs)
        jobs = jobs_within(asked, jobs, time.perf_counter() - begin, share)
    begin = time.perf_counter()
    await run(jobs)
    seconds = time.perf_counter() - begin
    latencies: list[float] = []
    first = time.perf_counter()
    while len(latencies) < asked.latency_jobs:
        begin = time.perf_counter()
        await run(1)
        latencies.append(time.perf_counter() - begin)
        if len(latencies) >= LATENCIES_LEAST and time.perf_counter() - first > asked.latency_seconds:
            break
    return {"jobs": jobs, "seconds": seconds, "latencies": latencies}


def serve(run: Callable[[int], None]) -> None:
    """Measure a client that blocks."""

    async def blocking(jobs: int) -> None:
        run(jobs)

    steps = measure(amount(), blocking)
    try:
        steps.send(None)  # awaits nothing that waits, so one step is all; no event loop stands between
    except StopIteration as ended:
        print(json.dumps(ended.value), flush=True)


async def serve_async(run: Callable[[int], Awaitable[None]]) -> None:
    """Measure a client that awaits, in the event loop it runs in."""
    print(json.dumps(await measure(amount(), run)), flush=True)
