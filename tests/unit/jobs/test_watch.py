"""Watching: the present state, then every change, in order and without a gap, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from ingest_server.domain.caller import Caller
from ingest_server.domain.errors import Exhausted, IngestError, NotFound, Reason
from ingest_server.domain.job import JobState
from ingest_server.jobs.batch_names import BatchNames
from ingest_server.jobs.selection import Selection
from ingest_server.jobs.watch import WatchBatch, WatchJobs, WatchLimits
from ingest_server.jobs.watcher import WatchEvent
from ingest_server.store.records import JobQuery
from tests.fakes.scheduler_rig import TENANT, Rig, scheduler_rig

BATCH = b"B" * 16
CALLER = Caller(TENANT)


@dataclass
class Reader:
    """Reads a watch in a task, and keeps what it was told."""

    stream: AsyncGenerator[WatchBatch, None]
    batches: list[WatchBatch] = field(default_factory=list)
    ended: asyncio.Task[None] | None = None

    def events(self) -> list[WatchEvent]:
        """All events so far."""
        return [event for batch in self.batches for event in batch.events]

    def changes(self) -> list[WatchEvent]:
        """Those that are changes, not the snapshot."""
        return [event for event in self.events() if not event.snapshot]

    def states(self, job_id: bytes) -> list[JobState]:
        """States told of one job, in order."""
        return [JobState(event.state) for event in self.events() if event.job_id == job_id]

    async def read(self) -> None:
        """Read to the end."""
        async for batch in self.stream:
            self.batches.append(batch)


class Watches:
    """Opens watches on a rig."""

    def __init__(self, rig: Rig, limits: WatchLimits) -> None:
        self._use_case = WatchJobs(rig.store, rig.hub, BatchNames(rig.store), rig.clock, limits)
        self._readers: list[Reader] = []

    def open(
        self,
        query: JobQuery,
        *,
        position: int | None = None,
        allow_missing: bool = False,
        heartbeat_seconds: float = 5.0,
        stop_when_done: bool = False,
        with_output: bool = False,
        terminal_only: bool = False,
        read: bool = True,
    ) -> Reader:
        """Open one; `read`: begin to read at once."""
        stream = self._use_case(
            CALLER,
            Selection(query, allow_missing),
            position=position,
            heartbeat_seconds=heartbeat_seconds,
            stop_when_done=stop_when_done,
            with_output=with_output,
            terminal_only=terminal_only,
        )
        reader = Reader(stream)
        if read:
            reader.ended = asyncio.ensure_future(reader.read())
        self._readers.append(reader)
        return reader

    async def close(self) -> None:
        """End all."""
        for reader in self._readers:
            if reader.ended is not None:
                reader.ended.cancel()
                await asyncio.gather(reader.ended, return_exceptions=True)
            await reader.stream.aclose()


@asynccontextmanager
async def watching(
    *, slots: int = 2, buffer_events_max: int = 1_000, streams_max: int = 10, age_seconds_max: float = 3_600.0
) -> AsyncIterator[tuple[Rig, Watches]]:
    """A rig, and watches on it."""
    async with scheduler_rig(slots=slots, buffer_events_max=buffer_events_max) as rig:
        watches = Watches(rig, WatchLimits(streams_max, age_seconds_max))
        try:
            yield rig, watches
        finally:
            await watches.close()
        assert rig.hub.watch_count() == 0, "a watcher was left behind"


async def finish_all(rig: Rig) -> None:
    """Let every job succeed."""
    while rig.engine.running:
        rig.engine.succeed(min(rig.engine.running))
        await rig.settle_down()


async def test_the_present_state_comes_first_and_then_every_change() -> None:
    async with watching() as (rig, watches):
        (job_id,) = await rig.submit(batch_id=BATCH)
        reader = watches.open(JobQuery("", batch_id=BATCH))
        await rig.settle_down()
        assert [batch.snapshot_done for batch in reader.batches] == [True]
        assert reader.states(job_id) == [JobState.RUNNING]
        await finish_all(rig)
        assert reader.states(job_id) == [JobState.RUNNING, JobState.SUCCEEDED]


async def test_jobs_that_join_the_batch_are_told_of() -> None:
    async with watching() as (rig, watches):
        reader = watches.open(JobQuery("", batch_id=BATCH), allow_missing=True)
        await rig.settle_down()
        first = await rig.submit(batch_id=BATCH)
        await rig.submit()
        second = await rig.submit(batch_id=BATCH)
        await finish_all(rig)
        assert {event.job_id for event in reader.events()} == {*first, *second}
        assert reader.states(second[0])[0] == JobState.QUEUED
        assert reader.states(second[0])[-1] == JobState.SUCCEEDED


async def test_positions_grow_and_no_change_is_told_twice() -> None:
    async with watching(slots=4) as (rig, watches):
        reader = watches.open(JobQuery(""))
        await rig.settle_down()
        for _ in range(5):
            await rig.submit(3)
        await finish_all(rig)
        positions = [event.position for event in reader.changes()]
        assert positions == sorted(set(positions))
        assert len(positions) == 15 * 3


async def test_a_token_continues_without_gap_or_double_at_every_point() -> None:
    async with watching(slots=4) as (rig, watches):
        await rig.submit(6, batch_id=BATCH)
        await finish_all(rig)
        whole = [event[0] for event in await rig.store.events_after(0, 10_000)]
        for position in whole[:-1]:
            reader = watches.open(JobQuery("", batch_id=BATCH), position=position)
            await rig.settle_down()
            assert [event.position for event in reader.events()] == [number for number in whole if number > position]
            assert not any(event.snapshot for event in reader.events())
            assert reader.ended is not None
            reader.ended.cancel()
            await asyncio.gather(reader.ended, return_exceptions=True)


async def test_a_token_of_an_empty_server_continues_with_the_first_change_of_all() -> None:
    async with watching() as (rig, watches):
        before = watches.open(JobQuery(""))
        await rig.settle_down()
        assert [(batch.snapshot_done, batch.position) for batch in before.batches] == [(True, 0)]
        (job_id,) = await rig.submit()
        await finish_all(rig)
        reader = watches.open(JobQuery(""), position=0)
        await rig.settle_down()
        assert reader.states(job_id) == [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED]
        assert not any(event.snapshot for event in reader.events())


async def test_a_replayed_end_carries_its_output_and_failure() -> None:
    async with watching() as (rig, watches):
        good, bad = await rig.submit(2, batch_id=BATCH)
        rig.engine.succeed(rig.running()[0], b"the output")
        rig.engine.fail(rig.running()[0], retryable=False)
        await rig.settle_down()
        reader = watches.open(JobQuery("", batch_id=BATCH), position=1, with_output=True)
        await rig.settle_down()
        ends = {event.job_id: event for event in reader.events() if event.state >= JobState.SUCCEEDED}
        assert ends[good].output == b"the output"
        assert b"it broke" in ends[bad].failure


@pytest.mark.parametrize("query", [JobQuery("", batch_id=BATCH), JobQuery("", job_ids=[b"x" * 16])])
async def test_what_does_not_exist_is_refused(query: JobQuery) -> None:
    async with watching() as (_, watches):
        reader = watches.open(query, read=False)
        with pytest.raises(NotFound):
            await anext(reader.stream)


async def test_a_batch_of_another_tenant_does_not_exist() -> None:
    async with watching() as (rig, watches):
        await rig.submit(tenant="stranger", batch_id=BATCH)
        with pytest.raises(NotFound):
            await anext(watches.open(JobQuery("", batch_id=BATCH), read=False).stream)


async def test_jobs_of_other_tenants_are_not_told_of() -> None:
    async with watching() as (rig, watches):
        reader = watches.open(JobQuery(""))
        await rig.settle_down()
        await rig.submit(tenant="stranger")
        own = await rig.submit()
        await finish_all(rig)
        assert {event.job_id for event in reader.events()} == set(own)


async def test_a_filter_by_queue_and_label_tells_of_its_jobs_only() -> None:
    async with watching(slots=9) as (rig, watches):
        before = await rig.submit(labels=(("color", "red"),))
        reader = watches.open(JobQuery("", labels=(("color", "red"),), queues=frozenset({"default"})))
        await rig.settle_down()
        wanted = await rig.submit(labels=(("color", "red"), ("size", "2")))
        await rig.submit(labels=(("color", "blue"),))
        await finish_all(rig)
        assert {event.job_id for event in reader.events()} == {*before, *wanted}


async def test_a_position_that_was_never_reached_is_refused() -> None:
    async with watching() as (rig, watches):
        await rig.submit()
        with pytest.raises(IngestError) as caught:
            await anext(watches.open(JobQuery(""), position=10_000, read=False).stream)
        assert caught.value.reason == Reason.RESUME_TOKEN_INVALID


async def test_a_position_that_is_forgotten_is_refused_with_the_oldest() -> None:
    async with watching() as (rig, watches):
        await rig.submit()
        await finish_all(rig)
        await rig.store.purge(100, rig.clock.now_us(), rig.clock.now_us() + 1)
        await rig.submit()
        with pytest.raises(IngestError) as caught:
            await anext(watches.open(JobQuery(""), position=1, read=False).stream)
        assert caught.value.reason == Reason.RESUME_TOKEN_EXPIRED
        assert int(caught.value.metadata["oldest_position"]) >= 3


async def test_silence_is_broken_by_heartbeats_that_carry_the_newest_position() -> None:
    async with watching() as (rig, watches):
        reader = watches.open(JobQuery("", batch_id=BATCH), allow_missing=True, heartbeat_seconds=5.0)
        await rig.settle_down()
        await rig.submit()  # of another batch: moves the log on
        for _ in range(51):
            await rig.clock.advance(0.1)
            rig.hub.pulse()
            await rig.settle_down()
        beats = [batch for batch in reader.batches if not batch.events and not batch.snapshot_done]
        assert len(beats) == 1
        assert beats[0].position == rig.hub.position


async def test_a_stream_that_stops_when_done_ends_after_the_last_end() -> None:
    async with watching() as (rig, watches):
        ids = await rig.submit(5, batch_id=BATCH)
        reader = watches.open(JobQuery("", batch_id=BATCH), stop_when_done=True)
        await rig.settle_down()
        assert reader.ended is not None
        assert not reader.ended.done()
        await finish_all(rig)
        await reader.ended
        assert all(reader.states(job_id)[-1] == JobState.SUCCEEDED for job_id in ids)


async def test_a_stream_over_ended_jobs_stops_after_the_snapshot() -> None:
    async with watching() as (rig, watches):
        ids = await rig.submit(2)
        await finish_all(rig)
        reader = watches.open(JobQuery("", job_ids=ids), stop_when_done=True)
        assert reader.ended is not None
        await reader.ended
        assert [reader.states(job_id) for job_id in ids] == [[JobState.SUCCEEDED]] * 2


async def test_a_slow_reader_gets_the_newest_state_and_never_misses_an_end() -> None:
    async with watching(slots=50, buffer_events_max=10) as (rig, watches):
        slow = watches.open(JobQuery(""), read=False)
        first = await anext(slow.stream)
        assert first.snapshot_done
        quick = watches.open(JobQuery(""))
        await rig.settle_down()
        ids = []
        for _ in range(10):
            ids += await rig.submit(3)
            await finish_all(rig)
        slow.ended = asyncio.ensure_future(slow.read())
        await rig.settle_down()
        assert all(slow.states(job_id)[-1] == JobState.SUCCEEDED for job_id in ids)
        assert len(slow.events()) < len(quick.events()), "it was given the present instead of all it missed"
        assert [len(quick.states(job_id)) for job_id in ids] == [3] * 30


async def test_only_ends_are_told_to_those_who_want_no_more() -> None:
    async with watching(slots=9) as (rig, watches):
        ended = await rig.submit()
        await finish_all(rig)
        running = await rig.submit()
        reader = watches.open(JobQuery(""), terminal_only=True)
        await rig.settle_down()
        assert {event.job_id for event in reader.events()} == set(ended)
        await finish_all(rig)
        assert [reader.states(job_id) for job_id in (*ended, *running)] == [[JobState.SUCCEEDED]] * 2


async def test_draining_closes_the_stream_with_a_position_to_go_on_from() -> None:
    async with watching() as (rig, watches):
        (job_id,) = await rig.submit(batch_id=BATCH)
        reader = watches.open(JobQuery("", batch_id=BATCH))
        await rig.settle_down()
        rig.hub.close("draining")
        assert reader.ended is not None
        await reader.ended
        assert reader.batches[-1].close == "draining"
        assert reader.batches[-1].position == rig.hub.position
        assert reader.states(job_id) == [JobState.RUNNING]


async def test_an_old_stream_is_asked_to_reconnect() -> None:
    async with watching(age_seconds_max=60.0) as (rig, watches):
        reader = watches.open(JobQuery(""), heartbeat_seconds=5.0)
        await rig.settle_down()
        for _ in range(13):
            await rig.clock.advance(5)
            rig.hub.pulse()
            await rig.settle_down()
        assert reader.ended is not None
        assert reader.ended.done()
        assert reader.batches[-1].close == "age"


async def test_no_more_streams_are_opened_than_allowed() -> None:
    async with watching(streams_max=2) as (rig, watches):
        for _ in range(2):
            watches.open(JobQuery(""))
        await rig.settle_down()
        with pytest.raises(Exhausted) as caught:
            await anext(watches.open(JobQuery(""), read=False).stream)
        assert caught.value.retry_after_seconds
        assert "2 watches" in caught.value.message


async def test_changes_while_a_long_snapshot_is_read_are_neither_lost_nor_doubled() -> None:
    async with watching(slots=2_000, buffer_events_max=10_000) as (rig, watches):
        ids = await rig.submit(1_200, batch_id=BATCH)
        reader = watches.open(JobQuery("", batch_id=BATCH), read=False)
        reader.batches.append(await anext(reader.stream))
        for seq in list(rig.engine.running)[:700]:
            rig.engine.succeed(seq)
        await rig.settle_down()
        late = await rig.submit(1, batch_id=BATCH)
        reader.ended = asyncio.ensure_future(reader.read())
        await rig.settle_down()
        await finish_all(rig)
        for job_id in (*ids, *late):
            told = reader.states(job_id)
            assert told.count(JobState.SUCCEEDED) == 1
            assert told[-1] == JobState.SUCCEEDED
