"""Watch jobs: the present state, then every change, in order and without a gap, also after a break.

    snapshot (or replay from a token) → live events → … overflow → snapshot of what changed → live events → … → end

A watcher begins to gather events *before* the snapshot is read, so nothing falls between; an event that the snapshot already
shows (its position is not above the row's revision) is skipped.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace

from ingest_server.domain.caller import Caller
from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import Code, Exhausted, IngestError, InvalidRequest, Reason
from ingest_server.domain.job import FIRST_TERMINAL_STATE, TERMINAL_STATES, JobState
from ingest_server.jobs.batch_names import BatchNames
from ingest_server.jobs.event_hub import EventHub
from ingest_server.jobs.selection import ResolvedSelection, Selection
from ingest_server.jobs.watcher import Watcher, WatchEvent
from ingest_server.store.interface import JobStore
from ingest_server.store.records import Detail, JobQuery, JobRow

EVENTS_PER_BATCH_MAX = 1_000
SNAPSHOT_PAGE_JOBS = 500
SNAPSHOT_PAGE_BYTES_MAX = 1 << 20
BUSY_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class WatchBatch:
    """What one message tells.

    Attributes:
        events: in order; empty in a heartbeat.
        position: everything up to it was told; 0 before the first change of all. None: the snapshot is not complete; who resumes
            here gets it anew.
        snapshot_done: the snapshot is complete with this batch.
        close: why the server ends the stream after this batch: "draining", "age" or "".
    """

    events: Sequence[WatchEvent]
    position: int | None
    snapshot_done: bool = False
    close: str = ""


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """Bounds of watching: streams open at once in the whole server, and the age at which one is asked to reconnect."""

    streams_max: int
    age_seconds_max: float


class WatchJobs:
    """The use case."""

    def __init__(self, store: JobStore, hub: EventHub, names: BatchNames, clock: Clock, limits: WatchLimits) -> None:
        self._store = store
        self._hub = hub
        self._names = names
        self._clock = clock
        self._limits = limits

    async def __call__(
        self,
        caller: Caller,
        selection: Selection,
        *,
        position: int | None,
        heartbeat_seconds: float,
        stop_when_done: bool,
        with_output: bool,
        terminal_only: bool,
    ) -> AsyncGenerator[WatchBatch, None]:
        """Tell of the selected jobs of the caller's tenant until the reader goes away, or an end named in `WatchBatch`.

        Args:
            caller: whose jobs.
            selection: which of them.
            position: continue after it; None: begin with a snapshot.
            heartbeat_seconds: longest silence.
            stop_when_done: end once every selected job has ended.
            with_output: events of SUCCEEDED carry the output.
            terminal_only: tell of nothing else than ends.

        Raises:
            NotFound: the batch or a job does not exist.
            InvalidRequest: RESUME_TOKEN_INVALID: the position was never reached.
            IngestError: RESUME_TOKEN_EXPIRED, with `oldest_position` in its metadata.
            Exhausted: too many streams.
        """
        if self._hub.watch_count() >= self._limits.streams_max:
            raise Exhausted(
                f"{self._limits.streams_max} watches are open, and more are not allowed; end some or come back",
                retry_after_seconds=BUSY_RETRY_SECONDS,
            )
        if position is not None:
            await self._check_position(position)
        resolved = await ResolvedSelection.resolve(
            self._store, self._hub, self._names, selection, caller.tenant, self._clock.now_us()
        )
        watcher = resolved.watch(terminal_only=terminal_only)
        stream = _Stream(self._store, self._hub, self._clock, resolved, watcher, with_output, self._limits.age_seconds_max)
        try:
            if position is not None:
                async for batch in stream.replay(position):
                    yield batch
            else:
                async for batch in stream.snapshot():
                    yield batch
            async for batch in stream.live(heartbeat_seconds, stop_when_done=stop_when_done):
                yield batch
        finally:
            resolved.unwatch(watcher)

    async def _check_position(self, position: int) -> None:
        oldest, newest = await self._store.span()
        if position > newest:
            raise InvalidRequest(
                f"the resume token stands for position {position}, and this server has only reached {newest}",
                reason=Reason.RESUME_TOKEN_INVALID,
            )
        if position < oldest:
            raise _expired(position, oldest)
        await self._hub.reach(position)


class _Stream:
    """One watch under way."""

    def __init__(
        self,
        store: JobStore,
        hub: EventHub,
        clock: Clock,
        resolved: ResolvedSelection,
        watcher: Watcher,
        with_output: bool,
        age_seconds_max: float,
    ) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self._resolved = resolved
        self._watcher = watcher
        self._detail = Detail.OUTPUT if with_output else Detail.BASIC
        self._ends_at = clock.monotonic() + age_seconds_max
        self._told = watcher.start
        self._shown: dict[bytes, int] = {}
        self._ends_told = 0

    # ---- what was before

    async def snapshot(self, since: int | None = None) -> AsyncGenerator[WatchBatch, None]:
        """Tell the present state of the jobs whose revision is above `since`; None: of all, at the beginning of the stream. The
        watcher has gathered since before."""
        begun_at = self._watcher.start if since is None else self._hub.position
        query = self._resolved.query
        if self._watcher.terminal_only:
            query = replace(query, states=frozenset(TERMINAL_STATES))
        from_seq, shown = 0, self._shown
        while True:
            page = await self._store.jobs(
                query,
                limit=SNAPSHOT_PAGE_JOBS,
                from_seq=from_seq,
                detail=self._detail,
                bytes_max=SNAPSHOT_PAGE_BYTES_MAX,
                now_us=self._clock.now_us(),
            )
            # What an earlier snapshot of this stream has shown is not shown twice.
            fresh = [row for row in page.rows if row.revision > max(since or 0, shown.get(row.job_id, 0))]
            events = [self._of_row(row) for row in fresh if self._wants(row.state)]
            self._resolved.remember_batches(page.rows)
            shown.update((row.job_id, row.revision) for row in page.rows if row.revision > begun_at)
            if not page.next_seq:
                break
            if events:
                yield WatchBatch(events, since)
            from_seq = page.next_seq
        self._told = begun_at
        yield WatchBatch(events, begun_at, snapshot_done=since is None)

    async def replay(self, position: int) -> AsyncGenerator[WatchBatch, None]:
        """Tell what the log has between a token and the moment the watcher began to gather."""
        end = self._watcher.start
        self._told = position
        while self._told < end:
            events = await self._store.events_after(self._told, EVENTS_PER_BATCH_MAX)
            if events and events[0][0] != self._told + 1:
                raise _expired(self._told, events[0][0] - 1)
            fresh = [event for event in events if event[0] <= end]
            selected = [WatchEvent(*event, revision=event[0]) for event in fresh if self._resolved.may_match(event)]
            if self._watcher.terminal_only:
                selected = [event for event in selected if event.state >= FIRST_TERMINAL_STATE]
            await self._add_details(selected)
            told = await self._resolved.keep_matching(selected, self._clock.now_us())
            self._told = fresh[-1][0] if fresh else end
            yield self._batch(told)

    # ---- what happens now

    async def live(self, heartbeat_seconds: float, *, stop_when_done: bool) -> AsyncGenerator[WatchBatch, None]:
        """Tell what the watcher gathers."""
        watcher = self._watcher
        silent_since = self._clock.monotonic()
        self._hub.set_beat(watcher, heartbeat_seconds)
        check_at = 0 if stop_when_done else None
        while True:
            if watcher.overflowed:
                watcher.overflowed = False
                async for batch in self.snapshot(self._told):
                    yield batch
            if watcher.buffer or watcher.progress:
                position = self._hub.position
                events = await self._fresh(watcher.take())
                self._told = max(self._told, position)
                for start in range(0, len(events), EVENTS_PER_BATCH_MAX):
                    part = events[start : start + EVENTS_PER_BATCH_MAX]
                    last = start + EVENTS_PER_BATCH_MAX >= len(events)
                    yield self._batch(part, position=self._told if last else part[-1].position)
                    silent_since = self._clock.monotonic()
            if watcher.closing or self._clock.monotonic() >= self._ends_at:
                yield WatchBatch((), self._told, close=watcher.closing or "age")
                return
            if check_at is not None and self._ends_told >= check_at and not watcher.buffer:
                self._ends_told = 0
                check_at = await self._live_count()
                if not check_at and not watcher.buffer and not watcher.overflowed:
                    return
                continue
            if watcher.beat_due:
                silent_seconds = self._clock.monotonic() - silent_since
                if silent_seconds >= heartbeat_seconds:
                    self._told = max(self._told, self._hub.position)
                    yield WatchBatch((), self._told)
                    silent_since, silent_seconds = self._clock.monotonic(), 0.0
                self._hub.set_beat(watcher, heartbeat_seconds - silent_seconds)
            if not watcher.buffer and not watcher.overflowed and not watcher.closing:
                await watcher.wake.wait()
            watcher.wake.clear()

    async def _live_count(self) -> int:
        """Selected jobs that have not ended. When there are none, all their ends have reached the watcher: the hub has caught
        up with the read. So many ends have to be told before it is worth to ask again."""
        counts = await self._store.count(self._resolved.query, by_state=True, now_us=self._clock.now_us())
        live = sum(count for (state, _, _), count in counts.items() if state is not None and not state.terminal)
        if not live:
            await self._hub.reach((await self._store.span())[1])
        return live

    async def _fresh(self, events: Sequence[WatchEvent]) -> Sequence[WatchEvent]:
        """Without those that a snapshot has shown already, and those that are not of the selection."""
        if self._shown:
            shown = self._shown
            events = [event for event in events if not event.revision or event.revision > shown.get(event.job_id, 0)]
            if self._hub.position >= max(shown.values()):
                shown.clear()
        return await self._resolved.keep_matching(events, self._clock.now_us())

    def _batch(self, events: Sequence[WatchEvent], *, position: int | None = None) -> WatchBatch:
        self._ends_told += sum(event.state >= FIRST_TERMINAL_STATE for event in events)
        return WatchBatch(events, self._told if position is None else position)

    async def _add_details(self, events: Sequence[WatchEvent]) -> None:
        """Give replayed events what the log does not hold: output and failure, from the rows that still stand where the event
        left them."""
        wanted = {
            event.job_id: event for event in events if event.state >= FIRST_TERMINAL_STATE or event.state == JobState.SCHEDULED
        }
        if not wanted:
            return
        query = JobQuery(self._resolved.query.tenant, job_ids=tuple(wanted))
        page = await self._store.jobs(query, limit=len(wanted), detail=self._detail, now_us=self._clock.now_us())
        for row in page.rows:
            event = wanted[row.job_id]
            if row.revision == event.revision:
                event.failure, event.progress, event.output = row.failure, row.progress, row.output

    def _wants(self, state: JobState) -> bool:
        return state.terminal or not self._watcher.terminal_only

    def _of_row(self, row: JobRow) -> WatchEvent:
        progress = self._hub.progress_of(row.seq) or row.progress
        time_us = row.end_us or row.start_us or row.create_us
        return WatchEvent(
            row.revision,
            row.seq,
            row.job_id,
            row.group,
            row.batch,
            row.state,
            row.attempt,
            time_us,
            row.output,
            row.failure,
            progress,
            revision=row.revision,
            snapshot=True,
        )


def _expired(position: int, oldest: int) -> IngestError:
    return IngestError(
        f"the resume token stands for position {position}; events are kept only after {oldest}. Watch anew without a token",
        reason=Reason.RESUME_TOKEN_EXPIRED,
        code=Code.OUT_OF_RANGE,
        metadata={"oldest_position": str(oldest)},
    )
