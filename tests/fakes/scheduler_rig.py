"""A scheduler over the store in memory, an engine whose attempts end when the test says so, and a clock that the test turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from ingest_server.domain.job import JobState
from ingest_server.domain.retry import RetryPolicy, RunPolicy
from ingest_server.domain.tenant import TenantQuota
from ingest_server.jobs.event_hub import EventHub
from ingest_server.scheduler.scheduler import Scheduler, SchedulerLimits
from ingest_server.scheduler.statistics import SchedulerStatistics
from ingest_server.store.interface import JobStore
from ingest_server.store.memory import MemoryStore
from ingest_server.store.records import JobPolicy, JobQuery, JobRow, QueueRow, SubmitBatch
from tests.fakes.clock import FakeClock
from tests.fakes.engine import FakeEngine

TENANT = "tenant"
SECOND = 1_000_000
POLICY = JobPolicy(TENANT, "default", "", "", 5, (), 0, 0, 3_600 * SECOND, False, 0, b"spec")


@dataclass
class Rig:
    """The parts of one test."""

    clock: FakeClock
    store: JobStore
    engine: FakeEngine
    scheduler: Scheduler
    retry: RetryPolicy
    failures: list[BaseException]
    hub: EventHub

    async def submit(self, count: int = 1, *, batch_id: bytes = b"", **changes: object) -> list[bytes]:
        """Accept jobs without a grant. Answers their ids."""
        policy = replace(POLICY, **changes)  # type: ignore[arg-type]
        jobs = [(0, b"", b"ipayload", "", b"")] * count
        batch = SubmitBatch(policy.tenant, b"", b"", batch_id, False, [policy], jobs)
        answer = await self.store.submit(batch, self.clock.now_us())
        await self.settle_down()
        return list(answer.job_ids)

    async def settle_down(self) -> None:
        """Let everything that can happen now happen."""
        for _ in range(100):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Turn the clock, in steps that let the loops follow."""
        await self.clock.advance(seconds)
        await self.settle_down()

    async def row(self, job_id: bytes) -> JobRow:
        """A job as the store has it."""
        page = await self.store.jobs(JobQuery("", job_ids=(job_id,)), limit=1, now_us=self.clock.now_us())
        return page.rows[0]

    async def state(self, job_id: bytes) -> JobState:
        """Its state."""
        return (await self.row(job_id)).state

    def running(self) -> list[int]:
        """Row numbers of the attempts that run, in the order in which they began."""
        return list(dict.fromkeys(attempt[0] for attempt in self.engine.started if attempt[0] in self.engine.running))


@asynccontextmanager
async def scheduler_rig(
    *,
    slots: int = 2,
    retry: RetryPolicy | None = None,
    quota: TenantQuota | None = None,
    queues: tuple[QueueRow, ...] = (),
    buffer_events_max: int = 1_000,
) -> AsyncIterator[Rig]:
    """Start one, and end it without a trace."""
    clock = FakeClock()
    store = MemoryStore(ageing_us=30 * SECOND)
    engine = FakeEngine(clock, slots=slots)
    policy = retry or RetryPolicy(max_attempts=3, initial_backoff_us=10 * SECOND, backoff_multiplier=2.0)
    failures: list[BaseException] = []
    hub = EventHub(clock, buffer_events_max=buffer_events_max)
    store.subscribe(hub.on_changes)
    scheduler = Scheduler(
        store,
        engine,
        clock,
        SchedulerLimits(lease_seconds=30.0, promote_interval_seconds=0.1),
        statistics=SchedulerStatistics(clock),
        read_spec=lambda spec: RunPolicy(60 * SECOND, policy),
        tenant_quota=lambda tenant: quota or TenantQuota(),
        on_progress=hub.on_progress,
        on_failure=failures.append,
    )
    await store.open(clock.now_us())
    for queue in queues:
        await store.put_queue(queue, clock.now_us())
    await scheduler.open()
    scheduler.start()
    rig = Rig(clock, store, engine, scheduler, policy, failures, hub)
    await rig.settle_down()
    try:
        yield rig
    finally:
        await scheduler.drain(0.0)
        await store.close()
        assert not failures, f"a loop of the scheduler ended by a fault: {failures}"
