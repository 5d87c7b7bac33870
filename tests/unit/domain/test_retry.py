"""When a failed attempt is followed by another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_server.domain.errors import Code, Failure
from ingest_server.domain.retry import BACKOFF_JITTER_FRACTION, RetryPolicy


def failure(reason: str = "HANDLER_ERROR", *, retryable: bool = True, exception: str = "") -> Failure:
    return Failure(Code.UNKNOWN, reason, "m", {"exception": exception} if exception else {}, retryable)


def test_the_last_permitted_attempt_is_the_last() -> None:
    policy = RetryPolicy(max_attempts=3)
    assert [policy.permits(failure(), attempt) for attempt in (1, 2, 3, 4)] == [True, True, False, False]


def test_a_failure_that_cannot_get_better_is_not_repeated() -> None:
    assert not RetryPolicy(max_attempts=9).permits(failure(retryable=False), 1)


@pytest.mark.parametrize("named", ["BAD_PAGE", "ValueError"])
def test_named_reasons_and_exceptions_end_the_job(named: str) -> None:
    policy = RetryPolicy(max_attempts=9, non_retryable_reasons=frozenset({named}))
    assert not policy.permits(failure("BAD_PAGE", exception="ValueError"), 1)
    assert policy.permits(failure("OTHER", exception="KeyError"), 1)


def test_waits_grow_by_the_factor_up_to_the_longest() -> None:
    policy = RetryPolicy(initial_backoff_us=1_000, max_backoff_us=5_000, backoff_multiplier=2.0)
    assert [policy.backoff_us(attempt, lambda: 0.0) for attempt in range(1, 6)] == [1_000, 2_000, 4_000, 5_000, 5_000]


@given(
    attempt=st.integers(1, 1_000),
    initial=st.integers(0, 86_400_000_000),
    longest=st.integers(0, 86_400_000_000),
    factor=st.floats(1, 100),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_no_wait_is_longer_than_the_longest_or_shorter_than_its_jitter(
    attempt: int, initial: int, longest: int, factor: float, chance: float
) -> None:
    policy = RetryPolicy(initial_backoff_us=initial, max_backoff_us=longest, backoff_multiplier=factor)
    wait = policy.backoff_us(attempt, lambda: chance)
    assert 0 <= wait <= longest
    assert wait >= int(min(initial, longest) * (1 - BACKOFF_JITTER_FRACTION)) - 1
