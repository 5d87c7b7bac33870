"""Read jobs: one, a page of them, or their number."""

from __future__ import annotations

from dataclasses import replace

from ingest_server.domain.caller import Caller
from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import NotFound, Reason
from ingest_server.domain.ids import uuid_text
from ingest_server.domain.job import JobState
from ingest_server.jobs.event_hub import EventHub
from ingest_server.store.interface import JobStore
from ingest_server.store.records import Detail, JobPage, JobQuery, JobRow


class GetJob:
    """One job."""

    def __init__(self, store: JobStore, hub: EventHub, clock: Clock) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock

    async def __call__(self, caller: Caller, job_id: bytes, *, full: bool) -> JobRow:
        """Read a job of the caller's tenant, with its newest progress. Raises NotFound."""
        query = JobQuery(caller.tenant, job_ids=(job_id,))
        page = await self._store.jobs(query, limit=1, detail=_detail(full), now_us=self._clock.now_us())
        if not page.rows:
            raise NotFound(
                f"job {uuid_text(job_id)} is not known: it never was, was deleted, or its retention ended",
                reason=Reason.JOB_NOT_FOUND,
            )
        return with_progress(page.rows[0], self._hub)


class ListJobs:
    """A page of jobs, newest first."""

    def __init__(self, store: JobStore, hub: EventHub, clock: Clock, *, page_bytes_max: int) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self._page_bytes_max = page_bytes_max

    async def __call__(self, caller: Caller, query: JobQuery, *, page_size: int, from_seq: int, full: bool) -> JobPage:
        """Read at most `page_size` jobs from row number `from_seq` down (0: from the newest). The page ends early when its bytes
        reach the limit of an answer."""
        page = await self._store.jobs(
            replace(query, tenant=caller.tenant),
            limit=page_size,
            from_seq=from_seq,
            newest_first=True,
            detail=_detail(full),
            bytes_max=self._page_bytes_max,
            now_us=self._clock.now_us(),
        )
        return replace(page, rows=[with_progress(row, self._hub) for row in page.rows])


class CountJobs:
    """How many, in groups."""

    def __init__(self, store: JobStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(
        self, caller: Caller, query: JobQuery, *, by_state: bool, by_queue: bool, by_label: str
    ) -> dict[tuple[JobState | None, str, str], int]:
        """Count jobs of the caller's tenant; keys as in `JobStore.count`."""
        query = replace(query, tenant=caller.tenant)
        return await self._store.count(
            query, by_state=by_state, by_queue=by_queue, by_label=by_label, now_us=self._clock.now_us()
        )


def _detail(full: bool) -> Detail:
    return Detail.FULL if full else Detail.BASIC


def with_progress(row: JobRow, hub: EventHub) -> JobRow:
    """The row with the newest progress, which is told to watchers and not stored until the attempt ends."""
    progress = hub.progress_of(row.seq) if row.state in (JobState.RUNNING, JobState.CANCELLING) else b""
    return replace(row, progress=progress) if progress else row
