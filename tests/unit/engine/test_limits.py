"""Limits name every field at fault at once."""

from __future__ import annotations

import pytest

from ingest_server.domain.errors import InvalidRequest
from ingest_server.engines.local.limits import LocalEngineLimits


def test_every_field_at_fault_is_named_with_value_and_limit() -> None:
    with pytest.raises(InvalidRequest) as raised:
        LocalEngineLimits(frame_jobs_max=0, attempt_cpu_seconds_max=-1, async_concurrency=5_000)
    told = {violation.path: violation.description for violation in raised.value.violations}
    assert told == {
        "frame_jobs_max": "is 0, must be above 0",
        "attempt_cpu_seconds_max": "is -1, must be at least 0",
        "async_concurrency": "is 5000, must be at most 4096",
    }
    assert "frame_jobs_max is 0, must be above 0" in raised.value.message


def test_zero_switches_limits_of_attempts_off() -> None:
    limits = LocalEngineLimits(attempt_memory_bytes_max=0, attempt_cpu_seconds_max=0, max_jobs_per_worker=0)
    assert limits.reply_bytes_max > limits.inline_bytes_max + limits.frame_bytes
