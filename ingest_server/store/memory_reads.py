"""The reads of the store in memory: dictionaries and scans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ingest_server.domain.errors import Reason, Unavailable
from ingest_server.domain.job import JobState
from ingest_server.store.interface import JobStore
from ingest_server.store.memory_outbox import MemoryOutbox
from ingest_server.store.memory_state import Job, MemoryState
from ingest_server.store.records import Detail, Event, GroupKey, JobPage, JobQuery, JobRow, QueueRow


class MemoryReads(MemoryOutbox, JobStore):
    """All verbs of the interface that change nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._opened = False
        self._held = MemoryState()
        self._queues: dict[str, QueueRow] = {}
        self._commits = 0

    def _state(self) -> MemoryState:
        if not self._opened:
            raise Unavailable("the store is closed: open it before use", reason=Reason.STORE_UNAVAILABLE)
        return self._held

    def _found(self, query: JobQuery, now_us: int, states: Iterable[JobState], limit: int) -> list[tuple[bytes, Job | None]]:
        """Jobs of a query for cancel and delete: one entry per id; else those in one of `states`, by row number."""
        state = self._state()
        if query.job_ids is not None:
            jobs = [(job_id, state.by_id.get(job_id)) for job_id in query.job_ids]
            return [
                (job_id, job if job and query.tenant in ("", job.policy.tenant) and not job.gone(now_us) else None)
                for job_id, job in jobs
            ]
        found = (job for job in self._selected(query, now_us) if job.public_state in states)
        return [(job.job_id, job) for job, _ in zip(found, range(limit), strict=False)]

    def _selected(self, query: JobQuery, now_us: int) -> list[Job]:
        """Jobs of a query without ids, by row number."""
        jobs = self._held.jobs
        batches = {number for (_, batch_id), number in self._held.batches.items() if batch_id == query.batch_id}
        return [
            jobs[seq]
            for seq in sorted(jobs)
            if (not query.batch_id or jobs[seq].batch in batches) and jobs[seq].matches(query, now_us)
        ]

    # ---- reads

    async def queues(self) -> Sequence[QueueRow]:
        """See `JobStore.queues`."""
        self._state()
        return [self._queues[name] for name in sorted(self._queues)]

    async def groups(self) -> dict[int, tuple[GroupKey, int]]:
        """See `JobStore.groups`."""
        state = self._state()
        return {number: (group.key, state.ready(number)) for number, group in state.groups.items()}

    async def jobs(
        self,
        query: JobQuery,
        *,
        limit: int,
        from_seq: int = 0,
        newest_first: bool = False,
        detail: Detail = Detail.BASIC,
        bytes_max: int = 0,
        now_us: int,
    ) -> JobPage:
        """See `JobStore.jobs`."""
        state = self._state()
        if query.job_ids is not None:
            found = self._found(query, now_us, (), 0)
            limit = len(found)
        else:
            chosen = self._selected(query, now_us)[:: -1 if newest_first else 1]
            chosen = [job for job in chosen if not from_seq or (job.seq <= from_seq if newest_first else job.seq >= from_seq)]
            found = [(job.job_id, job) for job in chosen]
        rows: list[JobRow] = []
        size = 0
        for index, (_, job) in enumerate(found):
            if job is None:
                continue
            row = job.row(state.batch_ids.get(job.batch, b""), detail)
            size += sum(map(len, (row.spec, row.payload, row.history, row.output, row.failure, row.progress)))
            if len(rows) >= limit or (bytes_max and rows and size > bytes_max):
                return JobPage(rows, job.seq if query.job_ids is None else index, state.position)
            rows.append(row)
        return JobPage(rows, 0, state.position)

    async def count(
        self, query: JobQuery, *, now_us: int, by_state: bool = False, by_queue: bool = False, by_label: str = ""
    ) -> dict[tuple[JobState | None, str, str], int]:
        """See `JobStore.count`."""
        self._state()
        jobs = self._selected(query, now_us)
        if query.job_ids is not None:
            jobs = list({job.seq: job for _, job in self._found(query, now_us, (), 0) if job is not None}.values())
        counts: dict[tuple[JobState | None, str, str], int] = {}
        for job in jobs:
            label = dict(job.policy.labels).get(by_label, "") if by_label else ""
            key = (job.public_state if by_state else None, job.policy.queue if by_queue else "", label)
            counts[key] = counts.get(key, 0) + 1
        return counts

    async def batch(self, tenant: str, batch_id: bytes) -> int:
        """See `JobStore.batch`."""
        return self._state().batches.get((tenant, batch_id), 0)

    async def batch_ids(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """See `JobStore.batch_ids`."""
        known = self._state().batch_ids
        return {number: known[number] for number in numbers if number in known}

    async def events_after(self, position: int, limit: int) -> Sequence[Event]:
        """See `JobStore.events_after`."""
        events: list[Event] = []
        for commit in self._state().log:
            if len(events) >= limit:
                break
            events += [event for event in commit if event[0] > position]
        return events

    async def span(self) -> tuple[int, int]:
        """See `JobStore.span`."""
        state = self._state()
        return state.forgotten, state.position

    async def blobs_in_use(self, digests: Sequence[bytes], tenant: str = "") -> Sequence[bool]:
        """See `JobStore.blobs_in_use`."""
        jobs = self._state().jobs.values()
        used = {digest for job in jobs if tenant in ("", job.policy.tenant) for digest in job.blobs}
        return [digest in used for digest in digests]

    async def statistics(self) -> dict[str, float]:
        """See `JobStore.statistics`."""
        state = self._state()
        leased = sum(len(seqs) for _, seqs in state.leases.values())
        return {"commits_total": self._commits, "jobs": len(state.jobs), "leases": len(state.leases), "leased_jobs": leased}
