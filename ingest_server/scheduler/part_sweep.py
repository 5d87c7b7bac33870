"""Forgets parts whose job needs them no more: cancels those that live, deletes those that have ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import Code, Failure, IngestError, Reason
from ingest_server.store.interface import JobStore
from ingest_server.store.records import ANY_PARTS, JobQuery

PAGE_JOBS = 1_000
_FAILURE = Failure(
    Code.CANCELLED, Reason.CANCELLED_BY_CALLER, "the job that this is a part of has ended", retryable=False
).to_bytes()


class PartSweep:
    """Parts by their job, while that lives.

    Args:
        store: where the parts are.
        clock: the time.
        spawn: runs work in the background.
        stop_attempt: stops a part that runs: (seq, lease).
    """

    def __init__(
        self,
        store: JobStore,
        clock: Clock,
        spawn: Callable[[Awaitable[None]], None],
        stop_attempt: Callable[[int, int], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._spawn = spawn
        self._stop_attempt = stop_attempt
        self._parts: dict[bytes, set[bytes]] = {}
        self._dying: set[bytes] = set()

    @property
    def watches(self) -> bool:
        """Whether any end is waited for."""
        return bool(self._parts or self._dying)

    def watch(self, job_id: bytes, parts: Sequence[bytes]) -> None:
        """Forget these parts when that job ends."""
        self._parts.setdefault(job_id, set()).update(parts)

    def on_end(self, job_id: bytes) -> None:
        """A job has ended, or a part."""
        parts = self._parts.pop(job_id, None)
        if parts:
            self._spawn(self._forget(sorted(parts)))
        if job_id in self._dying:
            self._dying.discard(job_id)
            self._spawn(self._delete([job_id]))

    async def recover(self) -> None:
        """Look through the parts that a server before has left: those of jobs that live are watched, the others forgotten."""
        now_us = self._clock.now_us()
        by_job: dict[bytes, list[bytes]] = {}
        from_seq = 0
        while True:
            page = await self._store.jobs(JobQuery("", part_of=ANY_PARTS), limit=PAGE_JOBS, from_seq=from_seq, now_us=now_us)
            for row in page.rows:
                by_job.setdefault(row.part_of, []).append(row.job_id)
            from_seq = page.next_seq
            if not from_seq:
                break
        owners = sorted(by_job)
        live: set[bytes] = set()
        for start in range(0, len(owners), PAGE_JOBS):
            query = JobQuery("", job_ids=owners[start : start + PAGE_JOBS])
            page = await self._store.jobs(query, limit=PAGE_JOBS, now_us=now_us)
            live.update(row.job_id for row in page.rows if not row.state.terminal)
        for owner, parts in by_job.items():
            if owner in live:
                self.watch(owner, parts)
            else:
                await self._forget(parts)

    async def _forget(self, parts: Sequence[bytes]) -> None:
        """Cancel and delete. What the store refuses now ends by its retention."""
        for start in range(0, len(parts), PAGE_JOBS):
            ids = parts[start : start + PAGE_JOBS]
            query = JobQuery("", job_ids=ids)
            try:
                for answer in await self._store.cancel(query, _FAILURE, PAGE_JOBS, self._clock.now_us()):
                    if answer.state is not None and not answer.state.terminal:
                        self._dying.add(answer.job_id)
                        self._stop_attempt(answer.seq, answer.lease)
            except IngestError:
                continue
            await self._delete([part for part in ids if part not in self._dying])

    async def _delete(self, parts: Sequence[bytes]) -> None:
        try:
            await self._store.delete(JobQuery("", job_ids=parts), len(parts), self._clock.now_us())
        except IngestError:
            pass  # what the store refuses now ends by its retention
