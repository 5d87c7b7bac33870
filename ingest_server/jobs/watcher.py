"""What one watcher has not read yet: events, bounded by number and bytes, and the newest progress of each job."""

from __future__ import annotations

import asyncio
from collections import deque

from ingest_server.domain.job import FIRST_TERMINAL_STATE


class WatchEvent:
    """One change of one job, as watchers see it. The two encodings belong to the wire layer: it serializes an event once for all
    its watchers. `seq` and `group` are for selecting; `revision` 0 marks progress."""

    __slots__ = (
        "attempt",
        "batch",
        "encoded_basic",
        "encoded_full",
        "failure",
        "group",
        "job_id",
        "output",
        "position",
        "progress",
        "revision",
        "seq",
        "snapshot",
        "state",
        "time_us",
    )

    def __init__(
        self,
        position: int,
        seq: int,
        job_id: bytes,
        group: int,
        batch: int,
        state: int,
        attempt: int,
        time_us: int,
        output: bytes = b"",
        failure: bytes = b"",
        progress: bytes = b"",
        *,
        revision: int = 0,
        snapshot: bool = False,
    ) -> None:
        self.position = position
        self.seq = seq
        self.job_id = job_id
        self.group = group
        self.batch = batch
        self.state = state
        self.attempt = attempt
        self.time_us = time_us
        self.output = output
        self.failure = failure
        self.progress = progress
        self.revision = revision
        self.snapshot = snapshot
        self.encoded_basic = b""
        self.encoded_full = b""


class Watcher:
    """A bounded buffer of events for one reader.

    Attributes:
        buffer: events not read yet, in order.
        progress: newest progress by job, not read yet.
        overflowed: the buffer was full and was emptied: the reader must look at the present state.
        start: position of the log after which events are gathered.
        closing: why the reader has to end; "" while it need not.
        beat_due: the reader was woken by its heartbeat time.
    """

    __slots__ = (
        "_bytes",
        "_bytes_max",
        "_events_max",
        "beat_due",
        "beat_ticket",
        "buffer",
        "closing",
        "overflowed",
        "progress",
        "start",
        "terminal_only",
        "wake",
    )

    def __init__(self, start: int, *, events_max: int, bytes_max: int, terminal_only: bool) -> None:
        self.buffer: deque[WatchEvent] = deque()
        self.progress: dict[int, WatchEvent] = {}
        self.overflowed = False
        self.start = start
        self.closing = ""
        self.terminal_only = terminal_only
        self.wake = asyncio.Event()
        self.beat_due = False
        self.beat_ticket = 0
        self._events_max = events_max
        self._bytes_max = bytes_max
        self._bytes = 0

    def offer(self, event: WatchEvent) -> None:
        """Take an event; on overflow drop all and say so. One event is always taken, whatever its size."""
        if self.overflowed:
            return
        self._bytes += len(event.output) + len(event.failure)
        if self.buffer and (len(self.buffer) >= self._events_max or self._bytes > self._bytes_max):
            self.buffer.clear()
            self._bytes = 0
            self.overflowed = True
        else:
            self.buffer.append(event)

    def take(self) -> list[WatchEvent]:
        """Take out everything that waits."""
        events = list(self.buffer)
        self.buffer.clear()
        self._bytes = 0
        if self.progress:
            ended = {event.seq for event in events if event.state >= FIRST_TERMINAL_STATE}
            events.extend(event for seq, event in self.progress.items() if seq not in ended)
            self.progress.clear()
        return events
