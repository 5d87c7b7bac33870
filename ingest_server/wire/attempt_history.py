"""A job's attempt history out: the store's records as Attempt messages."""

from __future__ import annotations

from google.rpc.status_pb2 import Status

from ingest.v1 import job_pb2
from ingest_server.domain.errors import Code
from ingest_server.store.history import AttemptRecord, decode
from ingest_server.store.records import Verdict
from ingest_server.wire.status import status_of_failure
from ingest_server.wire.times import to_timestamp

_CODES = {
    Verdict.SUCCEEDED: Code.OK,
    Verdict.CANCELLED: Code.CANCELLED,
    Verdict.EXPIRED: Code.DEADLINE_EXCEEDED,
    Verdict.HANDED_BACK: Code.ABORTED,
}
"""For attempts that carry no failure of their own; any other is UNKNOWN."""


def attempts_of(history: bytes) -> list[job_pb2.Attempt]:
    """Attempts that ended, oldest first."""
    return [_attempt(record) for record in decode(history)]


def _attempt(record: AttemptRecord) -> job_pb2.Attempt:
    attempt = job_pb2.Attempt(attempt=record.attempt, worker=record.worker)
    if record.start_us:
        attempt.start_time.CopyFrom(to_timestamp(record.start_us))
    if record.end_us:
        attempt.end_time.CopyFrom(to_timestamp(record.end_us))
    if record.failure:
        attempt.outcome.CopyFrom(status_of_failure(record.failure))
    else:
        attempt.outcome.CopyFrom(Status(code=int(_CODES.get(record.verdict, Code.UNKNOWN))))
    return attempt
