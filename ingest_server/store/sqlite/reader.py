"""Reads of the file beside the writer: one connection each, used by one thread at a time, one transaction per read."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import apsw

from ingest_server.domain.job import JobState
from ingest_server.store.records import Detail, Event, JobPage, JobQuery, JobRow, QueueRow
from ingest_server.store.sqlite import rows
from ingest_server.store.sqlite.schema import GRANTED, PARKED, READY
from ingest_server.store.sqlite.selection import PUBLIC_STATE, Selection, batch_number, condition, spans
from ingest_server.store.sqlite.transaction import EVENT

WINDOW_ROWS = 50_000
"""interface.py: a page may stop early when it has looked at so many jobs."""

_SPAN = """SELECT events_forgotten, max(next_position - 1, coalesce((SELECT max(last_position) FROM events), 0))
FROM counters WHERE id = 1"""

_T = TypeVar("_T")


class _LeaseView:
    """Which jobs are leased, as of the present transaction. Leases never change their jobs, so each is decoded once."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._known: dict[int, tuple[int, int, array[int]]] = {}
        self._holder: dict[int, tuple[int, int]] = {}
        self.stale = True

    def _refresh(self) -> None:
        self.stale = False
        present = {number for (number,) in self._db.execute("SELECT number FROM leases")}
        for number in self._known.keys() - present:
            for seq in self._known.pop(number)[2]:
                if self._holder.get(seq, (0, 0))[0] == number:
                    del self._holder[seq]
        for number in sorted(present - self._known.keys()):
            row = self._db.execute("SELECT start_us, first_position, seqs FROM leases WHERE number = ?", (number,)).fetchone()
            assert row is not None, "read in the same transaction"
            seqs = array("q", row[2])
            self._known[number] = (row[0], row[1], seqs)
            for index, seq in enumerate(seqs):
                self._holder[seq] = (number, index)

    def leased(self, *arguments: Any) -> int:
        """The SQL function: does a lease newer than `fence` hold this job?"""
        seq, fence = arguments
        if self.stale:
            self._refresh()
        return int(self._holder.get(seq, (0, 0))[0] > fence)

    def seqs(self) -> list[int]:
        """Row numbers of all jobs that leases name, some of which may have been concluded."""
        if self.stale:
            self._refresh()
        return list(self._holder)

    def of(self, seq: int, fence: int, stored: int) -> tuple[int, int] | None:
        """(start_us, position of the RUNNING event) of the lease that holds the job."""
        if stored not in (READY, GRANTED, JobState.CANCELLING) or not self.leased(seq, fence):
            return None
        number, index = self._holder[seq]
        start_us, first_position, _ = self._known[number]
        return start_us, first_position + index


class Reader:
    """A read-only connection.

    Args:
        path: the data file, open in the store process.
    """

    def __init__(self, path: Path) -> None:
        self._db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, statementcachesize=100)
        self._db.set_busy_timeout(5_000)
        self._db.execute("PRAGMA cache_size = -8192")
        self._path = path
        self._leases = _LeaseView(self._db)
        self._db.create_scalar_function("leased", self._leases.leased, 2)

    @property
    def connection(self) -> apsw.Connection:
        """For reads that stand in files of their own; inside `run` only."""
        return self._db

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def run(self, read: Callable[[Reader], _T]) -> _T:
        """Call `read` inside one transaction: all it sees is of one moment."""
        self._db.execute("BEGIN")
        self._leases.stale = True
        try:
            return read(self)
        finally:
            self._db.execute("ROLLBACK")

    def queues(self) -> list[QueueRow]:
        """See `JobStore.queues`."""
        query = "SELECT name, weight, running_max, start_rate_per_second, paused FROM queues ORDER BY name"
        return [QueueRow(name, weight, most, rate, bool(paused)) for name, weight, most, rate, paused in self._db.execute(query)]

    def batch(self, tenant: str, batch_id: bytes) -> int:
        """See `JobStore.batch`."""
        numbers = batch_number(self._db, tenant, batch_id)
        return numbers[0] if numbers else 0

    def batch_ids(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """See `JobStore.batch_ids`."""
        query = "SELECT batch_id FROM batches WHERE number = ?"
        found = ((number, self._db.execute(query, (number,)).fetchone()) for number in numbers)
        return {number: row[0] for number, row in found if row is not None}

    def span(self) -> tuple[int, int]:
        """See `JobStore.span`."""
        row = self._db.execute(_SPAN).fetchone()
        assert row is not None, "the row of counters is made with the schema"
        return row[0], row[1]

    def events_after(self, position: int, limit: int) -> list[Event]:
        """See `JobStore.events_after`."""
        events: list[Event] = []
        query = "SELECT first_position, events FROM events WHERE last_position > ? ORDER BY last_position"
        for first, packed in self._db.execute(query, (position,)):
            skipped = max(0, position + 1 - first) * EVENT.size
            events.extend(EVENT.iter_unpack(memoryview(packed)[skipped:]))
            if len(events) >= limit:
                break
        return events

    def blobs_in_use(self, digests: Sequence[bytes], tenant: str) -> list[bool]:
        """See `JobStore.blobs_in_use`."""
        any_tenant = "SELECT 1 FROM blob_refs WHERE sha256 = ? LIMIT 1"
        of_tenant = """SELECT 1 FROM blob_refs JOIN jobs USING (seq) JOIN groups ON number = grp
        WHERE sha256 = ? AND tenant = ? LIMIT 1"""
        if not tenant:
            return [self._db.execute(any_tenant, (digest,)).fetchone() is not None for digest in digests]
        return [self._db.execute(of_tenant, (digest, tenant)).fetchone() is not None for digest in digests]

    def statistics(self) -> dict[str, float]:
        """Sizes of the files, in bytes, and the span of the log."""
        figures: dict[str, float] = {}
        for name, suffix in (("file_bytes", ""), ("wal_bytes", "-wal")):
            path = Path(f"{self._path}{suffix}")
            figures[name] = path.stat().st_size if path.exists() else 0
        pending = self._db.execute("SELECT count(*) FROM deliveries INDEXED BY deliveries_due WHERE status = 1").fetchone()
        figures["deliveries_pending"] = pending[0] if pending is not None else 0
        figures["oldest_position"], figures["newest_position"] = self.span()
        return figures

    def count(
        self, selection: Selection, *, by_state: bool, by_queue: bool, by_label: str, now_us: int
    ) -> dict[tuple[JobState | None, str, str], int]:
        """See `JobStore.count`."""
        where, arguments = condition(selection, now_us)
        state = PUBLIC_STATE if by_state else "0"
        queue = "(SELECT queue FROM groups WHERE number = j.grp)" if by_queue else "''"
        label, label_arguments = "''", []
        if by_label:
            label = """coalesce((SELECT l.value FROM policies AS p, json_each(p.labels) AS l
            WHERE p.id = j.policy AND l.key = ?), '')"""
            label_arguments = [by_label]
        head = f"SELECT {state}, {queue}, {label}, count(*)"
        counts: dict[tuple[JobState | None, str, str], int] = {}

        def add(source: str, more: Sequence[Any]) -> None:
            for number, name, value, count in self._db.execute(f"{head} {source} GROUP BY 1, 2, 3", (*label_arguments, *more)):
                key = (JobState(number) if by_state else None, name, value)
                counts[key] = counts.get(key, 0) + count

        if selection.job_ids is not None:
            by_id, arguments = condition(Selection.of(JobQuery(selection.tenant)), now_us, with_parts=True)
            for job_id in dict.fromkeys(selection.job_ids):
                add(f"FROM jobs AS j WHERE j.job_id = ? AND {by_id}", (job_id, *arguments))
        elif selection.batch_id:
            for first, last in list(spans(self._db, selection)):
                add(f"FROM jobs AS j WHERE j.seq BETWEEN ? AND ? AND {where}", (first, last, *arguments))
        elif selection.states and selection.states[-1] < JobState.SUCCEEDED:
            for source, more in self._live_rows():
                add(f"{source} AND {where}", (*more, *arguments))
        else:
            add(f"FROM jobs AS j WHERE {where}", arguments)
        return counts

    def _live_rows(self) -> list[tuple[str, tuple[Any, ...]]]:
        """The live jobs, found through the indexes on live rows: a million ended ones beside them are not looked at."""
        leased = json.dumps(self._leases.seqs())
        return [
            (f"FROM jobs AS j INDEXED BY jobs_ready WHERE j.state = {READY}", ()),
            (f"FROM jobs AS j INDEXED BY jobs_parked WHERE j.state = {PARKED}", ()),
            (f"FROM jobs AS j INDEXED BY jobs_due WHERE j.state = {JobState.SCHEDULED.value}", ()),
            # These are always leased; there is no index for so few.
            (
                f"""FROM jobs AS j WHERE j.seq IN (SELECT value FROM json_each(?))
                AND j.state IN ({GRANTED}, {JobState.CANCELLING.value})""",
                (leased,),
            ),
        ]

    def jobs(
        self, selection: Selection, *, limit: int, from_seq: int, newest_first: bool, detail: Detail, bytes_max: int, now_us: int
    ) -> JobPage:
        """See `JobStore.jobs`."""
        page = _Page(limit, bytes_max)
        if selection.job_ids is not None:
            self._by_id(selection, page, detail=detail, now_us=now_us)
        else:
            self._by_seq(selection, page, from_seq=from_seq, newest_first=newest_first, detail=detail, now_us=now_us)
        return JobPage(page.rows, page.next_seq, self.span()[1])

    def _by_id(self, selection: Selection, page: _Page, *, detail: Detail, now_us: int) -> None:
        query = f"""SELECT {rows.columns(detail)} {rows.FROM_JOBS}
        WHERE j.job_id = ?1 AND (?2 = '' OR g.tenant = ?2) AND (j.expire_us = 0 OR j.expire_us > ?3)"""
        page.limit = len(selection.job_ids or ())
        for index, job_id in enumerate(selection.job_ids or ()):
            row = self._db.execute(query, (job_id, selection.tenant, now_us)).fetchone()
            if row is not None and not page.add(self._job_row(row)):
                page.next_seq = index
                return

    def _by_seq(
        self, selection: Selection, page: _Page, *, from_seq: int, newest_first: bool, detail: Detail, now_us: int
    ) -> None:
        where, arguments = condition(selection, now_us)
        query = f"""SELECT {rows.columns(detail)} {rows.FROM_JOBS} WHERE j.seq BETWEEN ? AND ? AND {where}
        ORDER BY j.seq {"DESC" if newest_first else "ASC"} LIMIT ?"""
        looked = 0
        for first, last in list(spans(self._db, selection, descending=newest_first)):
            if from_seq:
                first, last = (first, min(last, from_seq)) if newest_first else (max(first, from_seq), last)
            while first <= last:
                if looked >= WINDOW_ROWS:
                    page.next_seq = last if newest_first else first
                    return
                size = WINDOW_ROWS - looked
                low, high = (max(first, last - size + 1), last) if newest_first else (first, min(last, first + size - 1))
                for row in self._db.execute(query, (low, high, *arguments, page.limit + 1 - len(page.rows))):
                    if not page.add(self._job_row(row)):
                        return
                looked += high - low + 1
                if newest_first:
                    last = self._edge("max", "<", low)
                else:
                    first = self._edge("min", ">", high) or last + 1

    def _edge(self, which: str, relation: str, seq: int) -> int:
        """The next row number that exists beyond a window: purged stretches are jumped over. 0 if there is none."""
        row = self._db.execute(f"SELECT {which}(seq) FROM jobs WHERE seq {relation} ?", (seq,)).fetchone()
        return 0 if row is None or row[0] is None else row[0]

    def _job_row(self, row: tuple[Any, ...]) -> JobRow:
        lease = self._leases.of(row[0], row[21], row[11])
        payload = output = None
        output_at, payload_at = rows.BASIC_COLUMNS, rows.BASIC_COLUMNS + 2
        if len(row) > output_at and isinstance(row[output_at], int):
            output = self._apart("outputs", row[0])
        if len(row) > payload_at and isinstance(row[payload_at], int):
            payload = self._apart("payloads", row[0])
        return rows.to_job_row(row, lease, (payload, output))

    def _apart(self, table: str, seq: int) -> bytes | None:
        row = self._db.execute(f"SELECT bytes FROM {table} WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else row[0]


class _Page:
    """Rows gathered so far, and where the next page begins."""

    def __init__(self, limit: int, bytes_max: int) -> None:
        self.limit = limit
        self.rows: list[JobRow] = []
        self.next_seq = 0
        self._bytes_max = bytes_max
        self._bytes = 0

    def add(self, row: JobRow) -> bool:
        """Take a row; False if it does not fit, and the next page begins with it."""
        self._bytes += sum(map(len, (row.spec, row.payload, row.history, row.output, row.failure, row.progress)))
        if len(self.rows) >= self.limit or (self._bytes_max and self.rows and self._bytes > self._bytes_max):
            self.next_seq = row.seq
            return False
        self.rows.append(row)
        return True
