"""Spreads the store's changes to those who wait for them: watchers with a bounded buffer each, looked up by what they select.

A change costs a look-up per index, not per watcher, so a thousand idle watchers cost nothing. An event that nobody selected is
never made into an object; one that many selected is made once.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import TypeVar

from ingest_server.domain.clock import Clock
from ingest_server.domain.job import FIRST_TERMINAL_STATE, JobState
from ingest_server.jobs.watcher import Watcher, WatchEvent
from ingest_server.store.records import Changes, Event, GroupKey

PULSE_SECONDS = 0.1
"""Grain of heartbeats and of progress: one timer for all watchers."""

_Key = TypeVar("_Key")
_NO_DETAIL = (b"", b"")
_NOBODY: Sequence[Watcher] = ()
_RUNNING, _CANCELLING = int(JobState.RUNNING), int(JobState.CANCELLING)


class EventHub:
    """All watchers, by batch, by job and by tenant.

    Args:
        clock: for the pulse.
        buffer_events_max: events one watcher may leave unread before it gets the present state instead.
        buffer_bytes_max: the same by their outputs and failures.
    """

    def __init__(self, clock: Clock, *, buffer_events_max: int, buffer_bytes_max: int = 32 << 20) -> None:
        self._clock = clock
        self._buffer_events_max = buffer_events_max
        self._buffer_bytes_max = buffer_bytes_max
        self._by_batch: dict[int, list[Watcher]] = {}
        self._by_job: dict[bytes, list[Watcher]] = {}
        self._by_tenant: dict[str, list[Watcher]] = {}
        self._groups: dict[int, GroupKey] = {}
        self._running: dict[int, Event] = {}
        self._progress: dict[int, bytes] = {}
        self._beats: list[tuple[float, int, Watcher]] = []
        self._tickets = count(1)
        self._watchers: set[Watcher] = set()
        self._reached: list[tuple[int, int, asyncio.Future[None]]] = []
        self.position = 0
        self.closing = ""

    # ---- watching

    def watch(
        self,
        *,
        batches: Iterable[int] = (),
        job_ids: Iterable[bytes] = (),
        tenants: Iterable[str] = (),
        terminal_only: bool,
    ) -> Watcher:
        """Begin to gather events of what is named. End it with `unwatch`, with the same selection."""
        watcher = Watcher(
            self.position,
            events_max=self._buffer_events_max,
            bytes_max=self._buffer_bytes_max,
            terminal_only=terminal_only,
        )
        for batch in batches:
            self._by_batch.setdefault(batch, []).append(watcher)
        for job_id in job_ids:
            self._by_job.setdefault(job_id, []).append(watcher)
        for tenant in tenants:
            self._by_tenant.setdefault(tenant, []).append(watcher)
        self._watchers.add(watcher)
        if self.closing:
            watcher.closing = self.closing
            watcher.wake.set()
        return watcher

    def unwatch(
        self,
        watcher: Watcher,
        *,
        batches: Iterable[int] = (),
        job_ids: Iterable[bytes] = (),
        tenants: Iterable[str] = (),
    ) -> None:
        """Forget a watcher."""
        for batch in batches:
            _remove(self._by_batch, batch, watcher)
        for job_id in job_ids:
            _remove(self._by_job, job_id, watcher)
        for tenant in tenants:
            _remove(self._by_tenant, tenant, watcher)
        self._watchers.discard(watcher)
        watcher.beat_ticket = 0

    def watch_count(self) -> int:
        """Open watchers."""
        return len(self._watchers)

    def group_key(self, group: int) -> GroupKey:
        """Tenant, queue and fairness key of a group that an event named."""
        return self._groups[group]

    def learn_groups(self, groups: dict[int, GroupKey]) -> None:
        """Take over the groups that were there before the hub."""
        self._groups.update(groups)

    def set_beat(self, watcher: Watcher, seconds: float) -> None:
        """Wake a watcher once after so long, rounded up to the next pulse. Replaces the beat set before. One that is set with
        every message would fill the heap: set it again only when it was due."""
        watcher.beat_due = False
        watcher.beat_ticket = next(self._tickets)
        heapq.heappush(self._beats, (self._clock.monotonic() + seconds, watcher.beat_ticket, watcher))

    def close(self, reason: str) -> None:
        """Ask all watchers, and those to come, to end."""
        self.closing = reason
        for watcher in self._watchers:
            watcher.closing = reason
            watcher.wake.set()
        for _, _, future in self._reached:
            if not future.done():
                future.set_result(None)
        self._reached.clear()

    # ---- what happens

    def on_changes(self, changes: Changes) -> None:
        """Listener of the store."""
        if changes.groups:
            self._groups.update(changes.groups)
        events = changes.events
        if not events:
            return
        touched: set[Watcher] = set()
        by_batch, by_job, by_tenant = self._by_batch, self._by_job, self._by_tenant
        running, forget_running, details = self._running, self._running.pop, changes.details
        last_batch, of_batch, only_ends = -1, _NOBODY, True
        for event in events:
            position, seq, job_id, group, batch, state, _, _ = event
            if state == _RUNNING:
                running[seq] = event
            elif state != _CANCELLING:
                forget_running(seq, None)
            if batch != last_batch:  # the jobs of a commit come batch by batch
                last_batch, of_batch = batch, by_batch.get(batch, _NOBODY)
                only_ends = all(watcher.terminal_only for watcher in of_batch)
            watchers = of_batch
            if by_job and (more := by_job.get(job_id)):
                watchers = [*watchers, *more]
            if by_tenant and (more := by_tenant.get(self._groups[group][0])):
                watchers = [*watchers, *more]
            if watchers and (state >= FIRST_TERMINAL_STATE or not only_ends or watchers is not of_batch):
                output, failure = details.get(position, _NO_DETAIL)
                self._offer(WatchEvent(*event, output, failure, revision=position), watchers, touched)
        if self._progress:
            for event in events:
                if event[5] != _RUNNING and event[5] != _CANCELLING:
                    self._progress.pop(event[1], None)
        self.position = events[-1][0]
        for watcher in touched:
            watcher.wake.set()
        while self._reached and self._reached[0][0] <= self.position:
            future = heapq.heappop(self._reached)[2]
            if not future.done():
                future.set_result(None)

    @staticmethod
    def _offer(event: WatchEvent, watchers: Sequence[Watcher], touched: set[Watcher]) -> None:
        ended = event.state >= FIRST_TERMINAL_STATE
        for watcher in watchers:
            if ended or not watcher.terminal_only:
                watcher.offer(event)
                touched.add(watcher)

    async def reach(self, position: int) -> None:
        """Return when the hub has heard of everything up to a position of the log: a read may run ahead of it."""
        if self.position < position and not self.closing:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._reached, (position, next(self._tickets), future))
            await future

    def on_progress(self, rows: Sequence[tuple[int, int, bytes]]) -> None:
        """Newest progress of running attempts: (seq, lease, serialized progress)."""
        for seq, _, progress in rows:
            event = self._running.get(seq)
            if event is None:
                continue
            self._progress[seq] = progress
            _, _, job_id, group, batch, state, attempt, _ = event
            watchers = [*self._by_batch.get(batch, ()), *self._by_job.get(job_id, ())]
            watchers += self._by_tenant.get(self._groups[group][0], ())
            made: WatchEvent | None = None
            for watcher in watchers:
                if watcher.terminal_only or (seq not in watcher.progress and len(watcher.progress) >= self._buffer_events_max):
                    continue
                if made is None:
                    now_us = self._clock.now_us()
                    made = WatchEvent(self.position, seq, job_id, group, batch, state, attempt, now_us, progress=progress)
                watcher.progress[seq] = made

    def progress_of(self, seq: int) -> bytes:
        """Newest progress of a running job; b"" if it has told none."""
        return self._progress.get(seq, b"")

    async def run(self) -> None:
        """The pulse: wakes watchers whose heartbeat is due or that have progress to tell. Runs until cancelled."""
        while True:
            await self._clock.sleep(PULSE_SECONDS)
            self.pulse()

    def pulse(self) -> None:
        """One beat of it."""
        now = self._clock.monotonic()
        while self._beats and self._beats[0][0] <= now:
            _, ticket, watcher = heapq.heappop(self._beats)
            if ticket == watcher.beat_ticket:
                watcher.beat_due = True
                watcher.wake.set()
        if self._progress:
            for watcher in self._watchers:
                if watcher.progress:
                    watcher.wake.set()


def _remove(index: dict[_Key, list[Watcher]], key: _Key, watcher: Watcher) -> None:
    watchers = index.get(key)
    if watchers is None:
        return
    if len(watchers) == 1:
        del index[key]
    else:
        index[key] = [other for other in watchers if other is not watcher]


class TerminalWait:
    """Waits until jobs have ended. Make it before looking at the jobs, so that no end is missed.

    Args:
        hub: where ends are heard of.
        job_ids: the jobs.
    """

    def __init__(self, hub: EventHub, job_ids: Sequence[bytes]) -> None:
        self._hub = hub
        self._job_ids = tuple(dict.fromkeys(job_ids))
        self._open = set(self._job_ids)
        self._watcher = hub.watch(job_ids=self._job_ids, terminal_only=True)

    def close(self) -> None:
        """Stop waiting. Always call it."""
        self._hub.unwatch(self._watcher, job_ids=self._job_ids)

    def mark_ended(self, job_ids: Iterable[bytes]) -> None:
        """These are known to have ended, or not to exist."""
        self._open.difference_update(job_ids)

    async def ended(self, enough: Callable[[int], bool]) -> None:
        """Return when `enough(number of jobs still open)`, or when the server drains."""
        watcher = self._watcher
        while not enough(len(self._open)) and not watcher.closing and not watcher.overflowed:
            await watcher.wake.wait()
            watcher.wake.clear()
            self.mark_ended(event.job_id for event in watcher.take())
