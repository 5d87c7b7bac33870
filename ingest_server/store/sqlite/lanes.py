"""Concurrency keys: at most one job per tenant, queue and key is leased, and a lease never wades through those that may not go.

A *lane* is the line of the waiting jobs of one tenant, queue and key. While none of them is leased, the first of each group
stands in the ready line (READY); while one is leased, none does. All others are PARKED: they are publicly QUEUED, but in no index
that a lease reads. Only jobs with a concurrency key pay for this, with one update when they move up.

A job past its deadline keeps its place in the lane until `reap` ends it.
"""

from __future__ import annotations

from ingest_server.store.sqlite.schema import PARKED, READY
from ingest_server.store.sqlite.transaction import Transaction

_SET_STATE = "UPDATE jobs SET state = ?2 WHERE seq = ?1"
_FIRST_PARKED = "SELECT order_key, seq FROM jobs WHERE lane = ? AND grp = ? AND state = 0 ORDER BY order_key, seq LIMIT 1"
_NEXT_GROUP = "SELECT grp FROM jobs WHERE lane = ? AND grp > ? AND state = 0 ORDER BY grp LIMIT 1"


def lane_name(tenant: str, queue: str, concurrency_key: str) -> str | None:
    """Name of the lane; None without a key. Lengths in front keep ("a", "bc") and ("ab", "c") apart."""
    if not concurrency_key:
        return None
    return f"{len(tenant)}:{tenant}{len(queue)}:{queue}{concurrency_key}"


def enter(tx: Transaction, name: str, group: int, order_key: int, seq: int) -> None:
    """A job whose row is PARKED joins its lane: it stays so, or becomes READY, perhaps in place of the head so far."""
    lane = tx.state.lane(name)
    if lane.holder:
        return
    head = lane.heads.get(group)
    if head is not None:
        if (order_key, seq) > head:
            return
        tx.db.execute(_SET_STATE, (head[1], PARKED))
        tx.change_ready(group, -1)
    _make_head(tx, name, group, order_key, seq)


def leave(tx: Transaction, name: str, group: int, seq: int) -> None:
    """A waiting job has left its lane without a lease; its row is changed already. The next of its group moves up."""
    lane = tx.state.lane(name)
    head = lane.heads.get(group)
    if head is None or head[1] != seq:
        return
    del lane.heads[group]
    tx.change_ready(group, -1)
    _move_up(tx, name, group)
    _drop_if_empty(tx, name)


def hold(tx: Transaction, name: str, group: int, seq: int) -> None:
    """A head was leased (the caller counts it as no longer ready): the heads of other groups have to wait."""
    lane = tx.state.lane(name)
    del lane.heads[group]
    for other, (_, head_seq) in lane.heads.items():
        tx.db.execute(_SET_STATE, (head_seq, PARKED))
        tx.change_ready(other, -1)
    lane.heads.clear()
    lane.holder = seq


def release(tx: Transaction, name: str) -> None:
    """The leased job was concluded; its row is changed already, PARKED if it goes again. The first of each group moves up."""
    tx.state.lane(name).holder = 0
    group = -1
    while True:
        row = tx.db.execute(_NEXT_GROUP, (name, group)).fetchone()
        if row is None:
            break
        group = row[0]
        _move_up(tx, name, group)
    _drop_if_empty(tx, name)


def _move_up(tx: Transaction, name: str, group: int) -> None:
    row = tx.db.execute(_FIRST_PARKED, (name, group)).fetchone()
    if row is not None:
        _make_head(tx, name, group, row[0], row[1])


def _make_head(tx: Transaction, name: str, group: int, order_key: int, seq: int) -> None:
    tx.db.execute(_SET_STATE, (seq, READY))
    tx.state.lane(name).heads[group] = (order_key, seq)
    tx.state.groups[group].lower(order_key, seq)
    tx.change_ready(group, 1)


def _drop_if_empty(tx: Transaction, name: str) -> None:
    lane = tx.state.lanes[name]
    if not lane.holder and not lane.heads:
        del tx.state.lanes[name]
