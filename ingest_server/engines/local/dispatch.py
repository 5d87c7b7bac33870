"""Who gets which attempts, and how many at a time.

Attempts wait here in two lines, those of sync and those of async handlers, each first come, first served. A worker has one place
for a frame of sync attempts (two, if they are so short that it would otherwise wait for the server), and `async_concurrency`
places for async ones; these go only to workers without sync ones, so that none waits in a socket while another worker is free.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from ingest_server.engines.interface import AttemptRow
from ingest_server.engines.local.estimator import Estimator, JobKind
from ingest_server.engines.local.frames import Key
from ingest_server.engines.local.limits import LocalEngineLimits
from ingest_server.engines.local.worker_link import WorkerLink

NOTHING_KNOWN = 0.0
ROW_BYTES = 64
"""About what a row takes in a frame besides its spec and payload."""


class Dispatcher:
    """See the module.

    Args:
        limits: sizes of frames.
        estimator: knows how long jobs run.
        workers: answers the workers there are.
        on_sent: told of every frame, after it was sent.
    """

    def __init__(
        self,
        limits: LocalEngineLimits,
        estimator: Estimator,
        workers: Callable[[], Iterable[WorkerLink]],
        on_sent: Callable[[WorkerLink, list[AttemptRow]], None],
    ) -> None:
        self._limits = limits
        self._estimator = estimator
        self._workers = workers
        self._on_sent = on_sent
        self._sync: OrderedDict[Key, AttemptRow] = OrderedDict()
        self._async: OrderedDict[Key, AttemptRow] = OrderedDict()
        self._present: JobKind | None = None

    def holds(self, key: Key) -> bool:
        """Whether an attempt waits here."""
        return key in self._sync or key in self._async

    def add(self, rows: Sequence[AttemptRow], *, in_front: bool = False) -> None:
        """Put attempts at the end of their line; `in_front` puts those given back by a worker to where they were."""
        kind_of = self._estimator.kind
        spec: bytes = b""
        line = self._sync
        kind: JobKind | None = None
        for row in rows:
            if kind is None or row[4] != spec:
                spec = row[4]
                kind = kind_of(spec)
                line = self._async if kind.is_async else self._sync
            line[(row[0], row[1])] = row
        if kind is not None:
            self._present = kind
        if in_front:
            for row in reversed(rows):
                key = (row[0], row[1])
                (self._sync if key in self._sync else self._async).move_to_end(key, last=False)

    def withdraw(self, key: Key) -> AttemptRow | None:
        """Take an attempt out of its line; None if it does not wait here."""
        return self._sync.pop(key, None) or self._async.pop(key, None)

    def withdraw_all(self) -> list[AttemptRow]:
        """Take all attempts out."""
        rows = [*self._sync.values(), *self._async.values()]
        self._sync.clear()
        self._async.clear()
        return rows

    def waiting(self) -> int:
        """How many attempts wait."""
        return len(self._sync) + len(self._async)

    def capacity(self) -> int:
        """See `Engine.capacity`."""
        kind = self._present
        estimate_us = kind.estimate_us() if kind is not None else NOTHING_KNOWN
        per_frame = self._estimator.frame_jobs(estimate_us)
        places = workers = 0
        for worker in self._workers():
            if not worker.ready or worker.retiring:
                continue
            workers += 1
            if kind is not None and kind.is_async:
                if not worker.sync_count:
                    places += self._limits.async_concurrency - len(worker.async_keys)
            elif self._has_place(worker, estimate_us, per_frame):
                places += self._room(worker, per_frame)
        waiting = self.waiting()
        ahead = workers * self._ahead(estimate_us, per_frame) if kind is not None and not kind.is_async else 0
        if waiting >= places and waiting > places + ahead // 2:
            return 0  # enough is at hand: many jobs of one lease cost less than a few of many
        return max(places + ahead - waiting, 0)

    def _ahead(self, estimate_us: float, per_frame: int) -> int:
        """How many attempts wait here for each worker, so that it need not wait for the next lease."""
        if not 0 < estimate_us <= self._limits.prefetch_run_us_max:
            return 0
        return min(int(self._limits.ahead_run_us / estimate_us), self._limits.ahead_frames_max * per_frame)

    def send(self) -> None:
        """Send what can be sent now."""
        if self._async:
            self._send_async()
        if self._sync:
            self._send_sync()

    def _send_async(self) -> None:
        open_workers = [worker for worker in self._workers() if worker.ready and not worker.retiring and not worker.sync_count]
        batches: dict[int, list[AttemptRow]] = {}
        while self._async and open_workers:
            worker = min(open_workers, key=lambda candidate: len(candidate.async_keys))
            if not self._room(worker, self._limits.async_concurrency - len(worker.async_keys)):
                open_workers.remove(worker)
                continue
            key, row = self._async.popitem(last=False)
            worker.inflight[key] = row
            worker.async_keys.add(key)
            batches.setdefault(worker.serial, []).append(row)
        for worker in [worker for worker in self._workers() if worker.serial in batches]:
            rows = batches[worker.serial]
            worker.send_jobs(rows)
            self._on_sent(worker, rows)

    def _send_sync(self) -> None:
        # The idle first, then those that may take a frame ahead: while async attempts wait nothing is sent ahead, so that
        # workers become free for them.
        ready = [worker for worker in self._workers() if worker.ready and not worker.retiring]
        idle = [worker for worker in ready if not worker.sync_count]
        idle.sort(key=lambda worker: len(worker.async_keys))
        for position, worker in enumerate(idle):
            if not self._sync:
                return
            self._send_frame(worker, share=-(-len(self._sync) // (len(idle) - position)))
        if self._async:
            return
        for worker in ready:
            if not self._sync:
                return
            estimate_us = self._estimator.kind(next(iter(self._sync.values()))[4]).estimate_us()
            if worker.sync_count and self._has_place(worker, estimate_us, self._estimator.frame_jobs(estimate_us)):
                self._send_frame(worker, share=len(self._sync))

    def _has_place(self, worker: WorkerLink, estimate_us: float, per_frame: int) -> bool:
        """Whether a worker has room for a frame of such jobs."""
        if not worker.sync_count:
            return True
        return 0 < estimate_us <= self._limits.prefetch_run_us_max and worker.sync_count <= per_frame

    def _room(self, worker: WorkerLink, wanted: int) -> int:
        """How many of so many attempts a worker may still be given before it is replaced."""
        most = self._limits.max_jobs_per_worker
        return min(wanted, max(most - worker.ended_count - len(worker.inflight), 0)) if most else wanted

    def _send_frame(self, worker: WorkerLink, share: int) -> None:
        """Send the first of the line, up to `share`: as many as fill a frame by count, run time and bytes."""
        jobs_max = min(share, self._room(worker, self._limits.frame_jobs_max))
        bytes_max, run_us_max = self._limits.frame_bytes, float(self._limits.frame_run_us)
        line, inflight, kind_of = self._sync, worker.inflight, self._estimator.kind
        rows: list[AttemptRow] = []
        size_bytes = row_size_bytes = 0
        run_us, estimate_us = 0.0, NOTHING_KNOWN
        spec: bytes | None = None
        while line and len(rows) < jobs_max:
            key, row = line.popitem(last=False)
            if row[4] != spec:
                spec = row[4]
                estimate_us = kind_of(spec).estimate_us()
                row_size_bytes = ROW_BYTES + len(spec)
            size_bytes += row_size_bytes + len(row[5])
            run_us += estimate_us
            # An attempt nothing is known of travels alone: it might run for an hour.
            alone = not estimate_us or run_us > run_us_max or size_bytes > bytes_max
            if rows and alone:
                line[key] = row
                line.move_to_end(key, last=False)
                break
            inflight[key] = row
            rows.append(row)
            if alone:
                break
        if rows:
            worker.send_jobs(rows)
            self._on_sent(worker, rows)
