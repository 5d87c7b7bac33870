"""A store that holds many finished jobs, beside an empty one: rates of submit and lease in turn; then how fast it opens again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest_server.store.records import JobPolicy, SubmitBatch
from ingest_server.store.sqlite.store import SqliteStore

CALL_JOBS = 1_000
RESULT_TTL_US = 24 * 3_600_000_000
LEASE_US = 3_600_000_000
PAYLOAD = b"i" + b"x" * 34
OUTPUT = b"\x12\x08" + b"y" * 34
SPEC = b"\x0a\x10" + b"s" * 60


@dataclass(frozen=True, slots=True)
class Rates:
    """Jobs a second of one store in one round."""

    submit: float
    lease: float


class _Store:
    """One store, driven through its async interface."""

    def __init__(self, directory: Path) -> None:
        self.store = SqliteStore(directory)
        # The present, for a server is started on the same folder later: retention must not be over by then.
        self.now_us = time.time_ns() // 1_000
        self._policy = JobPolicy("default", "default", "", "", 5, (), 0, 0, RESULT_TTL_US, False, 0, SPEC)
        self._rows = [(0, b"", PAYLOAD, "", b"")] * CALL_JOBS

    async def submit(self, *, grant: int = 0) -> tuple[int, Sequence[int]]:
        batch = SubmitBatch("default", b"", b"", b"", False, [self._policy], self._rows, grant, LEASE_US)
        answer = await self.store.submit(batch, self.now_us)
        return answer.lease, [seq for _, seq in answer.leased]

    async def lease(self) -> tuple[int, Sequence[int]]:
        lease = await self.store.lease([(1, CALL_JOBS)], self.now_us + LEASE_US, self.now_us)
        return lease.number, [job[0] for job in lease.jobs]

    async def settle(self, lease: int, seqs: Sequence[int]) -> None:
        rows = [(seq, lease, 0, OUTPUT, b"", b"", b"", "local/1", self.now_us, self.now_us, 0) for seq in seqs]
        refused = await self.store.settle(rows, self.now_us)
        assert not refused, f"{len(refused)} settlements refused"

    async def fill(self, jobs: int) -> None:
        """Finish `jobs` jobs, with a call of each kind under way at a time."""
        ending: asyncio.Task[None] | None = None
        for _ in range(jobs // CALL_JOBS):
            lease, seqs = await self.submit(grant=CALL_JOBS)
            assert len(seqs) == CALL_JOBS
            if ending is not None:
                await ending
            ending = asyncio.create_task(self.settle(lease, seqs))
        if ending is not None:
            await ending

    async def round(self, calls: int) -> Rates:
        """Submit, lease, and settle so that the next round finds the same."""
        begin = time.perf_counter()
        for _ in range(calls):
            await self.submit()
        submitted = time.perf_counter()
        leases = [await self.lease() for _ in range(calls)]
        leased = time.perf_counter()
        assert sum(len(seqs) for _, seqs in leases) == calls * CALL_JOBS
        for lease, seqs in leases:
            await self.settle(lease, seqs)
        return Rates(calls * CALL_JOBS / (submitted - begin), calls * CALL_JOBS / (leased - submitted))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Parallel rounds of the full and of the empty store."""

    full: tuple[Rates, ...]
    empty: tuple[Rates, ...]


async def compare(full: Path, empty: Path, jobs: int, calls: int, rounds: int) -> Comparison:
    """Fill one store, then measure both in turn; who goes first changes."""
    stores = {"full": _Store(full), "empty": _Store(empty)}
    found: dict[str, list[Rates]] = {"full": [], "empty": []}
    for each in stores.values():
        await each.store.open(each.now_us)
    try:
        await stores["full"].fill(jobs)
        for each in stores.values():
            await each.round(1)
        for number in range(rounds):
            for name in ("full", "empty") if number % 2 == 0 else ("empty", "full"):
                found[name].append(await stores[name].round(calls))
    finally:
        for each in stores.values():
            await each.store.close()
    return Comparison(tuple(found["full"]), tuple(found["empty"]))


def measure(full: Path, empty: Path, jobs: int, calls: int, rounds: int) -> Comparison:
    """Compare in a fresh event loop. The full store stays in its folder, so that a server can be started on it.

    Args:
        full, empty: two folders that exist.
        jobs: finished jobs in the full one.
        calls: of 1,000 jobs, per verb and round.
        rounds: of each.
    """
    return asyncio.run(compare(full, empty, jobs, calls, rounds))
