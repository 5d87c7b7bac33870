"""`lease` and `heartbeat`: hand out the right to run jobs, and keep it alive.

A lease is one row, whatever its number of jobs; the rows of the jobs stay as they are until they are settled.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

import apsw

from ingest_server.domain.job import JobState
from ingest_server.store.records import LeasedJob
from ingest_server.store.sqlite import lanes
from ingest_server.store.sqlite.state import HELD_COLUMNS, Group, LeaseRecord
from ingest_server.store.sqlite.transaction import Transaction

_COLUMNS = f"SELECT ?1, {HELD_COLUMNS}, payload, create_us FROM jobs INDEXED BY jobs_ready WHERE state = 2 AND grp = ?2"
# Two statements instead of `(order_key, seq) > (?, ?)`: of that SQLite uses the first half only, and the jobs of one submit share
# their order_key.
_SAME_KEY = _COLUMNS + " AND order_key = ?3 AND seq > ?4 ORDER BY seq"
_LARGER_KEY = _COLUMNS + " AND order_key > ?3 ORDER BY order_key, seq"

_RUNNING = JobState.RUNNING.value


def lease(tx: Transaction, wanted: Sequence[tuple[int, int]], until_us: int, now_us: int) -> tuple[int, list[LeasedJob]]:
    """Take jobs to run; see `JobStore.lease`."""
    state = tx.state
    number = state.next_lease
    jobs: list[LeasedJob] = []
    for group_number, count in wanted:
        group = state.groups.get(group_number)
        if group is not None and group.ready > 0 and count > 0:
            _take(tx, group, number, count, now_us, jobs)
    if not jobs:
        return 0, jobs
    first_position = state.next_position
    record = LeaseRecord(until_us, now_us, first_position, array("q", [job[0] for job in jobs]))
    running = state.running
    tx.events.extend(
        (position, job[0], job[1], job[2], running[job[0]][4], _RUNNING, job[5], now_us)
        for position, job in enumerate(jobs, first_position)
    )
    state.next_position = first_position + len(jobs)
    state.next_lease = number + 1
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
    for row in _line(tx.db, group, number):
        seq, deadline_us = row[1], row[9]
        group.cursor_key, group.cursor_seq = row[8], seq
        if seq in running or 0 < deadline_us <= now_us:
            continue
        if row[10] is not None:
            lanes.hold(tx, row[10], group.number, seq)
        payload = row[13]
        if payload is None:
            payload = b""
        elif type(payload) is int:
            payload = tx.db.execute("SELECT bytes FROM payloads WHERE seq = ?", (seq,)).fetchone()[0]  # type: ignore[index]
        running[seq] = row[:13]
        jobs.append((seq, row[2], row[3], policy(row[5]).spec, payload, row[6], row[7], deadline_us, row[14]))
        taken += 1
        if taken in (count, ready):
            break
    if taken:
        tx.change_ready(group.number, -taken)


def _line(db: apsw.Connection, group: Group, number: int) -> Iterator[tuple]:  # type: ignore[type-arg]
    """Rows behind the group's cursor. They are read one by one: the caller stops when it has enough."""
    key, seq = group.cursor_key, group.cursor_seq
    for query, arguments in ((_SAME_KEY, (number, group.number, key, seq)), (_LARGER_KEY, (number, group.number, key))):
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
