"""Removing ended jobs and all that hangs on them: what `delete`, `purge` and a reused job id have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ingest_server.store.sqlite import deliveries
from ingest_server.store.sqlite.transaction import Transaction

Forgettable: TypeAlias = tuple[int, int, int, int, int, bool, bool]
"""(seq, group, policy, batch, has_blobs, payload apart, output apart): FORGET_COLUMNS"""

FORGET_COLUMNS = "seq, grp, policy, batch, has_blobs, typeof(payload) = 'integer', typeof(output) = 'integer'"


def forget(tx: Transaction, rows: Sequence[Forgettable]) -> None:
    """Remove these ended jobs, their bytes, references, and batches that become empty. Makes no event."""
    db = tx.db
    if tx.state.callback_jobs or tx.state.delivery_jobs:
        deliveries.forget(tx, [row[0] for row in rows])
    db.executemany("DELETE FROM jobs WHERE seq = ?", [(row[0],) for row in rows])
    for seq, group, policy, _, has_blobs, payload_apart, output_apart in rows:
        tx.change_rows(tx.state.groups[group], policy, -1)
        if payload_apart:
            db.execute("DELETE FROM payloads WHERE seq = ?", (seq,))
        if output_apart:
            db.execute("DELETE FROM outputs WHERE seq = ?", (seq,))
        if has_blobs:
            db.execute("DELETE FROM blob_refs WHERE seq = ?", (seq,))
    for batch in {row[3] for row in rows if row[3]}:
        _drop_empty_ranges(tx, batch)


def _drop_empty_ranges(tx: Transaction, batch: int) -> None:
    """Remove the ranges at the front of a batch that hold no job any more, and the batch with the last of them.

    Only the front: jobs are mostly forgotten in the order of their acceptance, and a look at every range of a batch that was
    joined a million times would cost a million look-ups a purge.
    """
    while True:
        row = tx.db.execute(
            "SELECT first_seq, last_seq FROM batch_ranges WHERE batch = ? ORDER BY first_seq LIMIT 1", (batch,)
        ).fetchone()
        if row is None:
            tx.db.execute("DELETE FROM batches WHERE number = ?", (batch,))
            tx.state.batch_numbers.clear()
            return
        if tx.db.execute("SELECT 1 FROM jobs WHERE seq BETWEEN ? AND ? LIMIT 1", row).fetchone() is not None:
            return
        tx.db.execute("DELETE FROM batch_ranges WHERE batch = ? AND first_seq = ?", (batch, row[0]))
