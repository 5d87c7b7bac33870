"""`purge` and `put_queue`: forget what is past its time, and keep the settings of queues."""

from __future__ import annotations

from array import array
from typing import Any

from ingest_server.store.sqlite.forgetting import FORGET_COLUMNS, forget
from ingest_server.store.sqlite.submit import REQUEST_ID_KEPT_US
from ingest_server.store.sqlite.transaction import Transaction

EMPTY_BATCH_KEPT_US = 24 * 3600 * 1_000_000
"""interface.py: a batch that never had a job is kept for a day."""

_FORGETTABLE = f"SELECT expire_us, {FORGET_COLUMNS} FROM jobs WHERE seq = ? AND state >= 5"


def purge(tx: Transaction, limit: int, now_us: int, events_before_us: int) -> int:
    """Forget what is past its time; see `JobStore.purge`."""
    db = tx.db
    changes = db.total_changes()
    count = _purge_jobs(tx, limit, now_us)
    db.execute(
        """DELETE FROM dedupe WHERE (tenant, queue, key) IN
        (SELECT tenant, queue, key FROM dedupe INDEXED BY dedupe_by_time WHERE until_us <= ? ORDER BY until_us LIMIT ?)""",
        (now_us, limit),
    )
    # Row ids grow with time, so the oldest requests are found at the front without an index on time.
    db.execute(
        "DELETE FROM requests WHERE id IN (SELECT id FROM (SELECT id, at_us FROM requests ORDER BY id LIMIT ?) WHERE at_us <= ?)",
        (limit, now_us - REQUEST_ID_KEPT_US),
    )
    db.execute(
        """DELETE FROM batches WHERE number IN
        (SELECT number FROM batches INDEXED BY batches_empty WHERE empty_us > 0 AND empty_us <= ? LIMIT ?)""",
        (now_us - EMPTY_BATCH_KEPT_US, limit),
    )
    _purge_events(tx, limit, events_before_us)
    for group in [group for group in tx.state.groups.values() if not group.jobs][:limit]:
        db.execute("DELETE FROM groups WHERE number = ?", (group.number,))
        del tx.state.groups[group.number]
        del tx.state.groups_by_key[group.key]
    if db.total_changes() != changes:
        tx.removed = True
        tx.state.batch_numbers.clear()
    return count


def _purge_jobs(tx: Transaction, limit: int, now_us: int) -> int:
    """Work through the ledger of expiries: whole rows, and the front of the last one when the limit ends inside it."""
    count = 0
    while count < limit:
        entry = tx.db.execute("SELECT due_us, seqs FROM expiries WHERE due_us <= ? ORDER BY due_us LIMIT 1", (now_us,)).fetchone()
        if entry is None:
            break
        due_us, packed = entry
        rows: list[Any] = []
        later: dict[int, int] = {}
        for seq in array("q", packed):
            row = tx.db.execute(_FORGETTABLE, (seq,)).fetchone()
            if row is None:
                continue
            if row[0] <= now_us and count + len(rows) < limit:
                rows.append(row[1:])
            else:
                later[seq] = row[0]
        forget(tx, rows)
        count += len(rows)
        tx.db.execute("DELETE FROM expiries WHERE due_us = ?", (due_us,))
        for seq, expire_us in later.items():
            tx.expire_later(expire_us, seq)
    return count


def _purge_events(tx: Transaction, limit: int, before_us: int) -> None:
    rows: list[Any] = tx.db.execute(
        "SELECT last_position, time_us FROM events ORDER BY last_position LIMIT ?", (limit,)
    ).fetchall()
    last = 0
    for position, time_us in rows:
        if time_us >= before_us:
            break
        last = position
    if last:
        tx.db.execute("DELETE FROM events WHERE last_position <= ?", (last,))
        tx.state.events_forgotten = last


def put_queue(
    tx: Transaction, name: str, weight: int, running_max: int, start_rate_per_second: float, paused: bool, now_us: int
) -> None:
    """Make or change a queue; see `JobStore.put_queue`."""
    tx.db.execute(
        "INSERT OR REPLACE INTO queues (name, weight, running_max, start_rate_per_second, paused) VALUES (?, ?, ?, ?, ?)",
        (name, weight, running_max, float(start_rate_per_second), int(paused)),
    )
    tx.state.queues.add(name)
    tx.queue_config = True
