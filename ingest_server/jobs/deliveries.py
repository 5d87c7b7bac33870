"""Deliveries of a job's callbacks: read how they went, and send them again."""

from __future__ import annotations

from collections.abc import Sequence

from ingest_server.domain.caller import Caller
from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import NotFound, Reason, Unsupported
from ingest_server.domain.ids import uuid_text
from ingest_server.store.interface import JobStore
from ingest_server.store.outbox import DeliveryPage
from ingest_server.store.records import JobQuery

REDELIVERIES_MAX = 100
"""job_service.proto, RedeliverCallbacksRequest.delivery_ids."""


class Deliveries:
    """The use cases.

    Args:
        enabled: whether this server delivers callbacks.
    """

    def __init__(self, store: JobStore, clock: Clock, *, enabled: bool) -> None:
        self._store = store
        self._clock = clock
        self._enabled = enabled

    async def list(self, caller: Caller, job_id: bytes, *, page_size: int, from_number: int) -> DeliveryPage:
        """A page of a job's deliveries from a number on, in the order of its changes. Raises NotFound."""
        await self._check_job(caller, job_id)
        return await self._store.deliveries(
            caller.tenant, job_id, limit=page_size, from_number=from_number, now_us=self._clock.now_us()
        )

    async def redeliver(self, caller: Caller, job_id: bytes, numbers: Sequence[int]) -> Sequence[int]:
        """Send deliveries again that have ended: these, or without any the first `REDELIVERIES_MAX` that failed. Answers which.

        Raises:
            NotFound: no such job.
            Unsupported: callbacks are off: nothing would be sent.
        """
        if not self._enabled:
            raise Unsupported(
                "this server does not deliver callbacks; whoever runs it decides with the setting callback_hosts",
                metadata={"feature": "callbacks"},
            )
        await self._check_job(caller, job_id)
        return await self._store.redeliver(caller.tenant, job_id, numbers, REDELIVERIES_MAX, self._clock.now_us())

    async def _check_job(self, caller: Caller, job_id: bytes) -> None:
        page = await self._store.jobs(JobQuery(caller.tenant, job_ids=(job_id,)), limit=1, now_us=self._clock.now_us())
        if not page.rows:
            raise NotFound(
                f"job {uuid_text(job_id)} is not known: it never was, was deleted, or its retention ended",
                reason=Reason.JOB_NOT_FOUND,
            )
