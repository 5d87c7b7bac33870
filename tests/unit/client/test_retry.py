"""Which calls are repeated, when, and how often."""

from __future__ import annotations

import pytest

from ingest_client import Client
from ingest_client._retry import RetryLimits, wait_seconds
from ingest_client.errors import (
    Denied,
    Exhausted,
    InternalError,
    InvalidRequest,
    Unavailable,
)
from tests.fakes.job_service import FakeServer, status_of
from tests.unit.client.conftest import Waits

LIMITS = RetryLimits(attempts_max=4, backoff_seconds=0.1, backoff_seconds_max=0.3)


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequest("", reason_name="INVALID_FIELD"),
        Denied("", reason_name="UNAUTHENTICATED"),
        InternalError("", reason_name="INTERNAL"),
        InternalError(""),
    ],
)
def test_hopeless_errors_are_not_repeated(error: InvalidRequest) -> None:
    """A repeat would only cost the server more."""
    assert wait_seconds(LIMITS, 1, error, lambda: 0.5) is None


def test_waits_grow_to_their_ceiling_and_end() -> None:
    """Full jitter: the share drawn of a ceiling that doubles."""
    broken = Unavailable("socket closed")
    assert [wait_seconds(LIMITS, attempt, broken, lambda: 0.5) for attempt in (1, 2, 3, 4)] == [0.05, 0.1, 0.15, None]


def test_hint_is_the_least_wait() -> None:
    """Never earlier than the server said, spread above it."""
    full = Exhausted("", reason_name="OVERLOADED", retry_after_seconds=2.0)
    assert wait_seconds(LIMITS, 1, full, lambda: 0.0) == 2.0
    assert wait_seconds(LIMITS, 1, full, lambda: 1.0) == 2.5


def test_attempt_numbers_beyond_floats_do_no_harm() -> None:
    """2**5000 does not fit a float."""
    limits = RetryLimits(attempts_max=10_000)
    assert wait_seconds(limits, 5_000, Unavailable(""), lambda: 0.5) == limits.backoff_seconds_max / 2


@pytest.mark.parametrize("wrong", [{"attempts_max": 0}, {"backoff_seconds": 0.0}, {"multiplier": 0.5}])
def test_senseless_limits_are_refused(wrong: dict[str, float]) -> None:
    """They would spin or never try."""
    with pytest.raises(ValueError, match="at least 1"):
        RetryLimits(**wrong)  # type: ignore[arg-type]


async def test_overload_is_waited_out_as_hinted(server: FakeServer, client: Client, waits: Waits) -> None:
    """RESOURCE_EXHAUSTED with RetryInfo, then an answer."""
    server.faults.calls["GetStats"].extend([status_of(8, "OVERLOADED", retry_ms=400)] * 2)
    assert (await client.stats()).queued_count == 3
    assert server.calls["GetStats"] == 3
    assert waits.seconds == pytest.approx([0.45, 0.45])


async def test_attempts_are_bounded(server: FakeServer, client: Client) -> None:
    """After the last attempt its error is raised, hint included."""
    server.faults.calls["GetStats"].extend([status_of(8, "OVERLOADED", retry_ms=10)] * 9)
    with pytest.raises(Exhausted) as caught:
        await client.stats()
    assert server.calls["GetStats"] == 4
    assert caught.value.retry_after_seconds == 0.01


async def test_hint_beyond_the_deadline_is_not_waited_for(server: FakeServer, client: Client, waits: Waits) -> None:
    """The caller gets the hint at once instead of a late failure."""
    server.faults.calls["GetStats"].append(status_of(8, "QUOTA_EXCEEDED", retry_ms=3_600_000))
    with pytest.raises(Exhausted):
        await client.stats()
    assert waits.seconds == []


async def test_server_that_is_not_there_is_unavailable(server: FakeServer, client: Client) -> None:
    """Every attempt made, then a clear class."""
    await server.stop()
    with pytest.raises(Unavailable):
        await client.info()


async def test_call_goes_on_after_a_restart(server: FakeServer, client: Client, waits: Waits) -> None:
    """The server comes back while the client waits."""
    assert (await client.info()).version == "0.0.1"
    await server.stop()
    turns = []

    async def back(seconds: float) -> None:
        turns.append(seconds)
        if len(turns) == 1:
            await server.start()
        await client._entered().channel.connected()  # the event of being connected again, in place of a sleep

    object.__setattr__(client._settings, "sleep", back)
    assert (await client.info()).version == "0.0.1"
    assert turns
