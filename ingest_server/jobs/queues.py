"""Queues: list, get, update, pause, resume, purge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ingest_server.domain.caller import Caller
from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import Code, Denied, Failure, NotFound, Reason
from ingest_server.domain.job import LIVE_STATES, JobState
from ingest_server.store.interface import JobStore
from ingest_server.store.records import JobQuery, QueueRow

PURGE_BATCH_JOBS = 1_000

_WAITING = frozenset({JobState.SCHEDULED, JobState.QUEUED})


@dataclass(frozen=True, slots=True)
class QueueView:
    """A queue's settings, and how many jobs of the caller's tenant it has."""

    row: QueueRow
    queued: int
    scheduled: int
    running: int


@dataclass(frozen=True, slots=True)
class QueueChange:
    """New settings of a queue; None leaves a setting as it is."""

    name: str
    weight: int | None = None
    running_max: int | None = None
    start_rate_per_second: float | None = None
    allow_missing: bool = False


class Queues:
    """The use cases. Settings are shared by all tenants, so only an admin may change them."""

    def __init__(self, store: JobStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def list(self, caller: Caller) -> Sequence[QueueView]:
        """All queues by name."""
        counts = await self._counts(caller)
        return [_view(row, counts) for row in await self._store.queues()]

    async def get(self, caller: Caller, name: str) -> QueueView:
        """One queue. Raises NotFound (QUEUE_NOT_FOUND)."""
        return _view(await self._row(name), await self._counts(caller, name))

    async def update(self, caller: Caller, change: QueueChange) -> QueueView:
        """Change settings, or make a queue. Raises NotFound unless `allow_missing`, Denied if the caller is no admin."""
        _must_be_admin(caller)
        try:
            row = await self._row(change.name)
        except NotFound:
            if not change.allow_missing:
                raise
            row = QueueRow(change.name, weight=1, running_max=0, start_rate_per_second=0.0, paused=False)
        if change.weight is not None:
            row = replace(row, weight=change.weight)
        if change.running_max is not None:
            row = replace(row, running_max=change.running_max)
        if change.start_rate_per_second is not None:
            row = replace(row, start_rate_per_second=change.start_rate_per_second)
        return await self._put(caller, row)

    async def pause(self, caller: Caller, name: str) -> QueueView:
        """Start no further job of the queue. Raises NotFound, Denied."""
        _must_be_admin(caller)
        return await self._put(caller, replace(await self._row(name), paused=True))

    async def resume(self, caller: Caller, name: str) -> QueueView:
        """Start jobs of the queue again. Raises NotFound, Denied."""
        _must_be_admin(caller)
        return await self._put(caller, replace(await self._row(name), paused=False))

    async def purge(self, caller: Caller, name: str) -> int:
        """Cancel the waiting jobs of the caller's tenant in the queue; those that come while it works may remain. Answers how
        many. Raises NotFound."""
        await self._row(name)
        failure = Failure(Code.CANCELLED, Reason.QUEUE_PURGED, f"queue {name!r} was purged", retryable=False).to_bytes()
        query = JobQuery(caller.tenant, queues=frozenset({name}), states=_WAITING)
        left = sum((await self._store.count(query, now_us=self._clock.now_us())).values())
        purged = 0
        while left > 0:
            answers = await self._store.cancel(query, failure, min(left, PURGE_BATCH_JOBS), self._clock.now_us())
            if not answers:
                break
            left -= len(answers)
            purged += sum(answer.changed for answer in answers)
        return purged

    async def _row(self, name: str) -> QueueRow:
        for row in await self._store.queues():
            if row.name == name:
                return row
        raise NotFound(
            f"there is no queue {name!r}; UpdateQueue with allow_missing makes it",
            reason=Reason.QUEUE_NOT_FOUND,
            metadata={"queue": name},
        )

    async def _put(self, caller: Caller, row: QueueRow) -> QueueView:
        await self._store.put_queue(row, self._clock.now_us())
        return _view(row, await self._counts(caller, row.name))

    async def _counts(self, caller: Caller, name: str = "") -> dict[tuple[str, JobState], int]:
        query = JobQuery(caller.tenant, queues=frozenset({name}) if name else frozenset(), states=frozenset(LIVE_STATES))
        counted = await self._store.count(query, by_state=True, by_queue=True, now_us=self._clock.now_us())
        return {(queue, state): count for (state, queue, _), count in counted.items() if state is not None}


def _view(row: QueueRow, counts: dict[tuple[str, JobState], int]) -> QueueView:
    running = counts.get((row.name, JobState.RUNNING), 0) + counts.get((row.name, JobState.CANCELLING), 0)
    return QueueView(row, counts.get((row.name, JobState.QUEUED), 0), counts.get((row.name, JobState.SCHEDULED), 0), running)


def _must_be_admin(caller: Caller) -> None:
    if not caller.admin:
        raise Denied(
            f"{caller.principal!r} may not change queues: they are shared by all tenants; ask for admin rights",
            reason=Reason.PERMISSION_DENIED,
            code=Code.PERMISSION_DENIED,
        )
