"""A worker: reads frames of attempts, runs them one after the other, answers with frames of outcomes.

Main thread: blocks on `work`, runs, sends. A second thread (`child_control`) takes cancels and sends progress. Async handlers run
on an event loop of the main thread (`child_async`).

**How an interrupt hits the right attempt.** The control thread names the attempt in `interrupt_key` and signals the main thread.
The signal's handler runs in the main thread between two bytecodes and raises `Cancelled` only if `armed_key`, the attempt that is
in its handler's hands at that moment, is the one named; otherwise nothing happens. `armed_key` is set inside the `try` that
catches `Cancelled` and cleared in a `finally` within it, so the exception can only appear inside. It is raised once per order,
because `interrupt_key` is cleared first, so it cannot come a second time while the first is dealt with.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path

from ingest_server.engines.interface import AttemptRow, Outcome, OutcomeCode
from ingest_server.engines.local import failures, orders
from ingest_server.engines.local.child_async import AsyncAttempts
from ingest_server.engines.local.child_control import ControlThread
from ingest_server.engines.local.child_limits import AttemptLimits, CpuLimitReached, Surroundings
from ingest_server.engines.local.child_log import log_to_stderr
from ingest_server.engines.local.codes import code_of
from ingest_server.engines.local.frames import FrameReader, Key, Kind, pack, unpack
from ingest_server.engines.local.page import SharedPage
from ingest_server.handlers.blob_files import BlobFiles
from ingest_server.handlers.context import AttemptContext, current_attempt
from ingest_server.handlers.execute import Executor, ResultLimits
from ingest_server.handlers.interface import Cancelled
from ingest_server.handlers.plan import Plan
from ingest_server.handlers.registry import HandlerRegistry
from ingest_server.handlers.sources.fetch import Fetcher

INTERRUPT_SIGNAL = signal.SIGRTMAX - 1
"""A real-time signal, because SIGUSR1 and SIGUSR2 are what libraries take for themselves."""
RECEIVE_BYTES = 256 * 1_024
FLUSH_NS = 1_000_000
"""Outcomes older than this are sent before the next attempt is begun."""
SIGNALS_CHECK_NS = 1_000_000
SYNC_SLOT = 0
CANCELLED_MAX = 4_096
"""Flags kept while the worker is idle. A cancel that crosses the outcome of its attempt on the way leaves one behind."""


class Worker:
    """Runs what the server sends.

    Args:
        order: name and directory of this worker.
        fds: its ends of `work` and `control`, and the shared page.
        configuration: how workers run.
        registry: the handlers.
    """

    def __init__(self, order: orders.Fork, fds: list[int], configuration: orders.Configure, registry: HandlerRegistry) -> None:
        self.name = order.name
        self.work = socket.socket(fileno=fds[0])
        self.page = SharedPage(fds[2], 1 + configuration.async_concurrency)
        os.close(fds[2])
        blobs = BlobFiles(Path(configuration.blob_directory))
        limits = ResultLimits(configuration.inline_bytes_max, configuration.result_bytes_max, configuration.failure_bytes_max)
        self.executor = Executor(registry, blobs, limits, Fetcher(configuration.sources))
        self.limits = AttemptLimits(configuration.attempt_memory_bytes_max, configuration.attempt_cpu_seconds_max)
        self.rows: deque[AttemptRow] = deque()
        """Not begun. The main thread takes from the left, the control thread gives back from the right; both are atomic."""
        self.cancelled: set[Key] = set()
        self.armed_key: Key | None = None
        self.interrupt_key: Key | None = None
        self.sync_since_ns = 0
        self.wall_offset_us = 0
        self._read_lock = threading.Lock()
        self._pid = os.getpid()
        self._is_copy = False
        os.register_at_fork(after_in_child=self._become_copy)
        self._reader = FrameReader(configuration.request_bytes_max)
        self._pending: list[Outcome] = []
        self._pending_bytes = 0
        self._pending_since_ns = 0
        self._reply_bytes = configuration.reply_bytes
        self._send_lock = threading.Lock()
        self._surroundings = Surroundings({INTERRUPT_SIGNAL: self._on_interrupt, signal.SIGXCPU: self._on_cpu_limit})
        self.control = ControlThread(self, socket.socket(fileno=fds[1]), configuration.progress_interval_seconds)
        self.attempts = AsyncAttempts(self, configuration.async_concurrency)

    def serve(self) -> None:
        """Run until the server hangs up."""
        self.control.start()
        self.send(pack(Kind.READY, self._pid))
        while True:
            if self.rows:
                self._run_rows()
            elif self.attempts.live:
                if not self.attempts.wait():
                    return
                self.flush()
            else:
                if len(self.cancelled) > CANCELLED_MAX:
                    self.cancelled.clear()
                if not self.receive(block=True):
                    return

    def receive(self, *, block: bool) -> bool:
        """Take frames from `work` into `rows`. Without `block`, only what is there, and nothing while another thread is at it.
        False: the server has hung up."""
        if not self._read_lock.acquire(blocking=block):
            return True
        try:
            try:
                data = self.work.recv(RECEIVE_BYTES, 0 if block else socket.MSG_DONTWAIT)
            except BlockingIOError:
                return True
            except ConnectionResetError:
                return False
            if not data:
                return False
            for kind, body in self._reader.feed(data):
                self.rows.extend(unpack(kind, body))
            return True
        finally:
            self._read_lock.release()

    def end(
        self, key: Key, code: OutcomeCode, result: tuple[bytes, bytes, bytes], progress: bytes, start_us: int, end_us: int
    ) -> None:
        """Note an outcome; it is sent with the next flush. Main thread only."""
        if self.cancelled:
            self.cancelled.discard(key)
        output, failure, blob = result
        pending = self._pending
        if not pending:
            self._pending_since_ns = time.monotonic_ns()
        pending.append((key[0], key[1], code, output, failure, progress, blob, self.name, start_us, end_us))
        self._pending_bytes += len(output) + len(failure) + len(progress)
        if self._pending_bytes >= self._reply_bytes:
            self.flush()

    def flush(self) -> None:
        """Send the outcomes that wait. Any thread: the two halves of a list are each taken in one atomic step, so an outcome
        appended meanwhile stays for the next time."""
        with self._send_lock:
            count = len(self._pending)
            if count:
                outcomes = self._pending[:count]
                del self._pending[:count]
                self._pending_bytes = 0
                self.work.sendall(pack(Kind.OUTCOMES, outcomes))

    def send(self, frame: bytes) -> None:
        """Send a frame on `work`. Any thread."""
        with self._send_lock:
            self.work.sendall(frame)

    def told_before_entry(self, row: AttemptRow, now_us: int) -> bool:
        """Whether a row must not be entered: it was cancelled, or its job's deadline has come. Its outcome is noted."""
        key = (row[0], row[1])
        if self.cancelled and key in self.cancelled:
            self.end(key, OutcomeCode.CANCELLED, (b"", b"", b""), b"", 0, now_us)
            return True
        if row[7] and now_us >= row[7]:
            self.end(key, OutcomeCode.EXPIRED, (b"", failures.expired(), b""), b"", 0, now_us)
            return True
        return False

    def is_cancelled(self, key: Key) -> bool:
        """See `Host.is_cancelled`."""
        return key in self.cancelled

    def tell_progress(self, context: AttemptContext) -> None:
        """See `Host.tell_progress`."""
        self.control.tell_progress(context)

    def outcome_of(self, error: BaseException, key: Key) -> tuple[OutcomeCode, tuple[bytes, bytes, bytes]]:
        """How what an attempt raised is told."""
        if isinstance(error, Cancelled) and key in self.cancelled:
            return OutcomeCode.CANCELLED, (b"", b"", b"")
        if isinstance(error, MemoryError):
            failure = failures.memory_limit(self.limits.memory_bytes_max)
        elif isinstance(error, CpuLimitReached):
            failure = failures.cpu_limit(self.limits.cpu_seconds_max)
        else:
            failure = self.executor.failure_of(error).to_bytes()
        return OutcomeCode.FAILED, (b"", failure, b"")

    def _run_rows(self) -> None:
        """Run all rows there are. While async attempts live, their loop gets a turn before each sync attempt."""
        self._surroundings.restore_signals()
        now_ns = time.monotonic_ns()
        self.wall_offset_us = time.time_ns() // 1_000 - now_ns // 1_000
        rows, attempts = self.rows, self.attempts
        while True:
            try:
                row = rows.popleft()
            except IndexError:  # the control thread may have given back the last one
                break
            plan = self.executor.plan(row[4])
            if plan.is_async:
                attempts.begin(row, plan)
                continue
            if attempts.live:
                attempts.turn()
            now_ns = self._run_sync(row, plan)
            if now_ns - self._pending_since_ns > FLUSH_NS and self._pending:
                self.flush()
        current_attempt.set(None)
        self.flush()
        # Only now: an attempt that has cut the worker off from the server is found out when its outcome is to be sent.
        self.page.leave(SYNC_SLOT)

    def _run_sync(self, row: AttemptRow, plan: Plan) -> int:
        """Run one attempt. Answers the moment of its end (monotonic, ns)."""
        start_ns = time.monotonic_ns()
        start_us = start_ns // 1_000 + self.wall_offset_us
        if (self.cancelled or row[7]) and self.told_before_entry(row, start_us):
            return start_ns
        key = (row[0], row[1])
        context = AttemptContext(self, key, row[2], row[3], start_ns, row[6], row[7], row[8])
        current_attempt.set(context)
        self.sync_since_ns = start_ns
        self.page.enter(SYNC_SLOT, key, start_ns)
        code, result = self._call(plan, row[5], context)
        if self._is_copy:
            os._exit(0)  # a copy that the handler forked has returned from it: it must not speak for the worker
        self.sync_since_ns = 0
        self._surroundings.restore()
        end_ns = time.monotonic_ns()
        if end_ns - start_ns > SIGNALS_CHECK_NS:
            self._surroundings.restore_signals()
        if context.progress_bytes:
            self.control.forget_progress(key)
        self.end(key, code, result, context.progress_bytes, start_us, end_ns // 1_000 + self.wall_offset_us)
        return end_ns

    def _become_copy(self) -> None:
        """Called in a process that a handler forks."""
        self._is_copy = True

    def _call(self, plan: Plan, payload: bytes, context: AttemptContext) -> tuple[OutcomeCode, tuple[bytes, bytes, bytes]]:
        try:
            try:
                self.armed_key = context.key
                if self.limits.active:
                    self.limits.enter()
                result = self.executor.run(plan, payload, context)
            finally:
                self.armed_key = None
                if self.limits.active:
                    self.limits.leave()
        except BaseException as error:
            self.armed_key = None
            if self.limits.active:
                self.limits.leave()
            return self.outcome_of(error, context.key)
        return code_of(result), result

    def _on_interrupt(self, number: int, frame: object) -> None:
        key, self.interrupt_key = self.interrupt_key, None
        if key is not None and key == self.armed_key:
            raise Cancelled("the job was asked to stop")

    def _on_cpu_limit(self, number: int, frame: object) -> None:
        if self.armed_key is not None:
            raise CpuLimitReached


def run_worker(order: orders.Fork, fds: list[int], configuration: orders.Configure, registry: HandlerRegistry) -> int:
    """Be a worker, in a process just forked. Answers its exit code."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    faulthandler.enable(file=2, all_threads=False)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    os.makedirs(order.scratch_directory, exist_ok=True)
    tempfile.tempdir = order.scratch_directory
    log_to_stderr(order.name, configuration.log_level)
    random = sys.modules.get("numpy.random")
    if random is not None:
        random.seed()  # else every worker would draw the same numbers; the standard library sees to its own
    Worker(order, fds, configuration, registry).serve()
    return 0
