"""The outbox in the server process: writes go to the store process, reads to its reader threads."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import apsw

from ingest_server.domain.job import JobState
from ingest_server.store.outbox import (
    DeliveryPage,
    DeliveryResult,
    DeliveryRow,
    DeliveryStatus,
    DuePage,
    Outbox,
)
from ingest_server.store.sqlite.reader import Reader

_T = TypeVar("_T")

_COLUMNS = """d.number, d.job_id, d.batch_id, d.tenant, d.labels, d.url, d.host, d.status, d.state, d.job_attempt, d.event_us,
d.failure, d.tries, d.begin_us, d.due_us, d.end_us"""

_DUE = f"""SELECT {_COLUMNS}, '' FROM deliveries AS d INDEXED BY deliveries_by_host
WHERE d.status = 1 AND d.host = ? AND d.due_us <= ? ORDER BY d.due_us, d.number LIMIT ?"""
_NEXT_HOST = "SELECT min(host) FROM deliveries INDEXED BY deliveries_by_host WHERE status = 1 AND host > ?"
_NEXT_DUE = "SELECT min(due_us) FROM deliveries INDEXED BY deliveries_due WHERE status = 1 AND due_us > ?"
_OF_JOB = f"""SELECT {_COLUMNS}, d.log FROM jobs AS j JOIN deliveries AS d USING (seq)
WHERE j.job_id = ? AND d.tenant = ? AND (j.expire_us = 0 OR j.expire_us > ?) AND d.number >= ? ORDER BY d.number LIMIT ?"""


class SqliteOutbox(Outbox):
    """The verbs of deliveries. The store that inherits this gives `_call` and `_read`."""

    @abstractmethod
    def _call(self, verb: str, arguments: tuple[Any, ...], *, reserve: bool = False, context: Any = None) -> Awaitable[Any]: ...

    @abstractmethod
    async def _read(self, read: Callable[[Reader], _T]) -> _T: ...

    async def due_deliveries(self, per_host: int, limit: int, after_host: str, now_us: int) -> DuePage:
        """See `Outbox.due_deliveries`."""
        return await self._read(lambda reader: _due(reader.connection, per_host, limit, after_host, now_us))

    async def record_deliveries(self, results: Sequence[DeliveryResult], now_us: int) -> Sequence[int]:
        """See `Outbox.record_deliveries`."""
        rows = [(number, tries, int(status), due_us, tuple(attempt)) for number, tries, status, due_us, attempt in results]
        refused: list[int] = await self._call("record_deliveries", (rows, now_us), reserve=True)
        return refused

    async def deliveries(self, tenant: str, job_id: bytes, *, limit: int, from_number: int, now_us: int) -> DeliveryPage:
        """See `Outbox.deliveries`."""
        arguments = (job_id, tenant, now_us, from_number, limit + 1)
        rows = await self._read(lambda reader: [_row(row) for row in reader.connection.execute(_OF_JOB, arguments)])
        return DeliveryPage(rows[:limit], rows[limit].number if len(rows) > limit else 0)

    async def redeliver(self, tenant: str, job_id: bytes, numbers: Sequence[int], limit: int, now_us: int) -> Sequence[int]:
        """See `Outbox.redeliver`."""
        again: list[int] = await self._call("redeliver", (tenant, job_id, list(numbers), limit, now_us))
        return again


def _due(db: apsw.Connection, per_host: int, limit: int, after_host: str, now_us: int) -> DuePage:
    """Walk over the hosts from one to the next: what waits for a slow one is not looked at on the way to the others."""
    rows: list[DeliveryRow] = []
    host: str | None = after_host
    wrapped = False
    while len(rows) < limit:
        found = db.execute(_NEXT_HOST, (host,)).fetchone()
        host = found[0] if found is not None else None
        if host is None:
            if wrapped or not after_host:
                break
            wrapped, host = True, ""
            continue
        rows += map(_row, db.execute(_DUE, (host, now_us, min(per_host, limit - len(rows)))))
        if wrapped and host >= after_host:
            break
    later = db.execute(_NEXT_DUE, (now_us,)).fetchone()
    return DuePage(rows, later[0] or 0 if later is not None else 0)


@lru_cache(maxsize=256)
def _labels(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(json.loads(text).items()))


def _row(row: tuple[Any, ...]) -> DeliveryRow:
    (
        number, job_id, batch_id, tenant, labels, url, host, status, state, job_attempt, event_us, failure, tries, begin_us,
        due_us, end_us, log,
    ) = row  # fmt: skip
    return DeliveryRow(
        number, job_id, batch_id, tenant, _labels(labels), url, host, DeliveryStatus(status), JobState(state), job_attempt,
        event_us, failure or b"", tries, begin_us, due_us, end_us, log,
    )  # fmt: skip
