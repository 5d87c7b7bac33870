"""`settle`: conclude attempts. A settlement counts only if that very lease holds the job; a late worker changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from ingest_server.domain.job import JobState
from ingest_server.store import history
from ingest_server.store.records import Settlement, Verdict
from ingest_server.store.sqlite import lanes
from ingest_server.store.sqlite.schema import PARKED, READY
from ingest_server.store.sqlite.state import Held
from ingest_server.store.sqlite.transaction import Transaction

Answer: TypeAlias = tuple[list[int], list[tuple[int, int]]]
"""(indexes of the refused settlements, (position, index of the settlement) of each event whose bytes the caller has)"""

_FIRST_END = JobState.SUCCEEDED.value
"""Verdicts 0 … 3 are the terminal states in their order."""

END = """UPDATE jobs SET state = ?2, attempt = ?3, fence = ?4, revision = ?5, start_us = ?6, end_us = ?7, expire_us = ?8,
worker = ?9, failure = ?10, progress = ?11, output = ?12 WHERE seq = ?1"""
_WAIT = """UPDATE jobs SET state = ?2, due_us = ?3, attempt = ?4, crash_count = ?5, fence = ?6, revision = ?7, start_us = ?8,
worker = ?9, failure = ?10, progress = ?11, history = ?12 WHERE seq = ?1"""


def settle(tx: Transaction, settlements: Sequence[Settlement], now_us: int) -> Answer:
    """Conclude attempts; see `JobStore.settle`."""
    state = tx.state
    running = state.running
    policy = state.policies.get
    inline = tx.payload_inline_bytes_max
    refused: list[int] = []
    told: list[tuple[int, int]] = []
    rows: list[tuple[object, ...]] = []
    concluded: dict[int, int] = {}
    for index, settlement in enumerate(settlements):
        seq, lease, verdict, output, failure, progress, sha256, worker, start_us, end_us, _ = settlement
        held = running.get(seq)
        if held is None or held[0] != lease:
            refused.append(index)
            continue
        concluded[lease] = concluded.get(lease, 0) + 1
        if verdict > 3 or sha256 or len(output) > inline or held[10] is not None or held[11] or held[12]:
            _settle_rare(tx, held, settlement, index, told, now_us)
            continue
        del running[seq]
        position = state.next_position
        state.next_position = position + 1
        end_state = verdict + _FIRST_END
        end_us = end_us or now_us
        expire_us = end_us + policy(held[5]).result_ttl_us
        tx.expire_later(expire_us, seq)
        rows.append((seq, end_state, held[6], lease, position, start_us, end_us, expire_us, worker,
                     failure or None, progress or None, output or None))  # fmt: skip
        tx.events.append((position, seq, held[2], held[3], held[4], end_state, held[6], now_us))
        told.append((position, index))
    rows.sort()  # by row number: neighbours lie on one page
    tx.db.executemany(END, rows)
    conclude_leases(tx, concluded)
    return refused, told


def conclude_leases(tx: Transaction, concluded: dict[int, int]) -> None:
    """So many jobs of each lease are held no more; a lease that holds none is gone."""
    for number, count in concluded.items():
        record = tx.state.leases[number]
        record.remaining -= count
        if record.remaining <= 0:
            del tx.state.leases[number]
            tx.db.execute("DELETE FROM leases WHERE number = ?", (number,))


def _settle_rare(
    tx: Transaction, held: Held, settlement: Settlement, index: int, told: list[tuple[int, int]], now_us: int
) -> None:
    """Any settlement, without shortcuts."""
    verdict = Verdict(settlement[2])
    if verdict is Verdict.HANDED_BACK:
        hand_back(tx, [held], now_us)
        return
    if verdict is Verdict.POISONED:
        tx.db.execute("UPDATE jobs SET crash_count = crash_count + 1 WHERE seq = ?", (held[1],))
        verdict = Verdict.FAILED
        settlement = (*settlement[:3], b"", *settlement[4:])  # a worker that died has left no output
    if verdict in (Verdict.RETRY, Verdict.CRASHED_RETRY) and not held[11]:
        _retry(tx, held, settlement, verdict, index, told, now_us)
        return
    _end_rare(tx, held, settlement, verdict, index, told, now_us)


def _end_rare(
    tx: Transaction, held: Held, settlement: Settlement, verdict: Verdict, index: int, told: list[tuple[int, int]], now_us: int
) -> None:
    """End a job that has a history, a lane, a cancel, a blob or a large output."""
    seq, lease, _, output, failure, progress, sha256, worker, start_us, end_us, _ = settlement
    if verdict > Verdict.EXPIRED:
        output = b""  # an attempt that was to be repeated has no result
    end_us = end_us or now_us
    crashed = verdict is Verdict.CRASHED_RETRY
    end_state = JobState.CANCELLED.value if verdict > Verdict.EXPIRED else verdict + _FIRST_END
    kept = failure
    if held[11] and end_state == JobState.CANCELLED and (verdict > Verdict.EXPIRED or not failure):
        kept = tx.db.execute("SELECT failure FROM jobs WHERE seq = ?", (seq,)).fetchone()[0] or b""  # type: ignore[index]
    stored: object = output or None
    if len(output) > tx.payload_inline_bytes_max:
        tx.db.execute("INSERT OR REPLACE INTO outputs (seq, bytes) VALUES (?, ?)", (seq, output))
        stored = len(output)
    attempt = held[6] - 1 if crashed else held[6]
    expire_us = end_us + tx.state.policies.get(held[5]).result_ttl_us
    position = tx.emit(seq, held[2], held[3], held[4], end_state, attempt, now_us)
    row = (seq, end_state, attempt, lease, position, start_us, end_us, expire_us, worker, kept or None, progress or None, stored)
    if held[12] or verdict > Verdict.EXPIRED or kept != failure:
        record = history.AttemptRecord(held[6], verdict, start_us, end_us, worker, failure)
        _append_history(tx, seq, record)
    if crashed:
        tx.db.execute("UPDATE jobs SET crash_count = crash_count + 1 WHERE seq = ?", (seq,))
    tx.db.execute(END, row)
    tx.expire_later(expire_us, seq)
    if sha256:
        tx.db.execute("INSERT OR IGNORE INTO blob_refs (sha256, seq) VALUES (?, ?)", (sha256, seq))
        tx.db.execute("UPDATE jobs SET has_blobs = 1 WHERE seq = ?", (seq,))
    del tx.state.running[seq]
    if held[10] is not None:
        lanes.release(tx, held[10])
    if kept == failure:
        told.append((position, index))
    else:
        tx.details[position] = (output, kept)


def _append_history(tx: Transaction, seq: int, record: history.AttemptRecord) -> bytes:
    row = tx.db.execute("SELECT history FROM jobs WHERE seq = ?", (seq,)).fetchone()
    longer = history.append((row[0] if row else None) or b"", record)
    tx.db.execute("UPDATE jobs SET history = ? WHERE seq = ?", (longer, seq))
    return longer


def _retry(
    tx: Transaction, held: Held, settlement: Settlement, verdict: Verdict, index: int, told: list[tuple[int, int]], now_us: int
) -> None:
    seq, lease, _, _, failure, progress, _, worker, start_us, end_us, due_us = settlement
    crashed = verdict is Verdict.CRASHED_RETRY
    attempt = held[6] - 1 if crashed else held[6]
    crash_count = held[7] + 1 if crashed else held[7]
    record = history.AttemptRecord(held[6], verdict, start_us, end_us or now_us, worker, failure)
    longer = _append_history(tx, seq, record)
    later = due_us > now_us
    public = JobState.SCHEDULED.value if later else JobState.QUEUED.value
    stored = public if later else READY if held[10] is None else PARKED
    position = tx.emit(seq, held[2], held[3], held[4], public, attempt, now_us)
    tx.db.execute(_WAIT, (seq, stored, due_us if later else 0, attempt, crash_count, lease, position, start_us, worker,
                          failure or None, progress or None, longer))  # fmt: skip
    told.append((position, index))
    del tx.state.running[seq]
    _line_up_again(tx, held, ready=stored == READY)


def _line_up_again(tx: Transaction, held: Held, *, ready: bool) -> None:
    group = tx.state.groups[held[3]]
    if ready:
        group.lower(held[8], held[1])
        tx.change_ready(group.number, 1)
    if held[10] is not None:
        lanes.release(tx, held[10])


def hand_back(tx: Transaction, jobs: Iterable[Held], now_us: int) -> None:
    """Give up leases of jobs, nothing counted: they become QUEUED, those asked to stop CANCELLED. Leaves the lease rows alone."""
    for held in jobs:
        seq = held[1]
        del tx.state.running[seq]
        if held[11]:
            _end_cancelled(tx, held, now_us)
            continue
        position = tx.emit(seq, held[2], held[3], held[4], JobState.QUEUED.value, held[6] - 1, now_us)
        stored = READY if held[10] is None else PARKED
        tx.db.execute("UPDATE jobs SET state = ?, fence = ?, revision = ? WHERE seq = ?", (stored, held[0], position, seq))
        _line_up_again(tx, held, ready=stored == READY)


def _end_cancelled(tx: Transaction, held: Held, now_us: int) -> None:
    seq = held[1]
    attempt = held[6] - 1
    position = tx.emit(seq, held[2], held[3], held[4], JobState.CANCELLED.value, attempt, now_us)
    expire_us = now_us + tx.state.policies.get(held[5]).result_ttl_us
    tx.db.execute(
        "UPDATE jobs SET state = ?, fence = ?, revision = ?, end_us = ?, expire_us = ? WHERE seq = ?",
        (JobState.CANCELLED.value, held[0], position, now_us, expire_us, seq),
    )
    tx.expire_later(expire_us, seq)
    row = tx.db.execute("SELECT failure FROM jobs WHERE seq = ?", (seq,)).fetchone()
    tx.details[position] = (b"", (row[0] if row else None) or b"")
    if held[10] is not None:
        lanes.release(tx, held[10])
