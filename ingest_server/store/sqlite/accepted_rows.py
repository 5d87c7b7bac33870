"""The rows that an accepted submit writes: jobs, large payloads apart, references to blobs, dedupe keys."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, TypeAlias

from ingest_server.store.records import CallbackTarget, NewJob
from ingest_server.store.sqlite.schema import GRANTED, READY
from ingest_server.store.sqlite.state import Group
from ingest_server.store.sqlite.transaction import Transaction

PolicyRow: TypeAlias = tuple[str, str, str, str, int, tuple[tuple[str, str], ...], int, int, int, bool, int, bytes, bytes, int]
"""The fields of `JobPolicy`, in their order, but for the callbacks."""

JobTuple: TypeAlias = tuple[int, bytes, int, int, int, int, int, int, int, int, int, bytes | int | None]
"""The columns of INSERT, in their order."""

INSERT = """INSERT INTO jobs (seq, job_id, grp, batch, policy, state, order_key, create_us, due_us, deadline_us, revision,
payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
ROWS_PER_STATEMENT = 64
"""Rows of one INSERT: measured 1.3 µs a row with 64 and more, 1.7 with one. Updates gain nothing from it."""
_INSERT_BLOCK = INSERT + ", (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" * (ROWS_PER_STATEMENT - 1)
_INSERT_RARE = """INSERT INTO jobs (seq, job_id, grp, batch, policy, state, order_key, create_us, due_us, deadline_us, revision,
payload, lane, has_blobs, retried_from) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


class Call(NamedTuple):
    """A submit as it comes from the server: the fields of `SubmitBatch` in their order, the time, and the callbacks of the
    policies that have some, by index."""

    tenant: str
    request_id: bytes
    request_digest: bytes
    batch_id: bytes
    all_or_nothing: bool
    policies: Sequence[PolicyRow]
    jobs: Sequence[NewJob]
    grant: int
    grant_lease_us: int
    retried_from: Sequence[bytes]
    refused: Mapping[int, int]
    now_us: int
    callbacks: Mapping[int, Sequence[CallbackTarget]]


class Plan(NamedTuple):
    """A policy made ready for its rows."""

    number: int
    group: Group
    state: int
    order_key: int
    due_us: int
    deadline_us: int
    lane: str | None


def insert_jobs(
    tx: Transaction,
    call: Call,
    plans: dict[int, Plan],
    batch: int,
    seq: int,
    items: Sequence[NewJob],
    ids: Sequence[bytes],
    accepted: Sequence[int],
    granted: Container[int],
) -> list[JobTuple]:
    """Write the rows of accepted items, and their first events.

    Args:
        tx: the commit.
        call: the submit.
        plans: by index of the policy.
        batch: number of the batch.
        seq: row number of the first item; the others follow.
        items, ids, accepted: the accepted items, their ids, and their indexes in the call.
        granted: row numbers of those that this very commit leases.

    Returns:
        The rows, in order.
    """
    position = tx.state.next_position
    now_us = call.now_us
    inline = tx.payload_inline_bytes_max
    heads = {
        i: (plan.group.number, batch, plan.number, plan.state, plan.order_key, now_us, plan.due_us, plan.deadline_us)
        for i, plan in plans.items()
    }
    granted_heads = {i: (*head[:3], GRANTED, *head[4:]) for i, head in heads.items()}
    public = {i: plan.state or READY for i, plan in plans.items()}
    rare = call.retried_from or any(item[4] for item in items) or any(plan.lane for plan in plans.values())
    rows: list[JobTuple] = []
    apart: list[tuple[int, bytes]] = []
    events = tx.events
    for item, job_id in zip(items, ids, strict=True):
        policy, _, payload, _, _ = item
        head = granted_heads[policy] if seq in granted else heads[policy]
        stored: bytes | int | None = payload or None
        if len(payload) > inline:
            apart.append((seq, payload))
            stored = len(payload)
        rows.append((seq, job_id, *head, position, stored))
        events.append((position, seq, job_id, head[0], batch, public[policy], 0, now_us))
        seq += 1
        position += 1
    tx.state.next_position = position
    if rare:
        tails = _rare_columns(call, plans, items, accepted)
        tx.db.executemany(_INSERT_RARE, (row + tail for row, tail in zip(rows, tails, strict=True)))
    else:
        _insert_many(tx, rows)
    if apart:
        tx.db.executemany("INSERT INTO payloads (seq, bytes) VALUES (?, ?)", apart)
    return rows


def _insert_many(tx: Transaction, rows: Sequence[JobTuple]) -> None:
    whole = len(rows) - len(rows) % ROWS_PER_STATEMENT
    for start in range(0, whole, ROWS_PER_STATEMENT):
        tx.db.execute(_INSERT_BLOCK, tuple(chain.from_iterable(rows[start : start + ROWS_PER_STATEMENT])))
    if whole < len(rows):
        tx.db.executemany(INSERT, rows[whole:])


def _rare_columns(
    call: Call, plans: dict[int, Plan], items: Sequence[NewJob], accepted: Sequence[int]
) -> Iterator[tuple[object, ...]]:
    for index, item in zip(accepted, items, strict=True):
        origin = call.retried_from[index] if call.retried_from else b""
        yield plans[item[0]].lane, 1 if item[4] else 0, origin or None


def insert_references(tx: Transaction, call: Call, first: int, items: Sequence[NewJob]) -> None:
    """Write what jobs refer to: blobs, and the dedupe keys they hold."""
    for seq, (policy_index, _, _, dedupe_key, sha256) in enumerate(items, first):
        if sha256:
            tx.db.execute("INSERT OR IGNORE INTO blob_refs (sha256, seq) VALUES (?, ?)", (sha256, seq))
        if dedupe_key:
            policy = call.policies[policy_index]
            tx.db.execute(
                "INSERT OR REPLACE INTO dedupe (tenant, queue, key, seq, until_us) VALUES (?, ?, ?, ?, ?)",
                (call.tenant, policy[1], dedupe_key, seq, call.now_us + policy[10]),
            )
