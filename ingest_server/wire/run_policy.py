"""What the scheduler must know of a stored spec: read here, because the spec is a protobuf message."""

from __future__ import annotations

from functools import lru_cache

from google.protobuf.duration_pb2 import Duration

from ingest.v1 import job_pb2
from ingest_server.domain.retry import RetryPolicy, RunPolicy

POLICIES_MAX = 4_096
"""Policies remembered by the bytes of their spec; about 500 bytes each beside the spec."""


@lru_cache(maxsize=POLICIES_MAX)
def read_run_policy(spec: bytes) -> RunPolicy:
    """Read the attempt timeout and the retry policy of a stored spec, in which all defaults are filled in."""
    message = job_pb2.JobSpec.FromString(spec)
    retry = message.retry_policy
    return RunPolicy(
        timeout_us=_microseconds(message.attempt_timeout),
        retry=RetryPolicy(
            max_attempts=retry.max_attempts,
            initial_backoff_us=_microseconds(retry.initial_backoff),
            max_backoff_us=_microseconds(retry.max_backoff),
            backoff_multiplier=retry.backoff_multiplier,
            non_retryable_reasons=frozenset(retry.non_retryable_reasons),
            max_crashes=retry.max_crashes,
        ),
    )


def _microseconds(duration: Duration) -> int:
    return duration.seconds * 1_000_000 + duration.nanos // 1_000
