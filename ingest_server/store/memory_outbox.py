"""The outbox of the store in memory: the shortest reading of `outbox.py`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ingest_server.domain.job import JobState
from ingest_server.store import delivery_log
from ingest_server.store.memory_state import Job, MemoryState
from ingest_server.store.outbox import (
    LINE_DELIVERIES_MAX,
    TARGET_BITS,
    DeliveryPage,
    DeliveryResult,
    DeliveryRow,
    DeliveryStatus,
    DuePage,
    Outbox,
)
from ingest_server.store.records import Event


@dataclass(slots=True, eq=False)
class _Kept:
    """A delivery, and which line it is in: (row number of the job, target)."""

    row: DeliveryRow
    line: tuple[int, int]


class MemoryOutbox(Outbox):
    """The verbs of deliveries. The store that inherits this gives `_state` and `_commit`."""

    def __init__(self) -> None:
        super().__init__()
        self._by_job: dict[int, dict[int, _Kept]] = {}
        self._due = False

    @abstractmethod
    def _state(self) -> MemoryState: ...

    @abstractmethod
    def _commit(self, *, queue_config: bool = False) -> None: ...

    def _owe(self, events: Sequence[Event]) -> bool:
        """Make the deliveries of a commit, forget those of forgotten jobs. Answers whether some may be due."""
        state = self._state()
        for position, seq, _, _, _, code, attempt, time_us in events:
            job = state.jobs[seq]
            for target, (url, host, states) in enumerate(job.policy.callbacks):
                if states >> code & 1:
                    self._make(state, job, position << TARGET_BITS | target, (seq, target), url, host, code, attempt, time_us)
        for seq in state.gone:
            self._forget_ended(seq)
        due, self._due = self._due, False
        return due

    def _make(
        self,
        state: MemoryState,
        job: Job,
        number: int,
        line: tuple[int, int],
        url: str,
        host: str,
        code: int,
        attempt: int,
        time_us: int,
    ) -> None:
        told = JobState(code)
        others = self._line(line)
        if len(others) >= LINE_DELIVERIES_MAX and not told.terminal:
            return
        statuses = {other.row.status for other in others}
        status = DeliveryStatus.PENDING
        if DeliveryStatus.GONE in statuses:
            status = DeliveryStatus.GONE
        elif statuses & {DeliveryStatus.WAITING, DeliveryStatus.PENDING}:
            status = DeliveryStatus.WAITING
        now_us = time_us if status is DeliveryStatus.PENDING else 0
        end_us = time_us if status is DeliveryStatus.GONE else 0
        failure = job.failure if told.terminal else b""
        labels = tuple(sorted(job.policy.labels))
        row = DeliveryRow(
            number, job.job_id, state.batch_ids[job.batch], job.policy.tenant, labels, url, host, status, told, attempt, time_us,
            failure, 0, now_us, now_us, end_us,
        )  # fmt: skip
        self._by_job.setdefault(line[0], {})[number] = _Kept(row, line)
        self._due |= status is DeliveryStatus.PENDING

    def _forget_ended(self, seq: int) -> None:
        """Remove what has ended of a job that is gone."""
        left = {number: kept for number, kept in self._by_job.pop(seq, {}).items() if kept.row.status < DeliveryStatus.DELIVERED}
        if left:
            self._by_job[seq] = left

    def _line(self, line: tuple[int, int]) -> list[_Kept]:
        return [kept for kept in self._by_job.get(line[0], {}).values() if kept.line == line]

    def _all(self) -> dict[int, _Kept]:
        return {number: kept for deliveries in self._by_job.values() for number, kept in deliveries.items()}

    def _of_job(self, tenant: str, job_id: bytes, now_us: int) -> list[_Kept]:
        """Deliveries of a job by number."""
        job = self._state().by_id.get(job_id)
        if job is None or job.policy.tenant != tenant or job.gone(now_us):
            return []
        return [kept for _, kept in sorted(self._by_job.get(job.seq, {}).items())]

    async def due_deliveries(self, per_host: int, limit: int, after_host: str, now_us: int) -> DuePage:
        """See `Outbox.due_deliveries`."""
        self._state()
        pending = [kept.row for kept in self._all().values() if kept.row.status is DeliveryStatus.PENDING]
        hosts = sorted({row.host for row in pending}, key=lambda host: (host <= after_host, host))
        rows: list[DeliveryRow] = []
        for host in hosts:
            due = [row for row in pending if row.host == host and row.due_us <= now_us]
            due.sort(key=lambda row: (row.due_us, row.number))
            rows += [replace(row, log="") for row in due[:per_host]]
        return DuePage(rows[:limit], min((row.due_us for row in pending if row.due_us > now_us), default=0))

    async def record_deliveries(self, results: Sequence[DeliveryResult], now_us: int) -> Sequence[int]:
        """See `Outbox.record_deliveries`."""
        state, known = self._state(), self._all()
        refused: list[int] = []
        for index, (number, tries, code, due_us, attempt) in enumerate(results):
            kept = known.get(number)
            if kept is None or (kept.row.status, kept.row.tries) != (DeliveryStatus.PENDING, tries):
                refused.append(index)
                continue
            status = DeliveryStatus(code)
            end_us = 0 if status is DeliveryStatus.PENDING else now_us
            log = delivery_log.append(kept.row.log, attempt)
            kept.row = replace(kept.row, status=status, due_us=due_us, end_us=end_us, tries=tries + 1, log=log)
            self._see_to_line(kept.line, status, now_us)
            if kept.line[0] not in state.jobs:
                self._forget_ended(kept.line[0])
        self._commit()
        return refused

    def _see_to_line(self, line: tuple[int, int], status: DeliveryStatus, now_us: int) -> None:
        if status is DeliveryStatus.GONE:
            for kept in self._line(line):
                if kept.row.status is DeliveryStatus.WAITING:
                    kept.row = replace(kept.row, status=status, end_us=now_us)
        elif status is not DeliveryStatus.PENDING:
            self._advance(line, now_us)

    def _advance(self, line: tuple[int, int], now_us: int) -> None:
        waiting = [kept for kept in self._line(line) if kept.row.status is DeliveryStatus.WAITING]
        if waiting:
            kept = min(waiting, key=lambda each: each.row.number)
            kept.row = replace(kept.row, status=DeliveryStatus.PENDING, begin_us=now_us, due_us=now_us)
        self._due = True

    async def deliveries(self, tenant: str, job_id: bytes, *, limit: int, from_number: int, now_us: int) -> DeliveryPage:
        """See `Outbox.deliveries`."""
        rows = [kept.row for kept in self._of_job(tenant, job_id, now_us) if kept.row.number >= from_number]
        return DeliveryPage(rows[:limit], rows[limit].number if len(rows) > limit else 0)

    async def redeliver(self, tenant: str, job_id: bytes, numbers: Sequence[int], limit: int, now_us: int) -> Sequence[int]:
        """See `Outbox.redeliver`."""
        least = DeliveryStatus.DELIVERED if numbers else DeliveryStatus.FAILED
        chosen = [
            kept
            for kept in self._of_job(tenant, job_id, now_us)
            if kept.row.status >= least and (not numbers or kept.row.number in numbers)
        ][:limit]
        for kept in chosen:
            kept.row = replace(kept.row, status=DeliveryStatus.WAITING, tries=0, end_us=0)
        for line in {kept.line for kept in chosen}:
            if all(other.row.status is not DeliveryStatus.PENDING for other in self._line(line)):
                self._advance(line, now_us)
        self._commit()
        return [kept.row.number for kept in chosen]
