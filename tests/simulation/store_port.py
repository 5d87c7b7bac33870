"""One server's connection to the store that outlives it: calls are slow, refused, or lose their answers as the history says.

Writes keep their order, as through one channel. When the server dies, calls that have not reached the store never do, and no
answer comes back.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from ingest_server.domain.errors import Exhausted, Reason, Unavailable
from ingest_server.domain.job import JobState
from ingest_server.store.interface import JobStore, StoreCapabilities
from ingest_server.store.outbox import DeliveryPage, DeliveryResult, DuePage
from ingest_server.store.records import (
    ActionAnswer,
    Changes,
    Detail,
    Event,
    GroupKey,
    JobPage,
    JobQuery,
    Lease,
    Listener,
    QueueRow,
    Settlement,
    SubmitAnswer,
    SubmitBatch,
)
from tests.simulation.loop import SimulatedClock
from tests.simulation.model import Model

_T = TypeVar("_T")


@dataclass(slots=True)
class Weather:
    """How the store fares now. Shares are probabilities per call, of 1.

    Attributes:
        slow: of calls that take up to `slow_seconds`.
        full: of submits, refused as on a full disk.
        broken: of calls refused, as by an I/O error.
        mute: of writes that take effect, and whose answer is lost.
    """

    slow: float = 0.0
    slow_seconds: float = 0.5
    full: float = 0.0
    broken: float = 0.0
    mute: float = 0.0


CALM = Weather()


class StorePort(JobStore):
    """See the module.

    Args:
        inner: the store.
        model: told of calls and answers.
        chance: of delays and faults.
        weather: of now; changed by the history.
        hops: share of calls that give way to others before and after.
    """

    capabilities = StoreCapabilities("port", True, False)

    def __init__(self, inner: JobStore, model: Model, chance: random.Random, clock: SimulatedClock, hops: float) -> None:
        self.inner = inner
        self._model = model
        self._chance = chance
        self._clock = clock
        self._hops = hops
        self.weather = CALM
        self.dead = False
        self.pending = 0
        self._listeners: list[Listener] = []
        self._last: asyncio.Future[None] | None = None

    def on_changes(self, changes: Changes) -> None:
        """What the store tells reaches the server as long as it lives."""
        if not self.dead:
            for listener in self._listeners:
                listener(changes)

    # ---- the way there and back

    async def _travel(self) -> None:
        chance = self._chance.random
        if self.weather.slow and chance() < self.weather.slow:
            await asyncio.sleep(chance() * self.weather.slow_seconds)
        elif self._hops and chance() < self._hops:
            await asyncio.sleep(0)
        if self.dead:
            await asyncio.get_running_loop().create_future()  # until the server's tasks are gone

    def _refuse(self, *, grows: bool) -> None:
        weather, chance = self.weather, self._chance.random
        if weather.broken and chance() < weather.broken:
            raise Unavailable("the disk does not answer; nothing was changed", reason=Reason.STORE_UNAVAILABLE)
        if grows and weather.full and chance() < weather.full:
            raise Exhausted("the disk is full; nothing was changed", reason=Reason.STORAGE_FULL, retry_after_seconds=1.0)

    async def _write(self, apply: Callable[[], Awaitable[_T]], *, grows: bool = False) -> _T:
        before = self._last
        mine = self._last = asyncio.get_running_loop().create_future()
        self.pending += 1
        try:
            try:
                if before is not None and not before.done():
                    await asyncio.shield(before)
                await self._travel()
                self._refuse(grows=grows)
                self._model.latest_us = max(self._model.latest_us, self._clock.now_us())
                answer = await apply()
            finally:
                if not mine.done():
                    mine.set_result(None)
            await self._travel()
            if self.weather.mute and self._chance.random() < self.weather.mute:
                raise Unavailable("the answer was lost: it is unknown whether it took effect", reason=Reason.STORE_UNAVAILABLE)
            return answer
        finally:
            self.pending -= 1

    async def _read(self, read: Callable[[], Awaitable[_T]]) -> _T:
        self.pending += 1
        try:
            await self._travel()
            self._refuse(grows=False)
            answer = await read()
            await self._travel()
            return answer
        finally:
            self.pending -= 1

    def _elapsed_us(self) -> int:
        return round(self._clock.monotonic() * 1e6)

    # ---- life

    async def open(self, now_us: int) -> None:
        """See `JobStore.open`."""
        self._model.opening = True
        try:
            await self.inner.open(now_us)
        finally:
            self._model.opening = False

    async def close(self) -> None:
        """The store stays."""

    def subscribe(self, listener: Listener) -> None:
        """See `JobStore.subscribe`."""
        self._listeners.append(listener)

    # ---- writes

    async def submit(self, batch: SubmitBatch, now_us: int) -> SubmitAnswer:
        """See `JobStore.submit`."""
        asked_us = self._elapsed_us()

        async def apply() -> SubmitAnswer:
            answer = await self.inner.submit(batch, now_us)
            self._model.submitted(batch, answer, now_us, asked_us)
            return answer

        return await self._write(apply, grows=True)

    async def lease(self, wanted: Sequence[tuple[int, int]], until_us: int, now_us: int) -> Lease:
        """See `JobStore.lease`."""
        asked_us = self._elapsed_us()

        async def apply() -> Lease:
            lease = await self.inner.lease(wanted, until_us, now_us)
            self._model.leased(lease, until_us, asked_us)
            return lease

        return await self._write(apply)

    async def heartbeat(self, leases: Sequence[int], until_us: int, now_us: int) -> Sequence[int]:
        """See `JobStore.heartbeat`."""

        async def apply() -> Sequence[int]:
            lost = await self.inner.heartbeat(leases, until_us, now_us)
            self._model.beaten(leases, lost, until_us)
            return lost

        return await self._write(apply)

    async def settle(self, settlements: Sequence[Settlement], now_us: int) -> Sequence[int]:
        """See `JobStore.settle`."""

        async def apply() -> Sequence[int]:
            token = self._model.settling(settlements)
            refused = await self.inner.settle(settlements, now_us)
            self._model.settled(token, settlements, refused)
            return refused

        return await self._write(apply)

    async def cancel(self, query: JobQuery, failure: bytes, limit: int, now_us: int) -> Sequence[ActionAnswer]:
        """See `JobStore.cancel`."""
        return await self._write(lambda: self.inner.cancel(query, failure, limit, now_us))

    async def delete(self, query: JobQuery, limit: int, now_us: int) -> Sequence[ActionAnswer]:
        """See `JobStore.delete`."""

        async def apply() -> Sequence[ActionAnswer]:
            self._model.asked_to_delete(query.job_ids or ())
            answers = await self.inner.delete(query, limit, now_us)
            self._model.asked_to_delete([answer.job_id for answer in answers if answer.changed])
            return answers

        return await self._write(apply)

    async def promote(self, limit: int, now_us: int) -> int:
        """See `JobStore.promote`."""
        return await self._write(lambda: self.inner.promote(limit, now_us))

    async def reap(self, limit: int, now_us: int, failure: bytes) -> tuple[int, int]:
        """See `JobStore.reap`."""

        async def apply() -> tuple[int, int]:
            self._model.reaping(now_us)
            return await self.inner.reap(limit, now_us, failure)

        return await self._write(apply)

    async def purge(self, limit: int, now_us: int, events_before_us: int) -> int:
        """See `JobStore.purge`."""
        return await self._write(lambda: self.inner.purge(limit, now_us, events_before_us))

    async def put_queue(self, queue: QueueRow, now_us: int) -> None:
        """See `JobStore.put_queue`."""

        async def apply() -> None:
            await self.inner.put_queue(queue, now_us)
            self._model.configured(queue, self._elapsed_us())

        await self._write(apply)

    # ---- reads

    async def queues(self) -> Sequence[QueueRow]:
        """See `JobStore.queues`."""
        return await self._read(self.inner.queues)

    async def groups(self) -> dict[int, tuple[GroupKey, int]]:
        """See `JobStore.groups`: in order with the commits."""
        return await self._write(self.inner.groups)

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
        return await self._read(
            lambda: self.inner.jobs(
                query,
                limit=limit,
                from_seq=from_seq,
                newest_first=newest_first,
                detail=detail,
                bytes_max=bytes_max,
                now_us=now_us,
            )
        )

    async def count(
        self, query: JobQuery, *, now_us: int, by_state: bool = False, by_queue: bool = False, by_label: str = ""
    ) -> dict[tuple[JobState | None, str, str], int]:
        """See `JobStore.count`."""
        return await self._read(
            lambda: self.inner.count(query, now_us=now_us, by_state=by_state, by_queue=by_queue, by_label=by_label)
        )

    async def batch(self, tenant: str, batch_id: bytes) -> int:
        """See `JobStore.batch`."""
        return await self._read(lambda: self.inner.batch(tenant, batch_id))

    async def batch_ids(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """See `JobStore.batch_ids`."""
        return await self._read(lambda: self.inner.batch_ids(numbers))

    async def events_after(self, position: int, limit: int) -> Sequence[Event]:
        """See `JobStore.events_after`."""
        return await self._read(lambda: self.inner.events_after(position, limit))

    async def span(self) -> tuple[int, int]:
        """See `JobStore.span`."""
        return await self._read(self.inner.span)

    async def blobs_in_use(self, digests: Sequence[bytes], tenant: str = "") -> Sequence[bool]:
        """See `JobStore.blobs_in_use`."""
        return await self._read(lambda: self.inner.blobs_in_use(digests, tenant))

    async def statistics(self) -> dict[str, float]:
        """See `JobStore.statistics`."""
        return await self._read(self.inner.statistics)

    # ---- deliveries: no history has callbacks

    async def due_deliveries(self, per_host: int, limit: int, after_host: str, now_us: int) -> DuePage:
        """See `Outbox`."""
        _not_played()

    async def record_deliveries(self, results: Sequence[DeliveryResult], now_us: int) -> Sequence[int]:
        """See `Outbox`."""
        _not_played()

    async def deliveries(self, tenant: str, job_id: bytes, *, limit: int, from_number: int, now_us: int) -> DeliveryPage:
        """See `Outbox`."""
        _not_played()

    async def redeliver(self, tenant: str, job_id: bytes, numbers: Sequence[int], limit: int, now_us: int) -> Any:
        """See `Outbox`."""
        _not_played()


def _not_played() -> NoReturn:
    raise AssertionError("histories have no callbacks")
