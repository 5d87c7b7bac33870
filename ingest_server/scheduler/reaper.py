"""Regular work on what is due: jobs whose time has come, deadlines that passed, leases that ended, retention."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from ingest_server.domain.clock import MICROSECONDS_PER_SECOND, Clock
from ingest_server.domain.errors import Code, Failure, IngestError, Reason
from ingest_server.store.interface import JobStore

log = logging.getLogger(__name__)

BATCH_JOBS_MAX = 1_000
"""Jobs touched in one store call: some 5 ms, so that submits beside it do not notice."""

BATCHES_PER_ROUND_MAX = 100

TOTAL_TIMEOUT_FAILURE = Failure(
    Code.DEADLINE_EXCEEDED, Reason.TOTAL_TIMEOUT, "the job did not start within its total_timeout", retryable=False
).to_bytes()


class Reaper:
    """Two loops: a quick one for what users wait for (delays, retries, deadlines), a slow one for retention.

    Args:
        keep_own_leases: called before leases are reaped; extends those of this server that only seem to have ended.
    """

    def __init__(
        self,
        store: JobStore,
        clock: Clock,
        *,
        keep_own_leases: Callable[[], Awaitable[None]],
        promote_interval_seconds: float,
        retention_interval_seconds: float,
        event_ttl_seconds: float,
    ) -> None:
        self._store = store
        self._clock = clock
        self._keep_own_leases = keep_own_leases
        self._promote_interval_seconds = promote_interval_seconds
        self._retention_interval_seconds = retention_interval_seconds
        self._event_ttl_us = int(event_ttl_seconds * MICROSECONDS_PER_SECOND)

    async def run_due(self) -> None:
        """Promote and reap, until cancelled."""
        while True:
            await self._clock.sleep(self._promote_interval_seconds)
            try:
                await self.do_due()
            except IngestError as error:
                log.warning("looking for due jobs failed, will be repeated: %s", error.message)

    async def run_retention(self) -> None:
        """Purge, until cancelled."""
        while True:
            await self._clock.sleep(self._retention_interval_seconds)
            try:
                await self.do_retention()
            except IngestError as error:
                log.warning("purging failed, will be repeated: %s", error.message)

    async def do_due(self) -> None:
        """One round of the quick loop; many batches if much is due."""
        for _ in range(BATCHES_PER_ROUND_MAX):
            if await self._store.promote(BATCH_JOBS_MAX, self._clock.now_us()) < BATCH_JOBS_MAX:
                break
        # Read before our own leases are looked after: a wall clock that jumps in between must not end them.
        now_us = self._clock.now_us()
        await self._keep_own_leases()
        for _ in range(BATCHES_PER_ROUND_MAX):
            released, expired = await self._store.reap(BATCH_JOBS_MAX, now_us, TOTAL_TIMEOUT_FAILURE)
            if released:
                log.warning("%d jobs were released from leases that had ended", released)
            if max(released, expired) < BATCH_JOBS_MAX:
                break

    async def do_retention(self) -> None:
        """One round of the slow loop."""
        for _ in range(BATCHES_PER_ROUND_MAX):
            now_us = self._clock.now_us()
            if await self._store.purge(BATCH_JOBS_MAX, now_us, now_us - self._event_ttl_us) < BATCH_JOBS_MAX:
                break
