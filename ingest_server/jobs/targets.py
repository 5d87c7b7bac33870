"""Which jobs a cancel, retry or delete is about: ids, or a batch taken in pages."""

from __future__ import annotations

from collections.abc import Sequence

from ingest_server.domain.caller import Caller
from ingest_server.domain.errors import NotFound, Reason
from ingest_server.domain.ids import uuid_text
from ingest_server.store.interface import JobStore
from ingest_server.store.records import JobQuery

BATCH_PAGE_JOBS = 1_000
"""Jobs of a batch that one call acts on: some 10 ms of a store's time."""


async def target_query(store: JobStore, caller: Caller, job_ids: Sequence[bytes] | None, batch_id: bytes) -> JobQuery:
    """The query for the jobs named by `job_ids`, or for those of a batch. Raises NotFound (BATCH_NOT_FOUND)."""
    if job_ids is not None:
        return JobQuery(caller.tenant, job_ids=job_ids)
    if not await store.batch(caller.tenant, batch_id):
        raise NotFound(f"there is no batch {uuid_text(batch_id)}", reason=Reason.BATCH_NOT_FOUND)
    return JobQuery(caller.tenant, batch_id=batch_id)
