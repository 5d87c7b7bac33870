"""`promote` and `reap`: what time alone makes due."""

from __future__ import annotations

from typing import Any

from ingest_server.domain.job import JobState
from ingest_server.store.sqlite import lanes
from ingest_server.store.sqlite.ending import LIVE_COLUMNS, end_waiting
from ingest_server.store.sqlite.schema import PARKED, READY
from ingest_server.store.sqlite.settling import conclude_leases, hand_back
from ingest_server.store.sqlite.state import Held
from ingest_server.store.sqlite.transaction import Transaction

_DUE = """SELECT seq, job_id, grp, batch, attempt, order_key, lane FROM jobs INDEXED BY jobs_due
WHERE state = 1 AND due_us <= ? ORDER BY due_us, seq LIMIT ?"""
_OVERDUE = f"""SELECT {LIVE_COLUMNS} FROM jobs AS j INDEXED BY jobs_deadline
WHERE j.deadline_us > 0 AND j.state < 5 AND j.deadline_us <= ? ORDER BY j.deadline_us, j.seq"""


def promote(tx: Transaction, limit: int, now_us: int) -> int:
    """Queue what was scheduled for now; see `JobStore.promote`."""
    rows: list[Any] = tx.db.execute(_DUE, (now_us, limit)).fetchall()
    for seq, job_id, group, batch, attempt, order_key, lane in rows:
        position = tx.emit(seq, job_id, group, batch, JobState.QUEUED.value, attempt, now_us)
        tx.db.execute(
            "UPDATE jobs SET state = ?, due_us = 0, revision = ? WHERE seq = ?",
            (READY if lane is None else PARKED, position, seq),
        )
        if lane is None:
            tx.state.groups[group].lower(order_key, seq)
            tx.change_ready(group, 1)
        else:
            lanes.enter(tx, lane, group, order_key, seq)
    return len(rows)


def reap(tx: Transaction, limit: int, now_us: int, failure: bytes) -> tuple[int, int]:
    """End what is overdue; see `JobStore.reap`."""
    return _reap_leases(tx, limit, now_us), _expire(tx, limit, now_us, failure)


def _reap_leases(tx: Transaction, limit: int, now_us: int) -> int:
    state = tx.state
    over = [number for number, record in state.leases.items() if record.until_us <= now_us]
    count = 0
    for number in sorted(over):
        jobs: list[Held] = []
        for seq in state.leases[number].seqs:
            held = state.running.get(seq)
            if held is not None and held[0] == number and count + len(jobs) < limit:
                jobs.append(held)
        hand_back(tx, jobs, now_us)
        conclude_leases(tx, {number: len(jobs)})
        count += len(jobs)
        if count >= limit:
            break
    return count


def _expire(tx: Transaction, limit: int, now_us: int, failure: bytes) -> int:
    waiting: list[Any] = []
    rows = tx.db.execute(_OVERDUE, (now_us,))
    for row in rows:
        if len(waiting) >= limit:
            break
        if row[0] not in tx.state.running:
            waiting.append(row)
    rows.close()
    for seq, *_ in waiting:
        # Read again: ending one job may have moved the next of its lane from PARKED to READY.
        row = tx.db.execute(f"SELECT {LIVE_COLUMNS} FROM jobs AS j WHERE j.seq = ?", (seq,)).fetchone()
        if row is not None:
            end_waiting(tx, row, JobState.EXPIRED, failure, now_us)
    return len(waiting)
