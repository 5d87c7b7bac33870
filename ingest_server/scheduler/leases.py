"""Keeps the leases of running attempts alive, and gives up what was lost."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ingest_server.domain.clock import MICROSECONDS_PER_SECOND, Clock
from ingest_server.domain.errors import IngestError
from ingest_server.scheduler.inflight import InFlight, InFlightTable
from ingest_server.store.interface import JobStore

log = logging.getLogger(__name__)

HEARTBEATS_PER_LEASE = 3
"""Two heartbeats may fail before a lease ends."""


class LeaseKeeper:
    """Extends all leases that still hold attempts, three times in a lease's life.

    Args:
        give_up: told of attempts that have lost their lease: (row number, attempt); they are in the table no more.
        miss_none: called before the leases are extended, to hand back attempts that the engine has lost without a word: a lease
            that is extended would hold their jobs for ever.
    """

    def __init__(
        self,
        store: JobStore,
        inflight: InFlightTable,
        clock: Clock,
        *,
        lease_seconds: float,
        give_up: Callable[[int, InFlight], None],
        miss_none: Callable[[], None],
    ) -> None:
        self._store = store
        self._inflight = inflight
        self._give_up = give_up
        self._miss_none = miss_none
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._beaten_us = clock.now_us()

    @property
    def lease_us(self) -> int:
        """How long a lease lasts without a heartbeat."""
        return int(self._lease_seconds * MICROSECONDS_PER_SECOND)

    async def run(self) -> None:
        """Send heartbeats until cancelled."""
        while True:
            await self._clock.sleep(self._lease_seconds / HEARTBEATS_PER_LEASE)
            self._miss_none()
            try:
                await self.beat()
            except IngestError as error:
                log.warning("a heartbeat for %d leases failed: %s", len(self._inflight.lease_counts), error.message)

    async def beat_if_late(self) -> None:
        """Extend the leases now if their heartbeat is overdue: the process was stopped for a while, or the wall clock jumped.
        To be called before leases that have ended are reaped: the attempts of this very server still run."""
        since_us = self._clock.now_us() - self._beaten_us
        if not 0 <= since_us < self.lease_us * 2 // HEARTBEATS_PER_LEASE:
            await self.beat()

    async def beat(self) -> None:
        """Extend all leases once. Attempts whose lease is gone are stopped: their jobs run elsewhere, or will."""
        leases = list(self._inflight.lease_counts)
        now_us = self._clock.now_us()
        self._beaten_us = now_us
        if not leases:
            return
        for lease in await self._store.heartbeat(leases, now_us + self.lease_us, now_us):
            lost = self._inflight.drop_lease(lease)
            log.warning("lease %d was lost; its %d running attempts are stopped", lease, len(lost))
            for seq, attempt in lost.items():
                self._give_up(seq, attempt)
