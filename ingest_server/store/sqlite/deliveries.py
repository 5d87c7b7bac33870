"""The outbox as the writer keeps it: deliveries made from the events of a commit, their attempts, their end.

A job without callbacks costs no statement here: the row numbers of live jobs with callbacks are held in memory
(`State.callback_jobs`), and while there are none, no event is looked at; likewise those of jobs with deliveries
(`State.delivery_jobs`), for when they are forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ingest_server.domain.job import JobState
from ingest_server.store import delivery_log
from ingest_server.store.outbox import LINE_DELIVERIES_MAX, TARGET_BITS, DeliveryAttempt, DeliveryStatus
from ingest_server.store.records import CallbackTarget, Event, NewJob
from ingest_server.store.sqlite.transaction import Transaction

_WAITING, _PENDING, _DELIVERED, _FAILED, _GONE = (status.value for status in DeliveryStatus)

_INSERT = """INSERT INTO deliveries (number, seq, target, status, begin_us, due_us, end_us, tries, state, job_attempt, event_us,
host, url, job_id, batch_id, tenant, labels, failure, log)
SELECT ?1, j.seq, ?2, ?3, ?4, ?4, ?5, 0, ?6, ?7, ?8,
?9, ?10, j.job_id, b.batch_id, g.tenant, p.labels, iif(?6 >= 5, j.failure, NULL), ''
FROM jobs AS j JOIN groups AS g ON g.number = j.grp JOIN batches AS b ON b.number = j.batch JOIN policies AS p ON p.id = j.policy
WHERE j.seq = ?11"""
_LINE = """SELECT count(*), coalesce(max(status < 2), 0), coalesce(max(status = 4), 0) FROM deliveries
WHERE seq = ? AND target = ?"""


def expect(tx: Transaction, callbacks: Mapping[int, Sequence[CallbackTarget]], first: int, items: Sequence[NewJob]) -> None:
    """Note the callbacks of accepted jobs.

    Args:
        tx: the commit that accepts them.
        callbacks: by index of the policy.
        first: row number of the first item; the others follow.
        items: the accepted items.
    """
    texts = {index: json.dumps(targets, separators=(",", ":")) for index, targets in callbacks.items()}
    rows = [(seq, texts[item[0]]) for seq, item in enumerate(items, first) if item[0] in texts]
    tx.db.executemany("INSERT INTO callbacks (seq, targets) VALUES (?, ?)", rows)
    for seq, _ in rows:
        tx.state.callback_jobs.add(seq)


def tell(tx: Transaction) -> None:
    """Make the deliveries of the events that this commit has so far. Their jobs' rows are written already."""
    jobs = tx.state.callback_jobs
    events, tx.events_told = tx.events[tx.events_told :], len(tx.events)
    for event in events:
        if event[1] in jobs:
            _tell_of(tx, event)


def _tell_of(tx: Transaction, event: Event) -> None:
    row = tx.db.execute("SELECT targets FROM callbacks WHERE seq = ?", (event[1],)).fetchone()
    assert row is not None, f"job {event[1]} is known to have callbacks, but has no row"
    terminal = event[5] >= JobState.SUCCEEDED
    for target, (url, host, states) in enumerate(json.loads(row[0])):
        if states >> event[5] & 1:
            _insert(tx, event, target, url, host, terminal=terminal)
    if terminal:
        tx.db.execute("DELETE FROM callbacks WHERE seq = ?", (event[1],))
        tx.state.callback_jobs.discard(event[1])


def _insert(tx: Transaction, event: Event, target: int, url: str, host: str, *, terminal: bool) -> None:
    position, seq, _, _, _, state, attempt, time_us = event
    line: Any = tx.db.execute(_LINE, (seq, target)).fetchone()
    count, busy, gone = line
    if count >= LINE_DELIVERIES_MAX and not terminal:
        return
    status = _GONE if gone else _WAITING if busy else _PENDING
    begin_us = time_us if status == _PENDING else 0
    end_us = time_us if status == _GONE else 0
    number = position << TARGET_BITS | target
    tx.db.execute(_INSERT, (number, target, status, begin_us, end_us, state, attempt, time_us, host, url, seq))
    tx.state.delivery_jobs.add(seq)
    tx.deliveries |= status == _PENDING


def record(tx: Transaction, results: Sequence[tuple[int, int, int, int, tuple[Any, ...]]], now_us: int) -> list[int]:
    """Note attempts; see `Outbox.record_deliveries`."""
    refused: list[int] = []
    for index, (number, tries, status, due_us, attempt) in enumerate(results):
        row = tx.db.execute(
            "SELECT seq, target, log FROM deliveries WHERE number = ? AND status = ? AND tries = ?", (number, _PENDING, tries)
        ).fetchone()
        if row is None:
            refused.append(index)
            continue
        seq, target, log = row
        tx.db.execute(
            "UPDATE deliveries SET status = ?2, due_us = ?3, end_us = ?4, tries = tries + 1, log = ?5 WHERE number = ?1",
            (number, status, due_us, 0 if status == _PENDING else now_us, delivery_log.append(log, DeliveryAttempt(*attempt))),
        )
        if status != _PENDING:
            _end(tx, seq, target, status, now_us)
    return refused


def _end(tx: Transaction, seq: int, target: int, status: int, now_us: int) -> None:
    """The first of a line has ended: see to those behind it, and forget what no job is behind any more."""
    if status == _GONE:
        tx.db.execute(
            "UPDATE deliveries SET status = ?, end_us = ? WHERE seq = ? AND target = ? AND status = ?",
            (_GONE, now_us, seq, target, _WAITING),
        )
    else:
        _advance(tx, seq, target, now_us)
    if tx.db.execute("SELECT 1 FROM jobs WHERE seq = ?", (seq,)).fetchone() is None:
        _forget_ended(tx, seq)


def _advance(tx: Transaction, seq: int, target: int, now_us: int) -> None:
    """Let the first of a line that has no PENDING be sent."""
    tx.db.execute(
        """UPDATE deliveries SET status = ?1, begin_us = ?2, due_us = ?2 WHERE number =
        (SELECT min(number) FROM deliveries WHERE seq = ?3 AND target = ?4 AND status = ?5)""",
        (_PENDING, now_us, seq, target, _WAITING),
    )
    tx.deliveries = True


def redeliver(tx: Transaction, tenant: str, job_id: bytes, numbers: Sequence[int], limit: int, now_us: int) -> list[int]:
    """Send again; see `Outbox.redeliver`."""
    rows: list[Any] = tx.db.execute(
        f"""SELECT d.number, d.seq, d.target FROM deliveries AS d JOIN jobs AS j USING (seq)
        WHERE j.job_id = ?1 AND d.tenant = ?2 AND (j.expire_us = 0 OR j.expire_us > ?3)
        AND d.status >= iif(?4, {_DELIVERED}, {_FAILED}) AND (NOT ?4 OR d.number IN (SELECT value FROM json_each(?5)))
        ORDER BY d.number LIMIT ?6""",
        (job_id, tenant, now_us, int(bool(numbers)), json.dumps(list(numbers)), limit),
    ).fetchall()
    for number, _, _ in rows:
        tx.db.execute("UPDATE deliveries SET status = ?, tries = 0, end_us = 0 WHERE number = ?", (_WAITING, number))
    for seq, target in {(seq, target) for _, seq, target in rows}:
        busy = tx.db.execute(
            "SELECT 1 FROM deliveries WHERE seq = ? AND target = ? AND status = ?", (seq, target, _PENDING)
        ).fetchone()
        if busy is None:
            _advance(tx, seq, target, now_us)
    return [number for number, _, _ in rows]


def forget(tx: Transaction, seqs: Iterable[int]) -> None:
    """These jobs are about to be removed: make what this commit still owes of them, and remove what has ended."""
    if tx.state.callback_jobs:
        tell(tx)
    jobs = tx.state.delivery_jobs
    for seq in seqs:
        if seq in jobs:
            _forget_ended(tx, seq)


def _forget_ended(tx: Transaction, seq: int) -> None:
    tx.db.execute("DELETE FROM deliveries WHERE seq = ? AND status >= ?", (seq, _DELIVERED))
    if tx.db.execute("SELECT 1 FROM deliveries WHERE seq = ?", (seq,)).fetchone() is None:
        tx.state.delivery_jobs.discard(seq)
