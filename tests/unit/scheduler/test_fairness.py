"""Whose turn it is."""

from __future__ import annotations

from collections import Counter

import pytest

from ingest_server.scheduler.fairness import FairShare, Node


def unlimited(node: Node, depth: int) -> int:
    return 1 << 30


def serve(fair: FairShare, capacity: int, seconds: dict[int, float]) -> Counter[int]:
    """One round of one worker-like pool: choose, lease, run."""
    served: Counter[int] = Counter()
    for group, count in fair.choose(capacity):
        fair.add_ready(group, -count)
        fair.settle(group, count, seconds[group] * count)
        served[group] += count
    return served


def rounds(fair: FairShare, count: int, capacity: int, seconds: dict[int, float]) -> Counter[int]:
    served: Counter[int] = Counter()
    for _ in range(count):
        served += serve(fair, capacity, seconds)
    return served


def test_nothing_is_chosen_where_nothing_waits() -> None:
    fair = FairShare(unlimited)
    fair.add_group(1, "a", "default", "")
    assert fair.choose(10) == []
    assert not fair.has_ready()


def test_no_more_is_chosen_than_waits_or_fits() -> None:
    fair = FairShare(unlimited)
    fair.add_group(1, "a", "default", "")
    fair.add_ready(1, 3)
    assert fair.choose(2) == [(1, 2)]
    fair.add_ready(1, -2)
    assert fair.choose(10) == [(1, 1)]
    fair.add_ready(1, -1)
    assert fair.choose(10) == []


def test_a_newcomer_is_next_however_many_wait_before_it() -> None:
    fair = FairShare(unlimited)
    fair.add_group(1, "busy", "default", "")
    fair.add_group(2, "new", "default", "")
    fair.add_ready(1, 100_000)
    rounds(fair, 200, 2, {1: 1.0})
    fair.add_ready(2, 1)
    assert fair.choose(1) == [(2, 1)]


def test_tenants_share_by_run_time_not_by_number_of_jobs() -> None:
    fair = FairShare(unlimited)
    fair.add_group(1, "slow", "default", "")
    fair.add_group(2, "quick", "default", "")
    fair.add_ready(1, 10_000)
    fair.add_ready(2, 10_000)
    served = rounds(fair, 1_000, 1, {1: 3.0, 2: 1.0})
    assert served[2] / served[1] == pytest.approx(3.0, rel=0.05)


def test_many_fairness_keys_do_not_enlarge_a_tenants_share() -> None:
    fair = FairShare(unlimited)
    fair.add_group(1, "one", "default", "")
    for group in range(2, 12):
        fair.add_group(group, "many", "default", f"key {group}")
    seconds = dict.fromkeys(range(1, 12), 1.0)
    for group in seconds:
        fair.add_ready(group, 10_000)
    served = rounds(fair, 1_000, 1, seconds)
    assert served[1] == pytest.approx(500, rel=0.05)
    assert max(served[group] for group in range(2, 12)) - min(served[group] for group in range(2, 12)) <= 2


def test_queues_share_by_their_weights() -> None:
    fair = FairShare(unlimited)
    fair.add_group(1, "a", "light", "")
    fair.add_group(2, "a", "heavy", "")
    fair.set_queue_weight("heavy", 4)
    fair.add_ready(1, 10_000)
    fair.add_ready(2, 10_000)
    served = rounds(fair, 1_000, 1, {1: 1.0, 2: 1.0})
    assert served[2] / served[1] == pytest.approx(4.0, rel=0.05)


def test_idleness_earns_no_credit() -> None:
    fair = FairShare(unlimited)
    fair.add_group(1, "steady", "default", "")
    fair.add_group(2, "sleeper", "default", "")
    fair.add_ready(1, 100_000)
    rounds(fair, 500, 1, {1: 1.0})
    fair.add_ready(2, 100_000)
    served = rounds(fair, 100, 1, {1: 1.0, 2: 1.0})
    assert abs(served[1] - served[2]) <= 2


def test_what_may_not_start_is_passed_over_and_comes_back() -> None:
    closed = {"shut"}
    fair = FairShare(lambda node, depth: 0 if node.name in closed else 1 << 30)
    fair.add_group(1, "a", "shut", "")
    fair.add_group(2, "a", "open", "")
    fair.add_ready(1, 5)
    fair.add_ready(2, 5)
    assert fair.choose(10) == [(2, 5)]
    fair.add_ready(2, -5)
    assert fair.choose(10) == []
    assert fair.has_ready()
    closed.clear()
    assert fair.choose(10) == [(1, 5)]


def test_a_running_limit_holds_within_one_choice() -> None:
    def two_per_tenant(node: Node, depth: int) -> int:
        return 2 - node.running if depth == 2 else 1 << 30

    fair = FairShare(two_per_tenant)
    for group, tenant in ((1, "a"), (2, "a"), (3, "b")):
        fair.add_group(group, tenant, "default", f"{group}")
        fair.add_ready(group, 10)
    chosen = dict(fair.choose(100))
    assert chosen.get(1, 0) + chosen.get(2, 0) == 2
    assert chosen[3] == 2
    for group, count in chosen.items():
        fair.add_ready(group, -count)
    assert fair.choose(100) == []
    fair.settle(3, 1, 1.0)
    assert fair.choose(100) == [(3, 1)]


def test_jobs_that_were_not_found_are_not_charged() -> None:
    fair = FairShare(unlimited)
    fair.add_group(1, "a", "default", "")
    fair.add_ready(1, 4)
    assert fair.choose(4) == [(1, 4)]
    fair.charge(1, -4)
    leaf = fair.leaf(1)
    assert leaf is not None
    assert leaf.running == 0
    assert leaf.virtual == pytest.approx(0.0)


def test_idle_leaves_are_forgotten_and_busy_ones_are_not() -> None:
    fair = FairShare(unlimited)
    for group in range(1, 101):
        fair.add_group(group, "a", "default", f"{group}")
    fair.add_ready(7, 1)
    fair.forget_idle(50)
    assert fair.leaf(7) is not None
    assert fair.leaf(8) is None
    assert fair.choose(10) == [(7, 1)]


def test_short_jobs_go_by_the_hundred_and_long_ones_one_by_one() -> None:
    fair = FairShare(unlimited)
    fair.add_group(1, "short", "default", "")
    fair.add_group(2, "long", "default", "")
    fair.add_ready(1, 1_000_000)
    fair.add_ready(2, 1_000_000)
    seconds = {1: 0.000_005, 2: 2.0}
    rounds(fair, 300, 8, seconds)
    assert dict(fair.choose(4_000))[1] > 500
    leaf = fair.leaf(2)
    assert leaf is not None
    assert leaf.estimate == pytest.approx(2.0, rel=0.1)
