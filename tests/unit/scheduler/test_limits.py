"""What may start now."""

from __future__ import annotations

from ingest_server.scheduler.fairness import FairShare
from ingest_server.scheduler.limits import StartLimits
from ingest_server.store.records import QueueRow
from tests.fakes.clock import FakeClock


def made(clock: FakeClock, *rows: QueueRow, tenant_max: int = 0) -> tuple[StartLimits, FairShare]:
    limits = StartLimits(clock, lambda tenant: tenant_max)
    fair = FairShare(limits.allowance)
    limits.configure(rows, fair)
    for number, row in enumerate(rows, 1):
        fair.add_group(number, "tenant", row.name, "")
        fair.add_ready(number, 1_000)
    return limits, fair


def started(limits: StartLimits, fair: FairShare, capacity: int = 500) -> int:
    limits.begin_round(fair)
    chosen = fair.choose(capacity)
    limits.end_round(fair)
    for group, count in chosen:
        fair.add_ready(group, -count)
        fair.settle(group, count, 0.0)
    return sum(count for _, count in chosen)


def test_a_paused_queue_starts_nothing_until_it_is_resumed() -> None:
    limits, fair = made(FakeClock(), QueueRow("q", 1, 0, 0.0, True))
    assert started(limits, fair) == 0
    limits.configure([QueueRow("q", 1, 0, 0.0, False)], fair)
    assert started(limits, fair) == 500


async def test_a_rate_is_kept_over_time_and_its_burst_is_bounded() -> None:
    clock = FakeClock()
    limits, fair = made(clock, QueueRow("q", 1, 0, 10.0, False))
    assert started(limits, fair) == 10
    assert started(limits, fair) == 0
    await clock.advance(0.5)
    assert started(limits, fair) == 5
    await clock.advance(3_600)
    assert started(limits, fair) == 10


async def test_a_rate_below_one_a_second_starts_single_jobs() -> None:
    clock = FakeClock()
    limits, fair = made(clock, QueueRow("q", 1, 0, 0.5, False))
    counts = []
    for _ in range(8):
        counts.append(started(limits, fair))
        await clock.advance(1)
    assert sum(counts) == 4
    assert max(counts) == 1


def test_running_limits_of_queue_and_tenant_both_hold() -> None:
    limits, fair = made(FakeClock(), QueueRow("q", 1, 7, 0.0, False), tenant_max=3)
    limits.begin_round(fair)
    assert fair.choose(100) == [(1, 3)]


def test_only_a_queue_without_any_limit_is_free() -> None:
    rows = [
        QueueRow("free", 3, 0, 0.0, False),
        QueueRow("paused", 1, 0, 0.0, True),
        QueueRow("narrow", 1, 1, 0.0, False),
        QueueRow("rated", 1, 0, 2.0, False),
    ]
    limits, _ = made(FakeClock(), *rows)
    assert [row.name for row in rows if limits.is_free(row.name, "tenant")] == ["free"]
    assert not limits.is_free("unknown", "tenant")
    narrow_tenant, _ = made(FakeClock(), rows[0], tenant_max=1)
    assert not narrow_tenant.is_free("free", "tenant")
