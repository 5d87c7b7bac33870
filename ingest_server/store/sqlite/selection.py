"""Which jobs a query means, as SQL: one reading of `JobQuery` for the writer and the readers.

The connection must have the function `leased(seq, fence)`: whether an unfinished lease newer than `fence` holds that job.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

import apsw

from ingest_server.domain.job import JobState
from ingest_server.store.records import ANY_PARTS, JobQuery
from ingest_server.store.sqlite.schema import GRANTED, PARKED, READY

Argument: TypeAlias = "str | bytes | int | float | None"

PUBLIC_STATE = f"""CASE WHEN j.state = {PARKED} THEN {READY} WHEN j.state = {READY} AND leased(j.seq, j.fence)
THEN {JobState.RUNNING.value} ELSE j.state END"""


class Selection(NamedTuple):
    """A `JobQuery` in plain types, fit to travel to the store process. Fields as there."""

    tenant: str
    job_ids: list[bytes] | None
    batch_id: bytes
    states: tuple[int, ...]
    queues: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    create_from_us: int
    create_before_us: int
    part_of: bytes

    @classmethod
    def of(cls, query: JobQuery) -> Selection:
        """Take over a query."""
        return cls(
            query.tenant,
            None if query.job_ids is None else [bytes(job_id) for job_id in query.job_ids],
            query.batch_id,
            tuple(sorted(int(state) for state in query.states)),
            tuple(sorted(query.queues)),
            tuple((str(key), str(value)) for key, value in query.labels),
            query.create_from_us,
            query.create_before_us,
            query.part_of,
        )


def condition(selection: Selection, now_us: int, *, with_parts: bool = False) -> tuple[str, list[Argument]]:
    """SQL condition on `jobs AS j` for all but `job_ids` and `batch_id`, and its arguments. Jobs past their retention fail it,
    and so do parts, unless asked for: by the selection, or all that there are (`with_parts`)."""
    parts = ["(j.expire_us = 0 OR j.expire_us > ?)"]
    arguments: list[Argument] = [now_us]
    if not selection.part_of:
        parts += [] if with_parts else ["j.batch <> 0"]
    elif selection.part_of == ANY_PARTS:
        parts.append("j.batch = 0")
    else:
        parts.append("j.batch = 0 AND j.policy IN (SELECT id FROM policies WHERE part_of = ?)")
        arguments.append(selection.part_of)
    if selection.tenant or selection.queues:
        groups = []
        if selection.tenant:
            groups.append("tenant = ?")
            arguments.append(selection.tenant)
        if selection.queues:
            groups.append(f"queue IN ({', '.join('?' * len(selection.queues))})")
            arguments.extend(selection.queues)
        parts.append(f"j.grp IN (SELECT number FROM groups WHERE {' AND '.join(groups)})")
    for key, value in selection.labels:
        parts.append(
            "j.policy IN (SELECT id FROM policies AS p WHERE EXISTS"
            " (SELECT 1 FROM json_each(p.labels) AS l WHERE l.key = ? AND l.value = ?))"
        )
        arguments += (key, value)
    if selection.create_from_us:
        parts.append("j.create_us >= ?")
        arguments.append(selection.create_from_us)
    if selection.create_before_us:
        parts.append("j.create_us < ?")
        arguments.append(selection.create_before_us)
    if selection.states:
        parts.append(_states(selection.states))
    return " AND ".join(parts), arguments


def _states(states: tuple[int, ...]) -> str:
    """The condition on states. `leased` is asked only of rows that wait, for a call into Python costs more than the rest."""
    if JobState.QUEUED in states and JobState.RUNNING in states:
        plain = [*states, PARKED]
        return f"j.state IN ({', '.join(str(int(state)) for state in plain)})"
    plain = [state for state in states if state not in (JobState.QUEUED, JobState.RUNNING)]
    parts = [f"j.state IN ({', '.join(str(state) for state in plain)})"] if plain else []
    if JobState.QUEUED in states:
        parts.append(f"j.state = {PARKED} OR (j.state = {READY} AND NOT leased(j.seq, j.fence))")
    if JobState.RUNNING in states:
        parts.append(f"j.state = {GRANTED} OR (j.state = {READY} AND leased(j.seq, j.fence))")
    return f"({' OR '.join(parts)})"


def batch_number(db: apsw.Connection, tenant: str, batch_id: bytes) -> list[int]:
    """Numbers of the batches of that id: of one tenant, or with "" of all."""
    rows = db.execute("SELECT number FROM batches WHERE batch_id = ?1 AND (?2 = '' OR tenant = ?2)", (batch_id, tenant))
    return sorted(number for (number,) in rows)


def spans(db: apsw.Connection, selection: Selection, *, descending: bool = False) -> Iterator[tuple[int, int]]:
    """Spans of row numbers (both ends included) to look at, in order; neighbours are joined."""
    if selection.part_of:
        yield from _joined(_part_spans(db, selection, descending=descending))
        return
    if not selection.batch_id:
        row = db.execute("SELECT (SELECT min(seq) FROM jobs), (SELECT max(seq) FROM jobs)").fetchone()
        if row is not None and row[0] is not None:
            yield row
        return
    numbers = batch_number(db, selection.tenant, selection.batch_id)
    if not numbers:
        return
    order = "DESC" if descending else "ASC"
    marks = ", ".join("?" * len(numbers))
    query = f"SELECT first_seq, last_seq FROM batch_ranges WHERE batch IN ({marks}) ORDER BY first_seq {order}"
    yield from _joined(db.execute(query, numbers))


def _part_spans(db: apsw.Connection, selection: Selection, *, descending: bool) -> Iterator[tuple[int, int]]:
    """Parts one by one, found by the index that has nothing but parts."""
    of_job = "" if selection.part_of == ANY_PARTS else "AND policy IN (SELECT id FROM policies WHERE part_of = ?)"
    order = "DESC" if descending else "ASC"
    query = f"SELECT seq, seq FROM jobs INDEXED BY jobs_parts WHERE batch = 0 {of_job} ORDER BY 1 {order}"
    return db.execute(query, (selection.part_of,) if of_job else ())


def _joined(found: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans with neighbours joined."""
    first, last = 0, -1
    for low, high in found:
        if last < first:
            first, last = low, high
        elif low == last + 1:
            last = high
        elif high == first - 1:
            first = low
        else:
            yield first, last
            first, last = low, high
    if first <= last:
        yield first, last
