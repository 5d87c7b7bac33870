"""One group commit in the making: what the verbs change, collected, and written once at its end.

The verbs write job rows themselves. What is common to all of them is gathered here and costs one row per commit, not one per job:
the event log and the ledger of expiries; and, where rows were removed, the counters and the sizes of groups and policies.
"""

from __future__ import annotations

from array import array
from itertools import starmap
from operator import itemgetter
from struct import Struct

import apsw

from ingest_server.store.records import Event, EventDetail, GroupKey
from ingest_server.store.sqlite.state import Group, State

EVENT = Struct("<qq16sqqBiq")
"""An event as it lies in the log and travels to the server: the fields of `interface.Event`, little-endian, 61 bytes. Packing
and unpacking run in C at 0.1 µs an event; a row per event would cost 1 µs and more."""

EXPIRY_BUCKET_US = 1_000_000
"""Jobs whose retention ends in the same second share a row of the ledger."""

_time_us = itemgetter(7)


class Transaction:
    """What one commit changes.

    Attributes:
        events: in order; verbs append with positions from `state.next_position` on.
        details: position → (output, failure), for terminal events and retries whose bytes the caller does not have.
        groups: new groups.
        ready: group → change of its ready jobs.
        queue_config: a queue's settings were changed.
        deliveries: deliveries may have become due; `events_told` of the events have been looked at for them.
        removed: rows were removed whose numbers must not be given again.
    """

    def __init__(self, db: apsw.Connection, state: State, payload_inline_bytes_max: int) -> None:
        self.db = db
        self.state = state
        self.payload_inline_bytes_max = payload_inline_bytes_max
        self.events: list[Event] = []
        self.details: dict[int, EventDetail] = {}
        self.groups: dict[int, GroupKey] = {}
        self.ready: dict[int, int] = {}
        self.queue_config = False
        self.deliveries = False
        self.events_told = 0
        self.removed = False
        self._expiries: dict[int, list[int]] = {}
        self._expiry_due: dict[int, int] = {}

    def emit(self, seq: int, job_id: bytes, group: int, batch: int, state: int, attempt: int, now_us: int) -> int:
        """Append one event; for verbs that are not hot. Answers its position."""
        position = self.state.next_position
        self.state.next_position = position + 1
        self.events.append((position, seq, job_id, group, batch, state, attempt, now_us))
        return position

    def change_ready(self, group: int, by: int) -> None:
        """The number of jobs of a group that can be leased changed."""
        self.state.groups[group].ready += by
        self.ready[group] = self.ready.get(group, 0) + by

    def group(self, key: GroupKey) -> Group:
        """The group of that key, made if it is new."""
        group = self.state.groups_by_key.get(key)
        if group is None:
            group = self.state.add_group(self.state.next_group, key)
            self.state.next_group += 1
            self.db.execute(
                "INSERT INTO groups (number, tenant, queue, fairness_key, jobs) VALUES (?, ?, ?, ?, 0)", (group.number, *key)
            )
            self.groups[group.number] = key
        return group

    def change_rows(self, group: Group, policy: int, by: int) -> None:
        """Rows of a group that use a policy were added or removed."""
        group.jobs += by
        self.state.usage.change(group.number, policy, by)
        self.removed = self.removed or by < 0

    def expire_later(self, expire_us: int, seq: int) -> None:
        """A job ended: it may be forgotten at `expire_us`."""
        bucket = expire_us // EXPIRY_BUCKET_US
        seqs = self._expiries.get(bucket)
        if seqs is None:
            self._expiries[bucket] = [seq]
            self._expiry_due[bucket] = expire_us
            return
        seqs.append(seq)
        if expire_us < self._expiry_due[bucket]:
            self._expiry_due[bucket] = expire_us

    def finish(self) -> bytes:
        """Write what was gathered. Answers the packed events of this commit."""
        packed = b"".join(starmap(EVENT.pack, self.events))
        if self.events:
            self.db.execute(
                "INSERT INTO events (last_position, first_position, time_us, events) VALUES (?, ?, ?, ?)",
                (self.events[-1][0], self.events[0][0], max(map(_time_us, self.events)), packed),
            )
        for bucket, seqs in self._expiries.items():
            self._save_expiry(self._expiry_due[bucket], array("q", seqs).tobytes())
        state = self.state
        if state.usage.due(state.next_seq):
            state.usage.write(state.next_seq)
        if self.removed:
            state.save_counters()
        return packed

    def _save_expiry(self, due_us: int, seqs: bytes) -> None:
        """Write a row of the ledger, at the first microsecond that is free."""
        while True:
            self.db.execute("INSERT OR IGNORE INTO expiries (due_us, seqs) VALUES (?, ?)", (due_us, seqs))
            if self.db.changes():
                return
            due_us += 1
