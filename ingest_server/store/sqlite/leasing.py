"""`lease` and `heartbeat`: hand out the right to run jobs, and keep it alive.

A lease is one row, whatever its number of jobs; the rows of the jobs stay as they are until they are settled.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import apsw

from ingest_server.domain.job import JobState
from ingest_server.store.records import LeasedJob
from ingest_server.store.sqlite import lanes
from ingest_server.store.sqlite.state import HELD_COLUMNS, Group, LeaseRecord
from ingest_server.store.sqlite.transaction import Transaction

_COLUMNS = f"SELECT {HELD_COLUMNS}, payload, create_us FROM jobs INDEXED BY jobs_ready WHERE state = 2 AND grp = ?1"
# Two statements instead of `(order_key, seq) > (?, ?)`: of that SQLite uses the first half only, and the jobs of one submit share
# their order_key.
_SAME_KEY = _COLUMNS + " AND order_key = ?2 AND seq > ?3 ORDER BY seq"
_LARGER_KEY = _COLUMNS + " AND order_key > ?2 ORDER BY order_key, seq"

_RUNNING = JobState.RUNNING.value


def lease(tx: Transaction, wanted: Sequence[tuple[int, int]], until_us: int, now_us: int) -> tuple[int, list[LeasedJob]]:
    """Take jobs to run; see `JobStore.lease`."""
    state = tx.state
    number = state.next_position
    jobs: list[LeasedJob] = []
    for group_number, count in wanted:
        group = state.groups.get(group_number)
        if group is not None and group.ready > 0 and count > 0:
            _take(tx, group, number, count, now_us, jobs)
    if not jobs:
        return 0, jobs
    record = LeaseRecord(until_us, now_us, number, array("q", [job[0] for job in jobs]))
    running = state.running
    tx.events.extend(
        (position, job[0], job[1], job[2], running[job[0]][4], _RUNNING, job[5], now_us)
        for position, job in enumerate(jobs, number)
    )
    state.next_position = number + len(jobs)
    state.leases[number] = record
    add_lease(tx, number, record)
    return number, jobs


def _take(tx: Transaction, group: Group, number: int, count: int, now_us: int, jobs: list[LeasedJob]) -> None:
    """Append up to `count` jobs of a group, in its order."""
    state = tx.state
    running = state.running
    policy = state.policies.get
    ready = group.ready
    taken = 0
    for row in _line(tx.db, group):
        seq, deadline_us = row[0], row[8]
        group.cursor_key, group.cursor_seq = row[7], seq
        if seq in running or 0 < deadline_us <= now_us:
            continue
        if row[9] is not None:
            lanes.hold(tx, row[9], group.number, seq)
        payload = row[12]
        if not isinstance(payload, bytes):
            payload = b"" if payload is None else _apart(tx.db, seq)
        running[seq] = (number, *row[:12])
        jobs.append((seq, row[1], row[2], policy(row[4]).spec, payload, row[5], row[6], deadline_us, row[13]))
        taken += 1
        if taken in (count, ready):
            break
    if taken:
        tx.change_ready(group.number, -taken)


def _apart(db: apsw.Connection, seq: int) -> bytes:
    """A payload that stands in a table of its own."""
    row = db.execute("SELECT bytes FROM payloads WHERE seq = ?", (seq,)).fetchone()
    assert row is not None, f"job {seq} says that its payload stands apart"
    payload: bytes = row[0]
    return payload


def _line(db: apsw.Connection, group: Group) -> Iterator[Any]:
    """Rows behind the group's cursor. They are read one by one: the caller stops when it has enough."""
    key, seq = group.cursor_key, group.cursor_seq
    for query, arguments in ((_SAME_KEY, (group.number, key, seq)), (_LARGER_KEY, (group.number, key))):
        rows = db.execute(query, arguments)
        try:
            yield from rows
        finally:
            rows.close()


def add_lease(tx: Transaction, number: int, record: LeaseRecord) -> None:
    """Write the row of a fresh lease."""
    tx.db.execute(
        "INSERT INTO leases (number, until_us, start_us, first_position, seqs) VALUES (?, ?, ?, ?, ?)",
        (number, record.until_us, record.start_us, record.first_position, record.seqs.tobytes()),
    )


def heartbeat(tx: Transaction, leases: Sequence[int], until_us: int, now_us: int) -> list[int]:
    """Prolong leases; see `JobStore.heartbeat`."""
    lost: list[int] = []
    for number in leases:
        record = tx.state.leases.get(number)
        if record is None:
            lost.append(number)
            continue
        record.until_us = until_us
        tx.db.execute("UPDATE leases SET until_us = ? WHERE number = ?", (until_us, number))
    return lost
