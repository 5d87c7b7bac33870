"""One life of a server: scheduler and use cases over the store that outlives it, up to its crash or its drain."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import cast

from prometheus_client import CollectorRegistry

from ingest_server.auth.quotas import Quotas
from ingest_server.domain.caller import Caller
from ingest_server.domain.retry import RetryPolicy, RunPolicy
from ingest_server.domain.tenant import TenantQuota
from ingest_server.jobs.blobs import Blobs
from ingest_server.jobs.cancel import CancelJobs
from ingest_server.jobs.delete import DeleteJobs
from ingest_server.jobs.event_hub import EventHub
from ingest_server.jobs.job_counter import JobCounter
from ingest_server.jobs.live_counts import LiveCounts
from ingest_server.jobs.queue_table import QueueTable
from ingest_server.jobs.retry import RetryJobs
from ingest_server.jobs.submit import SubmitJobs, SubmitLimits
from ingest_server.observability.metrics import Metrics
from ingest_server.scheduler.scheduler import Scheduler, SchedulerLimits
from ingest_server.scheduler.statistics import Rate, SchedulerStatistics
from ingest_server.store.interface import JobStore
from tests.simulation.engine import SimulatedEngine
from tests.simulation.loop import SimulatedClock
from tests.simulation.model import Model
from tests.simulation.store_port import StorePort

SECOND = 1_000_000
LEASE_SECONDS = 3.0
LIMITS = SchedulerLimits(
    lease_seconds=LEASE_SECONDS, promote_interval_seconds=0.5, retention_interval_seconds=5.0, event_ttl_seconds=40.0
)
RETRY = RetryPolicy(max_attempts=3, initial_backoff_us=SECOND // 2, max_backoff_us=2 * SECOND, max_crashes=3)
RUN = RunPolicy(20 * SECOND, RETRY)
QUOTAS = {"limited": TenantQuota(live_jobs_max=12, running_max=2)}
WATCH_EVENTS_MAX = 20
METRICS = JobCounter(Metrics(CollectorRegistry()))


class _NoBlobs:
    """No history has blobs."""


class SimulatedServer:
    """See the module."""

    def __init__(
        self,
        inner: JobStore,
        model: Model,
        clock: SimulatedClock,
        chance: random.Random,
        *,
        slots: int,
        hops: float,
        count: Callable[[], int],
    ) -> None:
        self.failures: list[BaseException] = []
        self.clock = clock
        self.port = StorePort(inner, model, chance, clock, hops)
        self.engine = SimulatedEngine(clock, model, slots, count)
        self.quotas = Quotas(QUOTAS, clock)
        self.hub = EventHub(clock, buffer_events_max=WATCH_EVENTS_MAX)
        self.port.subscribe(self.hub.on_changes)
        self.queues = QueueTable(self.port)
        self.counts = LiveCounts(self.port, self.quotas, METRICS)
        self.scheduler = Scheduler(
            self.port,
            self.engine,
            clock,
            LIMITS,
            statistics=SchedulerStatistics(clock),
            read_spec=lambda spec: RUN,
            tenant_quota=self.quotas.quota,
            on_progress=self.hub.on_progress,
            on_failure=self.failures.append,
        )
        self.submit = SubmitJobs(
            self.port,
            cast("Blobs", _NoBlobs()),
            self.scheduler.dispatcher,
            self.queues,
            self.counts,
            self.quotas,
            Rate(clock),
            clock,
            SubmitLimits(lambda: 200, 1_024),
        )
        self.cancel = CancelJobs(self.port, self.scheduler, clock)
        self.delete = DeleteJobs(self.port, clock)
        self.retry = RetryJobs(self.port, self.submit, clock, lambda spec: ())
        self.serving = False

    async def start(self) -> None:
        """Open and begin to run jobs."""
        await self.port.open(self.clock.now_us())
        groups = await self.port.groups()
        self.hub.learn_groups({number: key for number, (key, _) in groups.items()})
        self.hub.position = (await self.port.span())[1]
        self.quotas.restore(await self.counts.load(groups, self.clock.now_us()))
        await self.scheduler.open()
        self.scheduler.start()
        self.serving = True

    async def drain(self) -> None:
        """End in order."""
        self.serving = False
        await self.scheduler.drain(0.0, settle_seconds=2.0)

    def die(self) -> None:
        """Be gone from one instruction to the next. What still runs in the loop reaches nobody."""
        self.serving = False
        self.port.dead = True
        self.engine.dead = True

    def caller(self, tenant: str) -> Caller:
        """Somebody of that tenant."""
        return Caller(tenant=tenant)
