"""Quotas: live jobs and rate per tenant, exact waits, no way to overdraw for ever."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_server.auth.quotas import Quotas
from ingest_server.domain.errors import Code, Exhausted, Reason
from ingest_server.domain.tenant import TenantQuota
from tests.fakes.clock import FakeClock


def quotas(clock: FakeClock | None = None, **quota: float) -> Quotas:
    return Quotas({"acme": TenantQuota(**quota)}, clock or FakeClock())  # type: ignore[arg-type]


def refused(held: Quotas, jobs: int) -> Exhausted:
    with pytest.raises(Exhausted) as caught:
        held.take("acme", jobs)
    return caught.value


def test_a_tenant_without_quota_is_only_counted() -> None:
    held = quotas(live_jobs_max=1)
    held.take("other", 1_000_000)
    assert held.live_jobs("other") == 1_000_000


def test_live_jobs_are_refused_all_or_none_with_limit_and_value() -> None:
    held = quotas(live_jobs_max=10)
    held.take("acme", 8)
    error = refused(held, 3)
    assert error.code == Code.RESOURCE_EXHAUSTED
    assert error.reason == Reason.QUOTA_EXCEEDED
    assert error.metadata == {"quota": "live_jobs_max", "limit": "10"}
    assert "8 live jobs and may have 10: 3 more" in error.message
    assert error.retry_after_seconds
    assert held.live_jobs("acme") == 8
    held.take("acme", 2)


def test_places_come_free_when_jobs_end_or_were_not_created() -> None:
    held = quotas(live_jobs_max=10)
    held.take("acme", 10)
    held.ended("acme", 4)
    held.take("acme", 4)
    held.give_back("acme", 1)
    held.take("acme", 1)
    refused(held, 1)


def test_more_endings_than_jobs_do_not_make_room() -> None:
    held = quotas(live_jobs_max=10)
    held.ended("acme", 100)
    assert held.live_jobs("acme") == 0
    refused(held, 11)


def test_a_restart_begins_with_the_jobs_that_live() -> None:
    held = quotas(live_jobs_max=10)
    held.restore({"acme": 9})
    refused(held, 2)
    held.take("acme", 1)


async def test_a_large_call_passes_and_the_next_waits_exactly_as_long_as_it_is_told() -> None:
    clock = FakeClock()
    held = quotas(clock, submit_rate_per_second=100)
    held.take("acme", 1_000)
    error = refused(held, 1)
    assert error.metadata["quota"] == "submit_rate_per_second"
    wait_seconds = error.retry_after_seconds
    assert wait_seconds is not None
    assert wait_seconds == pytest.approx(9.01)
    await clock.advance(wait_seconds - 0.02)
    refused(held, 1)
    await clock.advance(0.02)
    held.take("acme", 1)


async def test_silence_saves_up_one_second_and_no_more() -> None:
    clock = FakeClock()
    held = quotas(clock, submit_rate_per_second=100)
    held.take("acme", 100)
    await clock.advance(3_600)
    for _ in range(100):
        held.take("acme", 1)
    refused(held, 1)


def test_what_was_not_created_costs_no_rate() -> None:
    held = quotas(submit_rate_per_second=10)
    held.take("acme", 10)
    refused(held, 1)
    held.give_back("acme", 10)
    held.take("acme", 1)


async def test_a_rate_below_one_job_a_second_lets_one_pass_in_time() -> None:
    clock = FakeClock()
    held = quotas(clock, submit_rate_per_second=0.1)
    held.take("acme", 1)
    wait_seconds = refused(held, 1).retry_after_seconds
    assert wait_seconds is not None
    await clock.advance(wait_seconds)
    held.take("acme", 1)


def test_a_smaller_quota_keeps_the_jobs_that_live_and_takes_no_more() -> None:
    held = quotas(live_jobs_max=10)
    held.take("acme", 10)
    held.replace({"acme": TenantQuota(live_jobs_max=5)})
    assert held.live_jobs("acme") == 10
    held.ended("acme", 5)
    refused(held, 1)
    held.ended("acme", 1)
    held.take("acme", 1)


@settings(max_examples=50, deadline=None)
@given(calls=st.lists(st.tuples(st.integers(1, 500), st.floats(0, 5)), max_size=60), rate=st.integers(1, 200))
async def test_in_the_long_run_no_more_is_taken_than_the_rate_allows(calls: list[tuple[int, float]], rate: int) -> None:
    clock = FakeClock(settle_turns=1)
    held = quotas(clock, submit_rate_per_second=rate)
    taken = largest = 0
    waits_seconds = []
    for jobs, pause_seconds in calls:
        try:
            held.take("acme", jobs)
            taken, largest = taken + jobs, max(largest, jobs)
        except Exhausted as error:
            waits_seconds.append(error.retry_after_seconds or 0.0)
        await clock.advance(pause_seconds)
    assert all(wait_seconds > 0 for wait_seconds in waits_seconds)
    assert taken <= rate * (clock.monotonic() + 1.0) + largest
