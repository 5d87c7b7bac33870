"""Ten times as many jobs are offered as the workers can do, for a minute."""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass, field

import psutil

from ingest_client import Client, IngestClientError, JobSpec, RetryLimits, custom
from ingest_client.errors import Exhausted
from scripts.faults.ledger import Ledger, p99
from scripts.faults.rig import FAULT_HANDLERS, played, serving
from scripts.faults.scenario import Round, Scenario
from tests.acceptance.server.server_process import ServerProcess

SECONDS, SECONDS_SHORT = 60.0, 3.0
PEAK_SECONDS, PEAK_SECONDS_SHORT = 15.0, 2.0
RUN_SECONDS = 0.01
"""Of every job, without the processor: what two workers can do is known, and the offer costs the server no more than its due."""
FACTOR = 10
JOBS_PER_CALL = 20
LIVE_JOBS_MAX = 2_000
PEAK_QUEUED_LEAST = 500
CALLS_UNDER_WAY_MAX = 500
REFUSED_SECONDS_MAX, GOODPUT_LEAST = 0.05, 0.9
GROWTH_BYTES_MAX = 64 << 20
"""From a third of the time on, when the line is full, nothing may grow but caches of the store."""
SPEC = JobSpec(tasks=custom("spend", seconds=RUN_SECONDS))


@dataclass
class _Offer:
    """Calls made at a steady pace, whatever comes of them: no caller waits for another."""

    client: Client
    refused_seconds: list[float] = field(default_factory=list)
    without_hint: int = 0
    accepted: int = 0
    skipped: int = 0
    failed: list[str] = field(default_factory=list)

    async def go_on(self, calls_per_second: float, seconds: float) -> None:
        """Call until the time is over, and until the last answer."""
        begin = time.perf_counter()
        under_way: set[asyncio.Task[None]] = set()
        for number in range(int(calls_per_second * seconds)):
            await asyncio.sleep(max(0.0, begin + number / calls_per_second - time.perf_counter()))
            if len(under_way) >= CALLS_UNDER_WAY_MAX:
                self.skipped += 1
                continue
            call = asyncio.create_task(self._call())
            under_way.add(call)
            call.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)

    async def _call(self) -> None:
        begin = time.perf_counter()
        try:
            batch = await self.client.submit([SPEC] * JOBS_PER_CALL)
            self.accepted += len(batch.job_ids)
            refused: list[IngestClientError] = [error for _, error in batch.refused]
        except IngestClientError as failure:
            refused = [failure]
        if refused:
            self.refused_seconds.append(time.perf_counter() - begin)
        for each in refused:
            if not isinstance(each, Exhausted):
                self.failed.append(f"{type(each).__name__}: {each}")
            elif each.retry_after_seconds is None:
                self.without_hint += 1


async def _ended(client: Client) -> int:
    return sum((await client.stats()).ended_counts.values())


async def _peak(client: Client, seconds: float) -> float:
    """Jobs ended per second while there are always some, and never too many."""
    await client.submit([SPEC] * PEAK_QUEUED_LEAST)
    before, begin = await _ended(client), time.perf_counter()
    while time.perf_counter() - begin < seconds:
        if (await client.stats()).queued_count < PEAK_QUEUED_LEAST:
            await client.submit([SPEC] * PEAK_QUEUED_LEAST)
        await asyncio.sleep(0.1)
    return (await _ended(client) - before) / (time.perf_counter() - begin)


def _bytes(server: ServerProcess) -> int:
    """Memory of the server and its store; workers are held by their own limits."""
    return sum(process.memory_info().rss for process in server.processes()[:2])


async def _memory(server: ServerProcess, seen: list[int]) -> None:
    while True:
        try:
            seen.append(_bytes(server))
        except psutil.NoSuchProcess:
            continue
        finally:
            await asyncio.sleep(0.25)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seconds", type=float, default=0.0, help=f"of overload (default {SECONDS:g}; {SECONDS_SHORT:g} with --short)"
    )


async def _play(this: Round, ledger: Ledger) -> None:
    seconds = this.options.seconds or (SECONDS_SHORT if this.short else SECONDS)
    flags = ("--queued-jobs-max", str(LIVE_JOBS_MAX))
    once = RetryLimits(attempts_max=1)
    this.progress.begin("overload", 2)
    async with serving(this, *flags, handlers=[FAULT_HANDLERS]) as server, Client(server.address, retry=once) as client:
        peak = await _peak(client, PEAK_SECONDS_SHORT if this.short else PEAK_SECONDS)
        this.progress.advance()
        offer, memory = _Offer(client), list[int]()
        measuring = asyncio.create_task(_memory(server, memory))
        try:
            before, begin = await _ended(client), time.perf_counter()
            await offer.go_on(FACTOR * peak / JOBS_PER_CALL, seconds)
            goodput = (await _ended(client) - before) / (time.perf_counter() - begin)
        finally:
            measuring.cancel()
            await asyncio.gather(measuring, return_exceptions=True)
        live = (await client.stats()).queued_count
        this.progress.advance()
    ledger.note("peak_jobs_per_second", peak)
    ledger.note("offered_jobs_per_second", FACTOR * peak)
    ledger.note("calls_refused", len(offer.refused_seconds))
    ledger.require(bool(offer.refused_seconds), "nothing was refused: there was no overload")
    ledger.require(offer.skipped * 20 < len(offer.refused_seconds), f"{offer.skipped} calls could not be made in time")
    ledger.seconds("refused_p99_seconds", p99(offer.refused_seconds or [0.0]), REFUSED_SECONDS_MAX)
    ledger.ratio("goodput_ratio_of_peak", goodput / peak, GOODPUT_LEAST)
    ledger.most("live_jobs_at_the_end", live, LIVE_JOBS_MAX)
    third = len(memory) // 3
    ledger.most("memory_growth_bytes", max(memory[third:]) - memory[third], GROWTH_BYTES_MAX)
    ledger.note("memory_peak_bytes", max(memory))
    ledger.none("failures_other_than_refusals", offer.failed)
    ledger.most("refusals_without_a_hint", offer.without_hint, 0)


SCENARIO = Scenario(
    "overload",
    "Ten times as many jobs are offered as the workers can do, for 60 s, by callers that do not wait.",
    "Refused within 50 ms (p99) with a hint when to come back; goodput >= 0.9 of the peak; memory bounded.",
    played(_play, short_seconds_max=90, full_seconds_max=300),
    _arguments,
)
