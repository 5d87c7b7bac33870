"""The scheduler as one part: builds its pieces, runs their loops, drains them in order."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest_server.domain.clock import Clock
from ingest_server.domain.retry import SpecReader
from ingest_server.domain.tenant import TenantQuota
from ingest_server.engines.interface import Engine, EngineListener, ProgressRow
from ingest_server.scheduler.dispatcher import Dispatcher
from ingest_server.scheduler.fairness import FairShare
from ingest_server.scheduler.fanout import Fanout
from ingest_server.scheduler.inflight import InFlight, InFlightTable
from ingest_server.scheduler.leases import LeaseKeeper
from ingest_server.scheduler.limits import StartLimits
from ingest_server.scheduler.reaper import Reaper
from ingest_server.scheduler.settlement import Settler
from ingest_server.scheduler.statistics import SchedulerStatistics
from ingest_server.store.interface import JobStore

log = logging.getLogger(__name__)

SETTLE_SECONDS_MAX = 10.0
"""Wait of a drain for the store: many times what a full store call takes, and no more than who ends a server is ready to wait."""


@dataclass(frozen=True, slots=True)
class SchedulerLimits:
    """Spans of time that the scheduler keeps, in seconds."""

    lease_seconds: float = 30.0
    promote_interval_seconds: float = 0.1
    retention_interval_seconds: float = 1.0
    event_ttl_seconds: float = 86_400.0


class Scheduler:
    """Dispatcher, settler, lease keeper and reaper over one store and one engine.

    Args:
        store: open, or to be opened after `Scheduler` was made (it subscribes to its changes).
        engine: not yet open; `start` opens it.
        statistics: where it counts.
        read_spec: gives the run policy of a job's spec.
        tenant_quota: what a tenant may use.
        on_progress: told of newest progress: (seq, serialized progress) rows.
        on_failure: called when a loop ends by a fault; the server must end then.
    """

    def __init__(
        self,
        store: JobStore,
        engine: Engine,
        clock: Clock,
        limits: SchedulerLimits,
        *,
        statistics: SchedulerStatistics,
        read_spec: SpecReader,
        tenant_quota: Callable[[str], TenantQuota],
        on_progress: Callable[[Sequence[ProgressRow]], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self.statistics = statistics
        self._engine = engine
        self._inflight = InFlightTable()
        start_limits = StartLimits(clock, lambda tenant: tenant_quota(tenant).running_max)
        fair = FairShare(start_limits.allowance, lambda tenant: float(tenant_quota(tenant).weight))
        self._leases = LeaseKeeper(
            store, self._inflight, clock, lease_seconds=limits.lease_seconds,
            give_up=self._give_up, miss_none=lambda: self._fanout.miss_none(),
        )  # fmt: skip
        self.dispatcher = Dispatcher(
            store, engine, self._inflight, fair, start_limits, self._leases, self.statistics, read_spec, clock, self._give_up
        )
        self._fanout = Fanout(
            store, engine, self._inflight, fair, read_spec, clock,
            on_progress=on_progress, report=lambda outcomes: self._settler.on_outcomes(outcomes),
        )  # fmt: skip
        self._settler = Settler(store, self._inflight, fair, self.statistics, read_spec, clock, random.random, self._fanout.begin)
        self.reaper = Reaper(
            store,
            clock,
            keep_own_leases=self._leases.beat_if_late,
            promote_interval_seconds=limits.promote_interval_seconds,
            retention_interval_seconds=limits.retention_interval_seconds,
            event_ttl_seconds=limits.event_ttl_seconds,
        )
        self._on_failure = on_failure
        self._fair = fair
        self._tasks: list[asyncio.Task[None]] = []
        store.subscribe(self.dispatcher.on_changes)
        store.subscribe(self._fanout.on_changes)

    async def open(self) -> None:
        """Open the engine. Raises what `Engine.open` raises."""
        await self._engine.open(EngineListener(self._settler.on_outcomes, self._fanout.on_progress, self.dispatcher.on_capacity))

    def start(self) -> None:
        """Begin to run jobs. Store and engine are open."""
        for loop in (
            self.dispatcher.run,
            self._settler.run,
            self._leases.run,
            self.reaper.run_due,
            self.reaper.run_retention,
            self._fanout.run,
        ):
            task = asyncio.create_task(loop(), name=f"scheduler {loop.__qualname__}")
            task.add_done_callback(self._loop_ended)
            self._tasks.append(task)
        self.dispatcher.on_capacity()

    async def drain(self, grace_seconds: float, *, settle_seconds: float = SETTLE_SECONDS_MAX) -> None:
        """Start nothing more, let running attempts end within the grace time, hand back the others unused, and settle all.

        Args:
            grace_seconds: longest wait for running attempts.
            settle_seconds: longest wait for the store to take how they ended; 0 if the store is gone.
        """
        self.dispatcher.stop()
        await self._engine.close(grace_seconds=grace_seconds)
        self._fanout.close()
        if self._tasks:
            await self._settler.flush(settle_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def cancel(self, seq: int, lease: int) -> None:
        """Ask a running attempt to stop (jobs.ports.Canceller)."""
        self._fanout.stop_attempt(seq, lease)

    def running_count(self) -> int:
        """Attempts that are out."""
        return len(self._inflight)

    def _give_up(self, seq: int, attempt: InFlight) -> None:
        self._fanout.give_up(seq, attempt)

    def _loop_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("%s ended by a fault", task.get_name(), exc_info=error)
            self._on_failure(error)
