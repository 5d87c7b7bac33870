"""How many attempts a second the local engine alone can run: no store, no scheduler, no gRPC.

    python scripts/bench/engine_ceiling.py [--jobs N] [--workers N] [--rounds N]

Prints JSON. `jobs_per_second` are no-op attempts, handed over in calls of 1,000 as fast as `capacity` allows and answered by
their outcomes; `latency_us_p50` is one attempt alone, from `start` to `on_outcomes`, again and again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from ingest.v1 import job_pb2
from ingest_server.engines.interface import AttemptRow, EngineListener, Outcome, OutcomeCode
from ingest_server.engines.local import LocalEngine

HOUR_US = 3_600_000_000
CALL_JOBS = 1_000
LATENCY_JOBS = 1_000
NOOP_SOURCE = "from ingest_server.handlers import handler\n\n@handler('noop')\ndef noop(context):\n    return None\n"


@dataclass(frozen=True, slots=True)
class Measure:
    """What was measured.

    Attributes:
        jobs: attempts in each round.
        workers: worker processes.
        jobs_per_second: median, smallest and largest of the rounds.
        server_cpu_us_per_job: processor time of the process that holds the engine.
        latency_us_p50: of one attempt alone.
    """

    jobs: int
    workers: int
    jobs_per_second: tuple[float, float, float]
    server_cpu_us_per_job: float
    latency_us_p50: float


class _Load:
    """Feeds an engine."""

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine
        self._wake = asyncio.Event()
        self._ended = 0
        self._seq = 0
        task = job_pb2.Task(custom=job_pb2.CustomTask(handler="noop"))
        self._spec = job_pb2.JobSpec(tasks=[task]).SerializeToString()

    def listener(self) -> EngineListener:
        return EngineListener(self._on_outcomes, lambda rows: None, lambda: None)

    def rows(self, count: int) -> list[AttemptRow]:
        first = self._seq + 1
        self._seq += count
        return [(seq, 1, uuid.UUID(int=seq).bytes, 1, self._spec, b"", HOUR_US, 0, 0) for seq in range(first, first + count)]

    async def run(self, rows: Sequence[AttemptRow]) -> None:
        """Run all, never handing over more than a call beyond what the engine can start."""
        target, position = self._ended + len(rows), 0
        while self._ended < target:
            while position < len(rows) and self._engine.capacity():
                self._engine.start(rows[position : position + CALL_JOBS])
                position += CALL_JOBS
            self._wake.clear()
            if self._ended < target:
                await self._wake.wait()

    def _on_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            if outcome[2] != OutcomeCode.SUCCEEDED:
                raise RuntimeError(f"a no-op did not succeed: {outcome}")
        self._ended += len(outcomes)
        self._wake.set()


async def measure(jobs: int, *, workers: int = 2, rounds: int = 5) -> Measure:
    """Measure the engine.

    Args:
        jobs: attempts in a round.
        workers: worker processes.
        rounds: medians are taken over so many, after one that is thrown away.
    """
    with tempfile.TemporaryDirectory() as directory:
        module = Path(directory, "noop_handler.py")
        module.write_text(NOOP_SOURCE)  # noqa: ASYNC240  # before anything runs that could wait
        engine = LocalEngine(
            workers, Path(directory, "blobs"), handler_modules=[str(module)], builtin_modules=(), use_entry_points=False
        )
        load = _Load(engine)
        await engine.open(load.listener())
        try:
            rates, cpu_us = [], []
            for round_number in range(rounds + 1):
                rows = load.rows(jobs)
                cpu, began = time.process_time(), time.perf_counter()
                await load.run(rows)
                seconds = time.perf_counter() - began
                if round_number:
                    rates.append(jobs / seconds)
                    cpu_us.append((time.process_time() - cpu) / jobs * 1e6)
            latencies = []
            for _ in range(LATENCY_JOBS):
                rows = load.rows(1)
                began = time.perf_counter()
                await load.run(rows)
                latencies.append((time.perf_counter() - began) * 1e6)
        finally:
            await engine.close(grace_seconds=1)
    return Measure(
        jobs,
        workers,
        (statistics.median(rates), min(rates), max(rates)),
        statistics.median(cpu_us),
        statistics.median(latencies),
    )


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    measured = uvloop.run(measure(arguments.jobs, workers=arguments.workers, rounds=arguments.rounds))
    print(json.dumps({**asdict(measured), "processors": os.cpu_count()}, indent=2))


if __name__ == "__main__":
    main()
