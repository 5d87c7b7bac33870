"""The attempts of a job as bytes: the one encoding of `JobRow.history`, for stores that write it and use cases that read it.

One entry per attempt, oldest first, each a fixed little-endian head and then worker and failure. Stores append; what lies inside
is of no interest to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple

from ingest_server.store.records import Verdict

ATTEMPTS_MAX = 100
"""Entries kept, the newest ones: job.proto promises the last 100. At about 60 bytes each that is 6 KB for the worst job."""

_HEAD = Struct("<IBqqHI")


class AttemptRecord(NamedTuple):
    """One attempt that ended.

    Attributes:
        attempt: its number, from 1; a crash and the attempt after it share one.
        verdict: how it ended.
        start_us: when the handler was entered; 0 if it never was.
        end_us: when it ended.
        worker: who ran it.
        failure: `Failure.to_bytes()`, or b"".
    """

    attempt: int
    verdict: Verdict
    start_us: int
    end_us: int
    worker: str
    failure: bytes


def encode(records: Sequence[AttemptRecord]) -> bytes:
    """Encode the last `ATTEMPTS_MAX` of these attempts, oldest first."""
    parts: list[bytes] = []
    for record in records[-ATTEMPTS_MAX:]:
        worker = record.worker.encode("utf-8", "backslashreplace")[:0xFFFF]
        head = _HEAD.pack(record.attempt, record.verdict, record.start_us, record.end_us, len(worker), len(record.failure))
        parts += (head, worker, record.failure)
    return b"".join(parts)


def decode(history: bytes) -> list[AttemptRecord]:
    """Decode what `encode` made; oldest first. Raises ValueError on anything else."""
    records: list[AttemptRecord] = []
    offset = 0
    while offset < len(history):
        if offset + _HEAD.size > len(history):
            raise ValueError(f"attempt history of {len(history)} bytes ends inside an entry")
        attempt, verdict, start_us, end_us, worker_bytes, failure_bytes = _HEAD.unpack_from(history, offset)
        offset += _HEAD.size
        end = offset + worker_bytes + failure_bytes
        if end > len(history):
            raise ValueError(f"attempt history of {len(history)} bytes ends inside an entry")
        worker = history[offset : offset + worker_bytes].decode("utf-8", "replace")
        failure = history[offset + worker_bytes : end]
        records.append(AttemptRecord(attempt, Verdict(verdict), start_us, end_us, worker, failure))
        offset = end
    return records


def append(history: bytes, record: AttemptRecord) -> bytes:
    """Add one attempt; the oldest falls off beyond `ATTEMPTS_MAX`."""
    addition = encode([record])
    if len(history) < _HEAD.size * ATTEMPTS_MAX:
        return history + addition
    return encode([*decode(history), record])
