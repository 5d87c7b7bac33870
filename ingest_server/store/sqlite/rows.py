"""Rows of the file as `JobRow`: the one place where columns become fields, and where a lease becomes RUNNING."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from ingest_server.domain.job import JobState
from ingest_server.store import history as attempts
from ingest_server.store.records import Detail, JobRow, Verdict
from ingest_server.store.sqlite.schema import PARKED, READY

_BASIC = """j.seq, j.job_id, b.batch_id, j.batch, j.grp, g.tenant, g.queue, g.fairness_key, p.concurrency_key, p.priority,
p.labels, j.state, j.attempt, j.crash_count, j.revision, j.create_us, j.start_us, j.end_us, j.expire_us, j.due_us,
j.deadline_us, j.fence, j.worker, j.retried_from, j.failure, j.progress, p.part_of"""
BASIC_COLUMNS = _BASIC.count(",") + 1
_OUTPUT = ", j.output"
_BYTES = ", j.output, p.spec, j.payload, j.history"

FROM_JOBS = """FROM jobs AS j JOIN groups AS g ON g.number = j.grp JOIN policies AS p ON p.id = j.policy
LEFT JOIN batches AS b ON b.number = j.batch"""
"""Parts have no batch."""


def columns(detail: Detail) -> str:
    """Columns that `to_job_row` wants."""
    return _BASIC + ("", _OUTPUT, _BYTES)[detail]


@lru_cache(maxsize=1_024)
def _labels(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(json.loads(text).items()))


def to_job_row(row: tuple[Any, ...], lease: tuple[int, int] | None, apart: tuple[bytes | None, bytes | None]) -> JobRow:
    """Make a `JobRow`.

    Args:
        row: `columns`.
        lease: (start_us, position of the RUNNING event) of the lease that holds the job; None if none does.
        apart: payload and output, where they stand in tables of their own.
    """
    (
        seq, job_id, batch_id, batch, group, tenant, queue, fairness_key, concurrency_key, priority, labels, stored, attempt,
        crash_count, revision, create_us, start_us, end_us, expire_us, due_us, deadline_us, _, worker, retried_from, failure,
        progress, part_of,
    ) = row[:BASIC_COLUMNS]  # fmt: skip
    state = JobState(READY if stored == PARKED else stored)
    output = row[BASIC_COLUMNS] if len(row) > BASIC_COLUMNS else None
    full = len(row) > BASIC_COLUMNS + 1
    spec, payload, history = row[BASIC_COLUMNS + 1 :] if full else (b"", None, None)
    if full and history is None and worker is not None and state.terminal:
        verdict = Verdict(state - JobState.SUCCEEDED)
        history = attempts.encode([attempts.AttemptRecord(attempt, verdict, start_us, end_us, worker, failure or b"")])
    if lease is not None:
        attempt += 1
        start_us = lease[0]
        revision = max(revision, lease[1])
        worker = progress = None
        if state is JobState.QUEUED:
            state = JobState.RUNNING
            failure = None
    return JobRow(
        seq, job_id, batch_id or b"", batch, group, tenant, queue, fairness_key, concurrency_key, priority, _labels(labels),
        state, attempt, crash_count, revision, create_us, start_us, end_us, expire_us, due_us, deadline_us, worker or "",
        retried_from or b"", failure or b"", progress or b"", spec, _bytes(payload, apart[0]), history or b"",
        _bytes(output, apart[1]), part_of or b"",
    )  # fmt: skip


def _bytes(value: bytes | int | None, apart: bytes | None) -> bytes:
    return apart or b"" if value is None or isinstance(value, int) else value
