"""The local engine: puts its parts together and says what comes of the attempts.

    Dispatcher   who gets which attempts          Ladder    ends attempts that must end
    Crew         the workers and their zygote     Sampler   watches memory and processor time
    Estimator    how long jobs run

Real processes live in real time, so waits are timers of the event loop; the clock gives the times that are compared and reported.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ingest_server.domain.clock import Clock, SystemClock
from ingest_server.domain.errors import FieldViolation, InvalidRequest, Unsupported
from ingest_server.engines.interface import (
    AttemptRow,
    Engine,
    EngineListener,
    HandlerDescription,
    Outcome,
    OutcomeCode,
    WorkerDescription,
)
from ingest_server.engines.local import failures, orders
from ingest_server.engines.local.crew import Crew
from ingest_server.engines.local.dispatch import Dispatcher
from ingest_server.engines.local.estimator import Estimator, JobKind
from ingest_server.engines.local.frames import FrameError, Key, Kind
from ingest_server.engines.local.gone import outcomes_of_gone
from ingest_server.engines.local.ladder import Ladder, conclude
from ingest_server.engines.local.limits import LocalEngineLimits
from ingest_server.engines.local.sampling import Sampler
from ingest_server.engines.local.worker_link import WorkerLink
from ingest_server.handlers.operator import OperatorSettings
from ingest_server.handlers.registry import BUILTIN_MODULES
from ingest_server.handlers.sources.limits import SourceLimits

log = logging.getLogger(__name__)

REQUEST_BYTES_SPARE = 16 * 1_024 * 1_024
"""A frame to a worker is closed at `frame_bytes`, by a row that may hold a spec and an inline input as large as a message."""


class LocalEngine(Engine):
    """Runs attempts in worker processes of this machine.

    Args:
        workers: number of worker processes.
        blob_directory: where blobs lie; see `blob_access`.
        handler_modules: dotted names, or paths of .py files, loaded after the built-in ones.
        limits: every bound and time.
        sources: which inputs by reference are fetched, and their bounds; None: none are.
        clock: for the times reported.
        builtin_modules: handler modules of the server itself.
        preload_modules: imported before the handlers, so that all workers share them; they need have no handlers.
        use_entry_points: load the entry points "ingest.handlers" of installed packages too.
        scratch_directory: for temporary files of the workers; None: a fresh one where temporary files go.
        log_level: of the workers' log.
        operator: what the operator has decided for the built-in handlers.
        name: first part of the workers' names.

    Raises:
        InvalidRequest: `workers` is out of range.
    """

    def __init__(
        self,
        workers: int,
        blob_directory: Path,
        *,
        handler_modules: Sequence[str] = (),
        limits: LocalEngineLimits | None = None,
        sources: SourceLimits | None = None,
        clock: Clock | None = None,
        builtin_modules: Sequence[str] = BUILTIN_MODULES,
        preload_modules: Sequence[str] = (),
        use_entry_points: bool = True,
        scratch_directory: Path | None = None,
        log_level: str = "INFO",
        operator: OperatorSettings | None = None,
        name: str = "local",
    ) -> None:
        self.name = name
        self._limits = limits or LocalEngineLimits()
        self._clock = clock or SystemClock()
        self._check_workers(workers)
        self._worker_count = workers
        self._scratch_directory = scratch_directory
        self._configuration = orders.Configure(
            server_pid=os.getpid(),
            python_path=os.environ.get("PYTHONPATH"),
            modules=tuple(handler_modules),
            builtin_modules=tuple(builtin_modules),
            preload_modules=tuple(preload_modules),
            use_entry_points=use_entry_points,
            blob_directory=str(blob_directory.absolute()),
            inline_bytes_max=self._limits.inline_bytes_max,
            result_bytes_max=self._limits.result_bytes_max,
            failure_bytes_max=self._limits.failure_bytes_max,
            request_bytes_max=self._limits.frame_bytes + self._limits.inline_bytes_max + REQUEST_BYTES_SPARE,
            reply_bytes=self._limits.frame_bytes,
            async_concurrency=self._limits.async_concurrency,
            attempt_memory_bytes_max=self._limits.attempt_memory_bytes_max,
            attempt_cpu_seconds_max=self._limits.attempt_cpu_seconds_max,
            progress_interval_seconds=self._limits.progress_interval_seconds,
            sources=sources or SourceLimits(),
            log_level=log_level,
            operator=operator or OperatorSettings(),
        )
        self._estimator = Estimator(self._limits.frame_run_us, self._limits.frame_jobs_max)
        self._dispatcher = Dispatcher(self._limits, self._estimator, lambda: self._workers.values(), self._on_sent)
        self._workers: dict[int, WorkerLink] = {}
        self._handlers: tuple[HandlerDescription, ...] = ()
        self._soon: list[Outcome] = []
        self._opened = False
        self._closing = False
        self._close_at = 0.0
        self._stirred = asyncio.Event()
        self._closed = asyncio.Event()

    async def open(self, listener: EngineListener) -> None:
        """See `Engine.open`. Raises Unsupported on anything but Linux."""
        if sys.platform != "linux":
            raise Unsupported(f"the local engine runs on Linux only, not on {sys.platform}: run the server in a container")
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        scratch = Path(tempfile.mkdtemp(prefix="ingest-engine-", dir=self._scratch_directory))
        self._scratch = scratch
        self._crew = Crew(
            self.name,
            self._configuration,
            scratch,
            self._limits,
            self._clock,
            on_frame=self._on_frame,
            on_change=self._on_worker_ready,
            on_gone=self._on_gone,
        )
        self._workers = self._crew.workers
        self._ladder = Ladder(self._clock, self._limits.cancel_grace_seconds, self._crew.kill)
        self._sampler = Sampler(self._limits, self._workers.values, self._crew.kill)
        try:
            loaded = await self._crew.open()
            self._handlers = tuple(
                HandlerDescription(each.name, each.description, each.options_schema, each.media_types)
                for each in loaded
                if not each.internal
            )
            self._estimator.use_handlers(frozenset(each.name for each in loaded if each.is_async))
            await self._crew.resize(self._worker_count)
        except BaseException:
            self._closing = True
            await self._crew.close()
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        self._sampler.start()
        self._opened = True

    async def close(self, *, grace_seconds: float) -> None:
        """See `Engine.close`. Of an engine that is not open: no effect."""
        if not self._opened:
            return
        close_at = self._loop.time() + grace_seconds
        if self._closing:
            self._close_at = min(self._close_at, close_at)
            self._stirred.set()
            await self._closed.wait()
            return
        self._closing, self._close_at = True, close_at
        self._crew.stop_replacing()
        self._report_soon([self._lost(row) for row in self._dispatcher.withdraw_all()])
        for worker in self._workers.values():
            if worker.inflight:
                worker.order(Kind.NUDGE, 0)
        while any(worker.inflight for worker in self._workers.values()):
            rest_seconds = self._close_at - self._loop.time()
            if rest_seconds <= 0:
                break
            self._stirred.clear()
            try:
                await asyncio.wait_for(self._stirred.wait(), rest_seconds)
            except TimeoutError:
                break
        self._sampler.stop()
        await self._crew.close()
        self._report_now()
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._closed.set()

    def handlers(self) -> Sequence[HandlerDescription]:
        """See `Engine.handlers`."""
        return self._handlers

    def workers(self) -> Sequence[WorkerDescription]:
        """See `Engine.workers`."""
        workers = sorted((worker for worker in self._workers.values() if worker.ready), key=lambda worker: worker.slot)
        return [
            WorkerDescription(worker.name, worker.pid, worker.ended_count, len(worker.inflight), worker.start_us)
            for worker in workers
        ]

    def crash_count(self) -> int:
        """See `Engine.crash_count`."""
        return self._crew.crash_count

    def capacity(self) -> int:
        """See `Engine.capacity`."""
        return 0 if self._closing else self._dispatcher.capacity()

    def start(self, attempts: Sequence[AttemptRow]) -> None:
        """See `Engine.start`. Attempts whose job's deadline is past are EXPIRED at once; after `close` all are LOST."""
        if self._closing:
            self._report_soon([self._lost(row) for row in attempts])
            return
        now_us = self._clock.now_us()
        overdue = [row for row in attempts if row[7] and row[7] <= now_us]
        if overdue:
            attempts = [row for row in attempts if not row[7] or row[7] > now_us]
            failure = failures.expired()
            self._report_soon([(row[0], row[1], OutcomeCode.EXPIRED, b"", failure, b"", b"", "", 0, now_us) for row in overdue])
        self._dispatcher.add(attempts)
        self._dispatcher.send()

    def holds(self, seq: int, lease: int) -> bool:
        """See `Engine.holds`."""
        key = (seq, lease)
        waits = self._dispatcher.holds(key) or any(key == outcome[:2] for outcome in self._soon)
        return waits or any(key in worker.inflight for worker in self._workers.values())

    def cancel(self, seq: int, lease: int) -> None:
        """See `Engine.cancel`."""
        key = (seq, lease)
        row = self._dispatcher.withdraw(key)
        if row is not None:
            self._report_soon([self._unbegun(row, OutcomeCode.CANCELLED)])
            return
        for worker in self._workers.values():
            if key in worker.inflight:
                self._ladder.cancel(worker, key)
                return

    async def resize(self, workers: int) -> None:
        """See `Engine.resize`. Returns when added workers are ready. Raises InvalidRequest if the number is out of range."""
        self._check_workers(workers)
        if not self._closing:
            self._worker_count = workers
            await self._crew.resize(workers)

    def _check_workers(self, workers: int) -> None:
        if not 1 <= workers <= self._limits.workers_max:
            text = f"is {workers}, must be 1 … {self._limits.workers_max}"
            raise InvalidRequest(f"number of workers {text}", violations=[FieldViolation("workers", text)])

    def _on_sent(self, worker: WorkerLink, rows: list[AttemptRow]) -> None:
        self._ladder.watch(worker, rows)
        if worker.stall_timer is None and worker.sync_count > 1:
            worker.stall_timer = self._loop.call_later(self._limits.stall_us / 1e6, self._on_stall, worker)

    def _on_stall(self, worker: WorkerLink) -> None:
        """Some time has gone since several attempts were sent. Those that wait behind one that runs long come back."""
        worker.stall_timer = None
        if worker.sync_count > 1 and not worker.gone:
            worker.order(Kind.NUDGE, self._limits.stall_us // 2)
            worker.stall_timer = self._loop.call_later(self._limits.stall_us / 1e6, self._on_stall, worker)

    def _on_frame(self, worker: WorkerLink, kind: int, body: Any) -> None:
        if kind == Kind.OUTCOMES:
            self._on_outcomes(worker, body)
        elif kind == Kind.PROGRESS:
            rows = [row for row in body if (row[0], row[1]) in worker.inflight]
            if rows:
                self._listener.on_progress(rows)
        elif kind == Kind.RETURNED:
            self._on_returned(worker, body)
        elif kind == Kind.READY:
            self._crew.on_ready(worker, body)
        else:
            raise FrameError(f"a frame of kind {kind}, which is not for a worker to send")

    def _on_outcomes(self, worker: WorkerLink, outcomes: list[Outcome]) -> None:
        """Attempts have ended. The worker gets its next frame before anybody is told, so that it need not wait."""
        inflight, name, failed, divided = worker.inflight, worker.name, int(OutcomeCode.FAILED), int(OutcomeCode.DIVIDED)
        special = bool(worker.endings)
        spec: bytes | None = None
        kind: JobKind | None = None
        run_us = count = 0
        for index, outcome in enumerate(outcomes):
            key: Key = (outcome[0], outcome[1])
            row = inflight.pop(key, None)
            if row is None or outcome[7] != name or special or outcome[2] > failed:
                try:
                    outcomes[index] = _checked(worker, row, outcome)
                except FrameError:
                    if row is not None:
                        inflight[key] = row  # its end is told with the worker's
                    self._settle(worker, outcomes[:index])
                    raise
            assert row is not None
            if row[4] != spec:
                if count and kind is not None:
                    kind.learn(run_us / count)
                spec, run_us, count = row[4], 0, 0
                kind = self._estimator.kind(spec)
            if outcome[8] and outcome[2] != divided:  # what it takes to divide a job tells nothing of the next
                run_us += max(outcome[9] - outcome[8], 0)
                count += 1
        if count and kind is not None:
            kind.learn(run_us / count)
        self._settle(worker, outcomes)

    def _settle(self, worker: WorkerLink, outcomes: list[Outcome]) -> None:
        if worker.async_keys:
            worker.async_keys.intersection_update(worker.inflight)
        worker.ended_count += len(outcomes)
        if not self._closing:
            self._dispatcher.send()
            if worker.retiring:
                self._crew.retire(worker)
            elif self._limits.max_jobs_per_worker and worker.ended_count >= self._limits.max_jobs_per_worker:
                self._crew.replace(worker)
        if outcomes:
            self._listener.on_outcomes(outcomes)
        self._tell_capacity()

    def _on_returned(self, worker: WorkerLink, keys: list[Key]) -> None:
        """Attempts were not begun and go to others; those asked to stop meanwhile have stopped."""
        rows: list[AttemptRow] = []
        ended: list[Outcome] = []
        for key in keys:
            row = worker.inflight.pop(key, None)
            if row is None:
                raise FrameError(f"it returns attempt {key}, which it does not have")
            worker.async_keys.discard(key)
            ending = worker.endings.pop(key, None)
            if ending is not None:
                if ending.timer is not None:
                    ending.timer.cancel()
                ended.append(self._unbegun(row, *ending.outcome(row)))
            elif self._closing:
                ended.append(self._lost(row))
            else:
                rows.append(row)
        self._report_soon(ended)
        if rows:
            self._dispatcher.add(rows, in_front=True)
            self._dispatcher.send()

    def _on_worker_ready(self) -> None:
        if not self._closing:
            self._dispatcher.send()
            self._tell_capacity()

    def _on_gone(self, worker: WorkerLink) -> None:
        outcomes = outcomes_of_gone(worker, self._clock, given_up=self._closing and self._loop.time() >= self._close_at)
        self._report_soon(outcomes)
        self._stirred.set()

    def _tell_capacity(self) -> None:
        self._stirred.set()
        if self.capacity():
            self._listener.on_capacity()

    def _unbegun(self, row: AttemptRow, code: OutcomeCode, failure: bytes = b"") -> Outcome:
        return (row[0], row[1], code, b"", failure, b"", b"", "", 0, self._clock.now_us())

    def _lost(self, row: AttemptRow) -> Outcome:
        return self._unbegun(row, OutcomeCode.LOST)

    def _report_soon(self, outcomes: list[Outcome]) -> None:
        """Report in the next turn of the loop: the caller may be in the middle of its own work."""
        if outcomes:
            if not self._soon:
                self._loop.call_soon(self._report_now)
            self._soon += outcomes

    def _report_now(self) -> None:
        outcomes, self._soon = self._soon, []
        if outcomes:
            self._listener.on_outcomes(outcomes)
            self._stirred.set()


def _checked(worker: WorkerLink, row: AttemptRow | None, outcome: Outcome) -> Outcome:
    """What to make of an outcome that is not an everyday one. Raises FrameError if it makes no sense."""
    if row is None:
        raise FrameError(f"an outcome of attempt {outcome[0]}, {outcome[1]}, which it does not have")
    if outcome[7] != worker.name:
        raise FrameError("an outcome in the name of another worker")
    return conclude(worker, row, outcome)
