"""Fetch results: one answer per job asked for, whatever became of it, in pages that fit a message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest_server.domain.caller import Caller
from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import NotFound, Reason
from ingest_server.domain.ids import uuid_text
from ingest_server.jobs.event_hub import EventHub, TerminalWait
from ingest_server.jobs.waiting import within
from ingest_server.store.interface import JobStore
from ingest_server.store.records import Detail, JobQuery, JobRow


@dataclass(frozen=True, slots=True)
class FetchPage:
    """A page of results.

    Attributes:
        rows: (job id, its row or None if it is not known), in the order asked; for a batch in the order of acceptance.
        next_offset: where the next page begins; 0: there is none.
    """

    rows: Sequence[tuple[bytes, JobRow | None]]
    next_offset: int


class FetchResults:
    """The use case."""

    def __init__(self, store: JobStore, hub: EventHub, clock: Clock, *, page_bytes_max: int) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self._page_bytes_max = page_bytes_max

    async def __call__(
        self,
        caller: Caller,
        *,
        job_ids: Sequence[bytes] | None,
        batch_id: bytes,
        offset: int,
        page_size: int,
        wait_seconds: float,
        wait_any: bool,
    ) -> FetchPage:
        """Answer for jobs by id, or for those of a batch.

        Args:
            caller: whose jobs.
            job_ids: which; None for those of a batch.
            batch_id: which batch, if `job_ids` is None.
            offset: of a page before; an index into `job_ids`, or a row number. 0 at first.
            page_size: most jobs of the page.
            wait_seconds: wait so long for the ends of the page's jobs.
            wait_any: one end is enough.

        Raises:
            NotFound: BATCH_NOT_FOUND. A job that is not known is an answer.
        """
        if job_ids is None and not await self._store.batch(caller.tenant, batch_id):
            raise NotFound(f"there is no batch {uuid_text(batch_id)}", reason=Reason.BATCH_NOT_FOUND)
        page = await self._page(caller, job_ids, batch_id, offset, page_size)
        if wait_seconds <= 0 or _enough(page, wait_any):
            return page
        wait = TerminalWait(self._hub, [job_id for job_id, row in page.rows if row is not None and not row.state.terminal])
        try:
            page = await self._page(caller, job_ids, batch_id, offset, page_size)  # what ended before the wait began
            if _enough(page, wait_any):
                return page
            waiting = sum(row is not None and not row.state.terminal for _, row in page.rows)
            wait.mark_ended(job_id for job_id, row in page.rows if row is None or row.state.terminal)
            target = waiting - 1 if wait_any else 0
            await within(self._clock, wait_seconds, wait.ended(lambda still_open: still_open <= target))
        finally:
            wait.close()
        return await self._page(caller, job_ids, batch_id, offset, page_size)

    async def _page(
        self, caller: Caller, job_ids: Sequence[bytes] | None, batch_id: bytes, offset: int, page_size: int
    ) -> FetchPage:
        now_us = self._clock.now_us()
        query = JobQuery(caller.tenant, batch_id=batch_id)
        if job_ids is not None:
            query = JobQuery(caller.tenant, job_ids=job_ids[offset : offset + page_size])
        page = await self._store.jobs(
            query,
            limit=page_size,
            from_seq=offset if job_ids is None else 0,
            detail=Detail.OUTPUT,
            bytes_max=self._page_bytes_max,
            now_us=now_us,
        )
        if job_ids is None:
            return FetchPage([(row.job_id, row) for row in page.rows], page.next_seq)
        end = min(offset + (page.next_seq or page_size), len(job_ids))
        known = {row.job_id: row for row in page.rows}
        rows = [(job_id, known.get(job_id)) for job_id in job_ids[offset:end]]
        return FetchPage(rows, end if end < len(job_ids) else 0)


def _enough(page: FetchPage, wait_any: bool) -> bool:
    open_count = sum(row is not None and not row.state.terminal for _, row in page.rows)
    return open_count == 0 or (wait_any and open_count < len(page.rows))
