"""Delete jobs: forget ended ones, and free what they hold."""

from __future__ import annotations

from collections.abc import Sequence

from ingest_server.domain.caller import Caller
from ingest_server.domain.clock import Clock
from ingest_server.jobs.targets import BATCH_PAGE_JOBS, target_query
from ingest_server.store.interface import JobStore
from ingest_server.store.records import ActionAnswer


class DeleteJobs:
    """The use case."""

    def __init__(self, store: JobStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(
        self, caller: Caller, *, job_ids: Sequence[bytes] | None, batch_id: bytes, page: int
    ) -> tuple[Sequence[ActionAnswer], int]:
        """Forget terminal jobs: by id, one answer each, or those of a batch in pages; arguments and answer as in `CancelJobs`."""
        query = await target_query(self._store, caller, job_ids, batch_id)
        limit = len(job_ids) if job_ids is not None else BATCH_PAGE_JOBS
        answers = await self._store.delete(query, limit, self._clock.now_us())
        return answers, page + 1 if job_ids is None and len(answers) >= limit else 0
