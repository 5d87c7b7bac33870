"""A submit whose caller goes away while the store writes it: its jobs are started and counted all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import pytest

from ingest_server.domain.caller import Caller
from ingest_server.domain.errors import Unavailable
from ingest_server.jobs.blobs import Blobs
from ingest_server.jobs.live_counts import LiveCounts
from ingest_server.jobs.queue_table import QueueTable
from ingest_server.jobs.submit import SubmitCommand, SubmitJobs, SubmitLimits
from ingest_server.store.memory import MemoryStore
from ingest_server.store.records import JobPolicy, NewJob, SubmitAnswer, SubmitBatch
from tests.fakes.clock import FakeClock

CALLER = Caller("tenant")
POLICY = JobPolicy("tenant", "default", "", "", 5, (), 0, 0, 3_600_000_000, False, 0, b"spec")
COMMAND = SubmitCommand(b"", b"", b"", False, [POLICY], [(0, b"", b"ipayload", "", b"")] * 3)


class HeldStore(MemoryStore):
    """Writes a submit when the test lets it, or fails."""

    def __init__(self) -> None:
        super().__init__(ageing_us=30_000_000)
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.fault: Exception | None = None

    async def submit(self, batch: SubmitBatch, now_us: int) -> SubmitAnswer:
        self.begun.set()
        await self.go_on.wait()
        if self.fault is not None:
            raise self.fault
        return await super().submit(batch, now_us)


@dataclass
class Books:
    """A starter that grants two jobs, an admission, and a counter of the rate."""

    grant_lease_us: int = 30_000_000
    redeemed: list[tuple[int, int]] = field(default_factory=list)
    live: int = 0
    submitted: int = 0

    def grant(self, policies: Sequence[JobPolicy], count: int) -> int:
        return 2

    def redeem(
        self, granted: int, policies: Sequence[JobPolicy], jobs: Sequence[NewJob], answer: SubmitAnswer | None, now_us: int
    ) -> None:
        self.redeemed.append((granted, len(answer.leased) if answer else 0))

    def take(self, tenant: str, jobs: int) -> None:
        self.live += jobs

    def give_back(self, tenant: str, jobs: int) -> None:
        self.live -= jobs

    def ended(self, tenant: str, jobs: int) -> None:
        raise AssertionError("no job ends here")

    def add(self, count: int) -> None:
        self.submitted += count


@dataclass
class Parts:
    """What a test looks at."""

    store: HeldStore
    books: Books
    submit: SubmitJobs


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    """A use case over a store that waits."""
    clock, store, books = FakeClock(), HeldStore(), Books()
    await store.open(clock.now_us())
    counts = cast(LiveCounts, SimpleNamespace(total=lambda: 0))
    limits = SubmitLimits(lambda: 1_000, 1_024)
    # The jobs have no blobs.
    yield Parts(store, books, SubmitJobs(store, cast(Blobs, None), books, QueueTable(store), counts, books, books, clock, limits))
    await store.close()


async def leave(parts: Parts) -> None:
    """Submit, and go away while the store writes."""
    calling = asyncio.create_task(parts.submit(CALLER, COMMAND))
    await parts.store.begun.wait()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert parts.books.redeemed == []
    parts.store.go_on.set()
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_was_leased_for_a_caller_that_went_away_is_started(parts: Parts) -> None:
    await leave(parts)
    assert parts.books.redeemed == [(2, 2)]


async def test_what_was_accepted_for_a_caller_that_went_away_is_counted(parts: Parts) -> None:
    await leave(parts)
    assert (parts.books.live, parts.books.submitted) == (3, 3)


async def test_a_submit_that_fails_after_its_caller_went_away_gives_everything_back(parts: Parts) -> None:
    parts.store.fault = Unavailable("the disk is gone")
    await leave(parts)
    assert parts.books.redeemed == [(2, 0)]
    assert (parts.books.live, parts.books.submitted) == (0, 0)


async def test_a_caller_that_stays_hears_of_the_failure(parts: Parts) -> None:
    parts.store.fault = Unavailable("the disk is gone")
    parts.store.go_on.set()
    with pytest.raises(Unavailable, match="the disk is gone"):
        await parts.submit(CALLER, COMMAND)
    assert parts.books.live == 0
