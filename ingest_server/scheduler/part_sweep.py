"""Forgets parts whose job needs them no more: cancels those that live, deletes those that have ended."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import Code, Failure, IngestError, Reason
from ingest_server.store.interface import JobStore
from ingest_server.store.records import ANY_PARTS, JobQuery

log = logging.getLogger(__name__)

PAGE_JOBS = 1_000
STORE_RETRY_SECONDS = 0.2
_FAILURE = Failure(
    Code.CANCELLED, Reason.CANCELLED_BY_CALLER, "the job that this is a part of has ended", retryable=False
).to_bytes()

_T = TypeVar("_T")


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
        self._stopping: set[bytes] = set()
        self._dying: set[bytes] = set()

    @property
    def watches(self) -> bool:
        """Whether any end is waited for."""
        return bool(self._parts or self._stopping or self._dying)

    def watch(self, job_id: bytes, parts: Sequence[bytes]) -> None:
        """Forget these parts when that job ends."""
        self._parts.setdefault(job_id, set()).update(parts)

    def watching(self, job_id: bytes) -> bool:
        """Whether the end of this job is waited for: it has not come since `watch`."""
        return job_id in self._parts

    def on_end(self, job_id: bytes) -> None:
        """A job has ended, or a part."""
        parts = self._parts.pop(job_id, None)
        if parts:
            self._spawn(self._forget(sorted(parts)))
        self._stopping.discard(job_id)
        if job_id in self._dying:
            self._dying.discard(job_id)
            self._spawn(self._delete([job_id]))

    async def recover(self) -> None:
        """Look through the parts that a server before has left: those of jobs that live are watched, the others forgotten."""
        now_us = self._clock.now_us()
        by_job: dict[bytes, list[bytes]] = {}
        from_seq = 0
        while True:
            page = await self._asked(
                lambda from_seq=from_seq: self._store.jobs(  # type: ignore[misc]
                    JobQuery("", part_of=ANY_PARTS), limit=PAGE_JOBS, from_seq=from_seq, now_us=now_us
                )
            )
            for row in page.rows:
                by_job.setdefault(row.part_of, []).append(row.job_id)
            from_seq = page.next_seq
            if not from_seq:
                break
        await self.look_after(by_job)

    async def look_after(self, by_job: Mapping[bytes, Sequence[bytes]]) -> None:
        """Watch parts of jobs that may have ended already: those are forgotten now."""
        for job_id, parts in by_job.items():
            self.watch(job_id, parts)  # before their jobs are looked at, so that no end falls between
        owners = sorted(by_job)
        for start in range(0, len(owners), PAGE_JOBS):
            asked = owners[start : start + PAGE_JOBS]
            page = await self._asked(
                lambda asked=asked: self._store.jobs(  # type: ignore[misc]
                    JobQuery("", job_ids=asked), limit=PAGE_JOBS, now_us=self._clock.now_us()
                )
            )
            live = {row.job_id for row in page.rows if not row.state.terminal}
            for job_id in asked:
                if job_id not in live:
                    self.on_end(job_id)

    async def _forget(self, parts: Sequence[bytes]) -> None:
        """Cancel and delete."""
        for start in range(0, len(parts), PAGE_JOBS):
            ids = parts[start : start + PAGE_JOBS]
            self._stopping.update(ids)  # one may end before the answer tells that it lives
            answers = await self._asked(
                lambda ids=ids: self._store.cancel(  # type: ignore[misc]
                    JobQuery("", job_ids=ids), _FAILURE, PAGE_JOBS, self._clock.now_us()
                )
            )
            for answer in answers:
                if answer.state is not None and not answer.state.terminal and answer.job_id in self._stopping:
                    self._dying.add(answer.job_id)
                    self._stop_attempt(answer.seq, answer.lease)
            self._stopping.difference_update(ids)
            await self._delete([part for part in ids if part not in self._dying])

    async def _delete(self, parts: Sequence[bytes]) -> None:
        await self._asked(lambda: self._store.delete(JobQuery("", job_ids=parts), len(parts), self._clock.now_us()))

    async def _asked(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """What the store answers, asked again while it refuses, like a settlement: nobody else would take the parts away before
        their retention ends. Ends with the scheduler."""
        while True:
            try:
                return await call()
            except IngestError as error:
                log.warning("sweeping up parts failed, will be repeated: %s", error.message)
                await self._clock.sleep(error.retry_after_seconds or STORE_RETRY_SECONDS)
