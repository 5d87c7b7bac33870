"""`cancel` and `delete`: end jobs that wait, ask running ones to stop, forget ended ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from ingest_server.domain.job import JobState
from ingest_server.store.sqlite import lanes
from ingest_server.store.sqlite.forgetting import FORGET_COLUMNS, forget
from ingest_server.store.sqlite.schema import PARKED, READY
from ingest_server.store.sqlite.selection import Selection, condition, spans
from ingest_server.store.sqlite.transaction import Transaction

ActionRow: TypeAlias = tuple[bytes, int | None, bool, int, int]
"""The fields of `ActionAnswer`, in their order."""

LiveRow: TypeAlias = tuple[int, bytes, int, int, int, int, int, str | None]
"""(seq, job_id, group, batch, policy, stored state, attempt, lane): LIVE_COLUMNS"""

LIVE_COLUMNS = "j.seq, j.job_id, j.grp, j.batch, j.policy, j.state, j.attempt, j.lane"

_BY_ID = """FROM jobs AS j JOIN groups AS g ON g.number = j.grp
WHERE j.job_id = ?1 AND (?2 = '' OR g.tenant = ?2) AND (j.expire_us = 0 OR j.expire_us > ?3)"""


def cancel(tx: Transaction, query: tuple[object, ...], failure: bytes, limit: int, now_us: int) -> list[ActionRow]:
    """Ask jobs to end; see `JobStore.cancel`."""
    selection = Selection(*query)  # type: ignore[arg-type]
    if selection.job_ids is None:
        rows = list(_found(tx, selection, LIVE_COLUMNS, "j.state IN (0, 1, 2, 3)", limit, now_us))
        return [_cancel_one(tx, row, failure, now_us) for row in rows]
    answers: list[ActionRow] = []
    for job_id in selection.job_ids:
        row = tx.db.execute(f"SELECT {LIVE_COLUMNS} {_BY_ID}", (job_id, selection.tenant, now_us)).fetchone()
        answers.append((job_id, None, False, 0, 0) if row is None else _cancel_one(tx, row, failure, now_us))
    return answers


def _found(tx: Transaction, selection: Selection, columns: str, state_condition: str, limit: int, now_us: int) -> Iterator[tuple]:  # type: ignore[type-arg]
    """Rows of a selection without ids, by row number, at most `limit`."""
    where, arguments = condition(selection, now_us)
    floor = tx.state.raise_live_floor() if state_condition.startswith("j.state IN") else 0
    query = f"""SELECT {columns} FROM jobs AS j WHERE j.seq BETWEEN ? AND ? AND {state_condition} AND {where}
    ORDER BY j.seq LIMIT ?"""
    for first, last in list(spans(tx.db, selection)):
        if limit <= 0:
            return
        rows = tx.db.execute(query, (max(first, floor), last, *arguments, limit)).fetchall()
        limit -= len(rows)
        yield from rows


def _cancel_one(tx: Transaction, row: LiveRow, failure: bytes, now_us: int) -> ActionRow:
    seq, job_id, group, batch, _, stored, attempt, _ = row
    held = tx.state.running.get(seq)
    if held is None:
        if stored >= JobState.SUCCEEDED:
            return job_id, stored, False, 0, 0
        end_waiting(tx, row, JobState.CANCELLED, failure, now_us)
        return job_id, JobState.CANCELLED.value, True, 0, 0
    cancelling = JobState.CANCELLING.value
    if held[11]:
        return job_id, cancelling, False, seq, held[0]
    position = tx.emit(seq, job_id, group, batch, cancelling, attempt + 1, now_us)
    tx.db.execute(
        "UPDATE jobs SET state = ?, revision = ?, failure = ? WHERE seq = ?", (cancelling, position, failure or None, seq)
    )
    tx.state.running[seq] = (*held[:11], 1, held[12])
    return job_id, cancelling, True, seq, held[0]


def end_waiting(tx: Transaction, row: LiveRow, state: JobState, failure: bytes, now_us: int) -> None:
    """End a job that no lease holds."""
    seq, job_id, group, batch, policy, stored, attempt, lane = row
    position = tx.emit(seq, job_id, group, batch, state.value, attempt, now_us)
    expire_us = now_us + tx.state.policies.get(policy).result_ttl_us
    tx.db.execute(
        "UPDATE jobs SET state = ?, revision = ?, end_us = ?, expire_us = ?, due_us = 0, failure = ? WHERE seq = ?",
        (state.value, position, now_us, expire_us, failure or None, seq),
    )
    tx.expire_later(expire_us, seq)
    tx.details[position] = (b"", failure)
    if lane is None:
        if stored == READY:
            tx.change_ready(group, -1)
    elif stored in (READY, PARKED):
        lanes.leave(tx, lane, group, seq)


def delete(tx: Transaction, query: tuple[object, ...], limit: int, now_us: int) -> list[ActionRow]:
    """Forget terminal jobs; see `JobStore.delete`."""
    selection = Selection(*query)  # type: ignore[arg-type]
    columns = ", ".join(f"{'' if column.startswith('typeof') else 'j.'}{column}" for column in FORGET_COLUMNS.split(", "))
    if selection.job_ids is None:
        rows = list(_found(tx, selection, f"j.job_id, {columns}", "j.state >= 5", limit, now_us))
        forget(tx, [row[1:] for row in rows])
        return [(row[0], None, True, 0, 0) for row in rows]
    answers: list[ActionRow] = []
    for job_id in selection.job_ids:
        found = tx.db.execute(f"SELECT j.state, {columns} {_BY_ID}", (job_id, selection.tenant, now_us)).fetchone()
        if found is None:
            answers.append((job_id, None, False, 0, 0))
        elif found[0] < JobState.SUCCEEDED:
            answers.append((job_id, _public(tx, found[1], found[0]), False, 0, 0))
        else:
            forget(tx, [found[1:]])
            answers.append((job_id, None, True, 0, 0))
    return answers


def _public(tx: Transaction, seq: int, stored: int) -> int:
    if stored == PARKED:
        return JobState.QUEUED.value
    return JobState.RUNNING.value if stored == READY and seq in tx.state.running else stored
