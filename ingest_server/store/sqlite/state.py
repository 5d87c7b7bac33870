"""What the writer keeps in memory: a view of the file that makes its decisions cheap, rebuilt from the file by `load`.

Nothing here is a second truth. After a rollback, and at the start, the whole of it is read again.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any, TypeAlias

import apsw

from ingest_server.domain.ids import IdentifierSource
from ingest_server.store.records import GroupKey
from ingest_server.store.seq_set import SeqSet
from ingest_server.store.sqlite.policies import Policies
from ingest_server.store.sqlite.schema import GRANTED, READY
from ingest_server.store.sqlite.usage import Usage

Held: TypeAlias = tuple[int, int, bytes, int, int, int, int, int, int, int, str | None, int, int]
"""A leased job: (lease, seq, job_id, group, batch, policy, attempt: number of this one, crash_count, order_key, deadline_us,
lane or None, 1 if it was asked to stop, 1 if its row has a history). The first thirteen columns of HELD_COLUMNS."""

HELD_COLUMNS = (
    "seq, job_id, grp, batch, policy, attempt + 1, crash_count, order_key, deadline_us, lane, state = 4, history IS NOT NULL"
)
"""To be put behind the number of the lease."""

# The newest numbers are those of the newest rows; `counters` remembers them for the time when these rows are gone.
_COUNTERS = """SELECT max(next_seq, 1 + coalesce((SELECT max(seq) FROM jobs), 0)),
max(next_position, 1 + coalesce((SELECT max(last_position) FROM events), 0)),
max(next_batch, 1 + coalesce((SELECT max(number) FROM batches), 0)),
max(next_group, 1 + coalesce((SELECT max(number) FROM groups), 0)),
max(next_policy, 1 + coalesce((SELECT max(id) FROM policies), 0)), events_forgotten FROM counters WHERE id = 1"""

_SAVE_COUNTERS = """UPDATE counters SET next_seq = ?, next_position = ?, next_batch = ?, next_group = ?, next_policy = ?,
events_forgotten = ? WHERE id = 1"""

LOWEST_KEY = -(1 << 63)

BATCHES_KEPT_MAX = 10_000
"""Batches whose numbers are remembered: about 300 bytes each."""


class Group:
    """The line of one group.

    Attributes:
        number, key: who it is.
        jobs: rows of any state in the file.
        ready: jobs that can be leased now.
        cursor_key, cursor_seq: order of a job up to which (included) no job is ready and unleased, so that a lease need not
            look at the rows that are leased already.
    """

    __slots__ = ("cursor_key", "cursor_seq", "jobs", "key", "number", "ready")

    def __init__(self, number: int, key: GroupKey, jobs: int = 0) -> None:
        self.number = number
        self.key = key
        self.jobs = jobs
        self.ready = 0
        self.cursor_key = LOWEST_KEY
        self.cursor_seq = 0

    def lower(self, order_key: int, seq: int) -> None:
        """A job of this order became ready: the cursor must stand before it."""
        if (order_key, seq) <= (self.cursor_key, self.cursor_seq):
            self.cursor_key = order_key
            self.cursor_seq = seq - 1


class LeaseRecord:
    """A lease that is not concluded: when it ends, when and at which position it began, its jobs, how many are still held."""

    __slots__ = ("first_position", "remaining", "seqs", "start_us", "until_us")

    def __init__(self, until_us: int, start_us: int, first_position: int, seqs: array[int]) -> None:
        self.until_us = until_us
        self.start_us = start_us
        self.first_position = first_position
        self.seqs = seqs
        self.remaining = len(seqs)


class Lane:
    """Jobs of one tenant, queue and concurrency key.

    Attributes:
        holder: row number of the leased one; 0 if none is.
        heads: group → (order_key, seq) of the one job of that group that stands in the ready line. Empty while one is leased.
    """

    __slots__ = ("heads", "holder")

    def __init__(self) -> None:
        self.holder = 0
        self.heads: dict[int, tuple[int, int]] = {}


class State:
    """All of it.

    Args:
        db: connection of the writer.
        ageing_us: a job gains one step of priority with every so many microseconds of waiting.
    """

    def __init__(self, db: apsw.Connection, ageing_us: int) -> None:
        self.db = db
        self.ageing_us = ageing_us
        self.policies = Policies(db)
        self.usage = Usage(db, self.policies)
        self.batch_numbers: dict[tuple[str, bytes], int] = {}
        self.identifiers = IdentifierSource()
        self.groups: dict[int, Group] = {}
        self.groups_by_key: dict[GroupKey, Group] = {}
        self.queues: set[str] = set()
        self.leases: dict[int, LeaseRecord] = {}
        self.running: dict[int, Held] = {}
        self._leased_in_line: dict[int, int] = {}
        self.lanes: dict[str, Lane] = {}
        self.callback_jobs = SeqSet()
        self.delivery_jobs = SeqSet()
        self.next_seq = self.next_position = self.next_batch = self.next_group = self.next_policy = 1
        self.events_forgotten = 0
        self.live_floor = 0

    def load(self) -> None:
        """Read everything from the file. Cost: one look at each row that waits, one at each group."""
        counters = self.db.execute(_COUNTERS).fetchone()
        assert counters is not None, "the row of counters is made with the schema"
        (
            self.next_seq,
            self.next_position,
            self.next_batch,
            self.next_group,
            self.next_policy,
            self.events_forgotten,
        ) = counters
        self.live_floor = 0
        self.policies.clear()
        self.batch_numbers.clear()
        self.queues = {name for (name,) in self.db.execute("SELECT name FROM queues")}
        self.groups = {}
        self.groups_by_key = {}
        uncounted = self.usage.load()
        for number, tenant, queue, fairness_key, jobs in self.db.execute(
            "SELECT number, tenant, queue, fairness_key, jobs FROM groups ORDER BY number"
        ):
            self.add_group(number, (tenant, queue, fairness_key), jobs + uncounted.get(number, 0))
        self._load_leases()
        self._load_lines()
        self.callback_jobs = SeqSet(seq for (seq,) in self.db.execute("SELECT seq FROM callbacks"))
        self.delivery_jobs = SeqSet(seq for (seq,) in self.db.execute("SELECT DISTINCT seq FROM deliveries"))

    def save_counters(self) -> None:
        """Remember the newest numbers: for a transaction that removes rows."""
        self.db.execute(
            _SAVE_COUNTERS,
            (self.next_seq, self.next_position, self.next_batch, self.next_group, self.next_policy, self.events_forgotten),
        )

    def add_group(self, number: int, key: GroupKey, jobs: int = 0) -> Group:
        """Take up a group."""
        group = self.groups[number] = self.groups_by_key[key] = Group(number, key, jobs)
        return group

    def remember_batch(self, tenant: str, batch_id: bytes, number: int) -> None:
        """A batch that has jobs."""
        if len(self.batch_numbers) >= BATCHES_KEPT_MAX:
            self.batch_numbers.clear()
        self.batch_numbers[tenant, batch_id] = number

    def lane(self, name: str) -> Lane:
        """The lane of that name, made if need be."""
        lane = self.lanes.get(name)
        if lane is None:
            lane = self.lanes[name] = Lane()
        return lane

    def raise_live_floor(self) -> int:
        """Row number below which no job is live. A job that ended never lives again, so each finished row is walked over once."""
        row = self.db.execute(
            "SELECT seq FROM jobs WHERE seq >= ? AND state < 5 ORDER BY seq LIMIT 1", (self.live_floor,)
        ).fetchone()
        self.live_floor = self.next_seq if row is None else row[0]
        return self.live_floor

    def _load_leases(self) -> None:
        self.leases = {}
        self.running = {}
        self._leased_in_line = {}
        rows: list[Any] = self.db.execute(
            "SELECT number, until_us, start_us, first_position, seqs FROM leases ORDER BY number"
        ).fetchall()
        for number, until_us, start_us, first_position, packed in rows:
            record = LeaseRecord(until_us, start_us, first_position, array("q", packed))
            self.leases[number] = record
            record.remaining = 0
            for stored, *held in self._read_held(number, record.seqs):
                self.running[held[1]] = tuple(held)
                record.remaining += 1
                if stored == READY:
                    self._leased_in_line[held[3]] = self._leased_in_line.get(held[3], 0) + 1

    def _read_held(self, lease: int, seqs: array[int]) -> Iterator[tuple[Any, ...]]:
        """The jobs that a lease still holds: stored state, then the fields of `Held`."""
        query = f"SELECT state, ?1, {HELD_COLUMNS} FROM jobs WHERE seq = ?2 AND state IN ({READY}, {GRANTED}, 4) AND fence < ?1"
        for seq in seqs:
            row = self.db.execute(query, (lease, seq)).fetchone()
            if row is not None:
                yield row

    def _load_lines(self) -> None:
        self.lanes = {}
        for number, ready in self.db.execute("SELECT grp, count(*) FROM jobs WHERE state = 2 GROUP BY grp"):
            self.groups[number].ready = ready - self._leased_in_line.get(number, 0)
        for held in self.running.values():
            if held[10] is not None:
                self.lane(held[10]).holder = held[1]
        rows = self.db.execute("SELECT lane, grp, order_key, seq FROM jobs WHERE state = 2 AND lane IS NOT NULL")
        for name, number, order_key, seq in rows:
            if seq not in self.running:
                self.lane(name).heads[number] = (order_key, seq)
