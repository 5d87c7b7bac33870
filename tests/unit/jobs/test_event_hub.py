"""Spreading changes to watchers."""

from __future__ import annotations

import asyncio

import pytest

from ingest_server.domain.job import JobState
from ingest_server.jobs.event_hub import EventHub, TerminalWait
from ingest_server.jobs.watcher import Watcher
from ingest_server.store.records import Changes, Event
from tests.fakes.clock import FakeClock

JOB = b"j" * 16
OTHER = b"o" * 16


def event(position: int, state: JobState, *, job_id: bytes = JOB, batch: int = 1, group: int = 1) -> Event:
    seq = 7 if job_id == JOB else 8
    return (position, seq, job_id, group, batch, int(state), 1, 1_000)


def changes(*events: Event, details: dict[int, tuple[bytes, bytes]] | None = None) -> Changes:
    return Changes(events, details or {}, {1: ("tenant", "default", ""), 2: ("stranger", "default", "")}, {})


@pytest.fixture
def hub() -> EventHub:
    return EventHub(FakeClock(), buffer_events_max=3)


def states(watcher: Watcher) -> list[tuple[int, JobState]]:
    return [(taken.position, JobState(taken.state)) for taken in watcher.take()]


def test_each_index_finds_its_watchers_and_no_others(hub: EventHub) -> None:
    by_batch = hub.watch(batches=[1], terminal_only=False)
    by_job = hub.watch(job_ids=[JOB], terminal_only=False)
    by_tenant = hub.watch(tenants=["tenant"], terminal_only=False)
    strangers = [
        hub.watch(batches=[2], terminal_only=False),
        hub.watch(job_ids=[OTHER], terminal_only=False),
        hub.watch(tenants=["stranger"], terminal_only=False),
    ]
    hub.on_changes(changes(event(1, JobState.QUEUED)))
    for watcher in (by_batch, by_job, by_tenant):
        assert states(watcher) == [(1, JobState.QUEUED)]
    assert [states(watcher) for watcher in strangers] == [[], [], []]
    assert not any(watcher.wake.is_set() for watcher in strangers)


def test_one_event_is_one_object_for_all_its_watchers(hub: EventHub) -> None:
    first = hub.watch(batches=[1], terminal_only=False)
    second = hub.watch(job_ids=[JOB], terminal_only=False)
    hub.on_changes(changes(event(1, JobState.SUCCEEDED), details={1: (b"output", b"")}))
    one, other = first.take()[0], second.take()[0]
    assert one is other
    assert one.output == b"output"


def test_a_full_buffer_is_emptied_and_said_so_and_others_do_not_notice(hub: EventHub) -> None:
    slow = hub.watch(batches=[1], terminal_only=False)
    quick = hub.watch(batches=[1], terminal_only=False)
    told = []
    for position in range(1, 6):
        hub.on_changes(changes(event(position, JobState.RUNNING)))
        told += states(quick)
    assert slow.overflowed
    assert not slow.buffer
    assert [position for position, _ in told] == [1, 2, 3, 4, 5]
    assert not quick.overflowed


def test_a_watcher_of_ends_hears_of_nothing_else(hub: EventHub) -> None:
    watcher = hub.watch(batches=[1], terminal_only=True)
    hub.on_changes(changes(event(1, JobState.QUEUED), event(2, JobState.RUNNING)))
    hub.on_progress([(7, 1, b"half")])
    assert not watcher.wake.is_set()
    hub.on_changes(changes(event(3, JobState.FAILED)))
    assert states(watcher) == [(3, JobState.FAILED)]


def test_of_progress_only_the_newest_is_told_and_none_after_the_end(hub: EventHub) -> None:
    watcher = hub.watch(batches=[1], terminal_only=False)
    hub.on_changes(changes(event(1, JobState.RUNNING)))
    watcher.take()
    hub.on_progress([(7, 1, b"one")])
    hub.on_progress([(7, 1, b"two")])
    assert [taken.progress for taken in watcher.take()] == [b"two"]
    assert hub.progress_of(7) == b"two"
    hub.on_progress([(7, 1, b"three")])
    hub.on_changes(changes(event(2, JobState.SUCCEEDED)))
    assert states(watcher) == [(2, JobState.SUCCEEDED)]
    assert hub.progress_of(7) == b""
    hub.on_progress([(7, 1, b"late")])
    assert hub.progress_of(7) == b""


async def test_progress_waits_for_the_pulse(hub: EventHub) -> None:
    watcher = hub.watch(batches=[1], terminal_only=False)
    hub.on_changes(changes(event(1, JobState.RUNNING)))
    watcher.take()
    watcher.wake.clear()
    hub.on_progress([(7, 1, b"half")])
    assert not watcher.wake.is_set()
    hub.pulse()
    assert watcher.wake.is_set()


def test_outputs_that_nobody_reads_are_bounded_by_their_bytes() -> None:
    hub = EventHub(FakeClock(), buffer_events_max=100, buffer_bytes_max=10)
    slow, fast = hub.watch(batches=[1], terminal_only=True), hub.watch(batches=[1], terminal_only=True)
    for position, output in ((1, b"x" * 50), (2, b""), (3, b"y")):  # the first alone is taken, whatever its size
        hub.on_changes(changes(event(position, JobState.SUCCEEDED), details={position: (output, b"")}))
        assert [each.output for each in fast.take()] == [output]
        assert not fast.overflowed
    assert slow.overflowed
    assert slow.take() == []


async def test_a_beat_comes_once_and_in_time() -> None:
    clock = FakeClock()
    hub = EventHub(clock, buffer_events_max=3)
    watcher = hub.watch(batches=[1], terminal_only=False)
    hub.set_beat(watcher, 5.0)
    await clock.advance(4.9)
    hub.pulse()
    assert not watcher.beat_due
    await clock.advance(0.1)
    hub.pulse()
    assert watcher.beat_due
    watcher.beat_due = False
    await clock.advance(50)
    hub.pulse()
    assert not watcher.beat_due


def test_a_watcher_that_left_is_forgotten_everywhere(hub: EventHub) -> None:
    stays = hub.watch(batches=[1], terminal_only=False)
    leaves = hub.watch(batches=[1], job_ids=[JOB], tenants=["tenant"], terminal_only=False)
    hub.unwatch(leaves, batches=[1], job_ids=[JOB], tenants=["tenant"])
    hub.on_changes(changes(event(1, JobState.QUEUED)))
    assert not leaves.buffer
    assert states(stays) == [(1, JobState.QUEUED)]
    assert hub.watch_count() == 1


def test_closing_reaches_those_who_watch_and_those_who_come(hub: EventHub) -> None:
    before = hub.watch(batches=[1], terminal_only=False)
    hub.close("draining")
    after = hub.watch(batches=[1], terminal_only=False)
    assert [before.closing, after.closing] == ["draining", "draining"]
    assert before.wake.is_set()
    assert after.wake.is_set()


async def test_reach_waits_for_the_position_and_no_longer(hub: EventHub) -> None:
    waiting = asyncio.ensure_future(hub.reach(2))
    await asyncio.sleep(0)
    hub.on_changes(changes(event(1, JobState.QUEUED)))
    await asyncio.sleep(0)
    assert not waiting.done()
    hub.on_changes(changes(event(2, JobState.RUNNING)))
    await waiting
    await hub.reach(1)


async def test_a_wait_for_ends_counts_each_job_once(hub: EventHub) -> None:
    wait = TerminalWait(hub, [JOB, OTHER, JOB])
    waiting = asyncio.ensure_future(wait.ended(lambda still_open: not still_open))
    hub.on_changes(changes(event(1, JobState.SUCCEEDED)))
    await asyncio.sleep(0)
    assert not waiting.done()
    wait.mark_ended([OTHER])
    hub.on_changes(changes(event(2, JobState.RUNNING, job_id=OTHER), event(3, JobState.EXPIRED, job_id=OTHER)))
    await waiting
    wait.close()
    assert hub.watch_count() == 0


async def test_a_wait_for_ends_gives_up_when_the_server_drains(hub: EventHub) -> None:
    wait = TerminalWait(hub, [JOB])
    waiting = asyncio.ensure_future(wait.ended(lambda still_open: not still_open))
    await asyncio.sleep(0)
    hub.close("draining")
    await waiting
    wait.close()
