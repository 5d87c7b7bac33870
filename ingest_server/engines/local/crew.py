"""Keeps the wanted number of workers: has them forked, replaces those that end, holds back when they die at birth.

It also keeps the zygote: one that dies is started again, with the same hold-back, and takes its workers with it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import IngestError
from ingest_server.engines.local import orders
from ingest_server.engines.local.frames import FrameError
from ingest_server.engines.local.limits import LocalEngineLimits
from ingest_server.engines.local.page import SharedPage, create_page
from ingest_server.engines.local.processes import private_bytes, process_table
from ingest_server.engines.local.worker_link import WorkerLink, WorkerListener
from ingest_server.engines.local.zygote_link import ZygoteLink, ZygoteListener

SOCKET_BYTES = 1_024 * 1_024
"""Asked of the kernel for `work`, so that a frame usually leaves in one piece; what it grants may be less."""
HANG_UP_SECONDS = 0.25
"""How long a worker that has closed its sockets may take to end by itself, and so tell its true exit status."""

log = logging.getLogger(__name__)


class Crew:
    """See the module.

    Args:
        engine_name: first part of the workers' names.
        configuration: of the zygote.
        scratch_directory: each worker gets a directory for temporary files in it.
        limits: times and sizes.
        clock: for the workers' start times.
        on_frame: told of the frames of workers.
        on_change: a worker has become ready.
        on_gone: a worker has ended; its attempts are still in `inflight`.
    """

    def __init__(
        self,
        engine_name: str,
        configuration: orders.Configure,
        scratch_directory: Path,
        limits: LocalEngineLimits,
        clock: Clock,
        *,
        on_frame: Callable[[WorkerLink, int, Any], None],
        on_change: Callable[[], None],
        on_gone: Callable[[WorkerLink], None],
    ) -> None:
        self.workers: dict[int, WorkerLink] = {}
        self.crash_count = 0
        self._engine_name = engine_name
        self._configuration = configuration
        self._scratch_directory = scratch_directory
        self._limits = limits
        self._clock = clock
        self._worker_listener = WorkerListener(on_frame, self._on_hang_up)
        self._on_change = on_change
        self._on_gone = on_gone
        self._zygote = self._new_zygote()
        self._zygote_alive = False
        self._zygote_task: asyncio.Task[None] | None = None
        self._wanted = 0
        self._serial = 0
        self._backoff_seconds = 0.0
        self._fill_timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def open(self) -> list[orders.Loaded]:
        """Start the zygote. Answers the handlers it has loaded. Raises InvalidRequest if it cannot load them."""
        loaded = await self._zygote.start(self._limits.start_timeout_seconds)
        self._zygote_alive = True
        return loaded

    async def resize(self, wanted: int) -> None:
        """Have so many workers. Returns when those added are ready, or the time for it is over (they are still tried for)."""
        self._wanted = wanted
        living = [worker for worker in self.workers.values() if not worker.retiring]
        living.sort(key=lambda worker: (bool(worker.inflight), -worker.slot))
        for worker in living[: max(len(living) - wanted, 0)]:
            self.retire(worker)
        self._fill()
        try:
            async with asyncio.timeout(self._limits.start_timeout_seconds):
                while not self._closing and sum(w.ready and not w.retiring for w in self.workers.values()) < self._wanted:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            log.error("workers are not ready in time", extra={"wanted": wanted})

    def retire(self, worker: WorkerLink) -> None:
        """Give a worker no more attempts, and let it end when it has none. Again: look whether it has none now."""
        worker.retiring = True
        if not worker.inflight and not worker.dismissed:
            self._dismiss(worker)

    def replace(self, worker: WorkerLink) -> None:
        """Retire a worker, with another in its place at once."""
        self.retire(worker)
        self._fill()

    def stop_replacing(self) -> None:
        """Fork no more workers."""
        self._wanted = 0
        self._changed.set()

    def kill(self, worker: WorkerLink) -> None:
        """Have a worker killed. Why is told by its `doom` or `doom_text`."""
        worker.retiring = True
        self._zygote.kill(worker.serial)

    async def close(self) -> None:
        """End the zygote and with it all workers, by force. Returns when they have ended."""
        self._closing = True
        self._changed.set()
        if self._fill_timer is not None:
            self._fill_timer.cancel()
        if self._zygote_task is not None:
            self._zygote_task.cancel()
            await asyncio.gather(self._zygote_task, return_exceptions=True)
        await self._zygote.close()
        for worker in list(self.workers.values()):
            worker.drain()
            self._finish(worker)

    def _new_zygote(self) -> ZygoteLink:
        listener = ZygoteListener(self._on_forked, self._on_exited, self._on_zygote_gone)
        return ZygoteLink(self._configuration, listener, self._limits.exit_timeout_seconds)

    def _fill(self) -> None:
        """Have the missing workers forked."""
        self._fill_timer = None
        if self._closing or not self._zygote_alive:
            return
        taken = {worker.slot for worker in self.workers.values()}
        present = sum(not worker.retiring for worker in self.workers.values())
        free = iter(slot for slot in range(1, self._wanted + len(taken) + 1) if slot not in taken)
        for _ in range(self._wanted - present):
            self._fork(next(free))

    def _fork(self, slot: int) -> None:
        self._serial += 1
        serial, name = self._serial, f"{self._engine_name}/{slot}"
        slots = 1 + self._limits.async_concurrency
        page_fd = create_page(slots)
        work, their_work = socket.socketpair()
        control, their_control = socket.socketpair()
        for end in (work, their_work):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
        page = SharedPage(page_fd, slots)
        limits = self._limits.reply_bytes_max, self._limits.frame_seconds_max
        worker = WorkerLink(serial, slot, name, work, control, page, *limits, self._worker_listener)
        worker.start_us = self._clock.now_us()
        worker.exit_timer = self._loop.call_later(self._limits.start_timeout_seconds, self._on_start_timeout, worker)
        self.workers[serial] = worker
        order = orders.Fork(serial, name, str(self._scratch(worker)))
        self._zygote.fork(order, [their_work.detach(), their_control.detach(), page_fd])

    def _scratch(self, worker: WorkerLink) -> Path:
        return self._scratch_directory / f"worker-{worker.serial}"

    def on_ready(self, worker: WorkerLink, pid: int) -> None:
        """A worker says that it takes frames. It says so before any handler has run in it, so its word on its pid, which may
        come before the zygote's, is good."""
        if worker.ready:
            raise FrameError("ready a second time")
        worker.ready = True
        worker.pid = pid
        self._backoff_seconds = 0.0
        if worker.exit_timer is not None:
            worker.exit_timer.cancel()
            worker.exit_timer = None
        if self._limits.attempt_memory_bytes_max:
            worker.base_bytes = private_bytes(worker.pid)
        self._changed.set()
        if worker.retiring:  # the number was lowered meanwhile
            self._dismiss(worker)
        else:
            self._on_change()

    def _on_start_timeout(self, worker: WorkerLink) -> None:
        worker.doom_text = f"was not ready within {self._limits.start_timeout_seconds:g} s"
        self.kill(worker)

    def _on_forked(self, report: orders.Forked) -> None:
        worker = self.workers.get(report.serial)
        if worker is None:
            return
        worker.pid = report.pid
        if not report.pid:
            log.error("a worker cannot be forked", extra={"worker": worker.name, "cause": report.error})
            self._finish(worker)

    def _on_hang_up(self, worker: WorkerLink, text: str) -> None:
        """No more is heard of a worker. If it has ended its status comes at once; else it is killed, for what `text` says."""
        worker.retiring = True
        if worker.gone:
            return
        if not self._zygote_alive:
            worker.doom_text = worker.doom_text or "was killed together with its zygote"
            self._finish(worker)
            return
        wait_seconds = HANG_UP_SECONDS if text.startswith("closed") else 0.0
        if worker.exit_timer is not None:
            worker.exit_timer.cancel()
        worker.exit_timer = self._loop.call_later(wait_seconds, self._on_mute, worker, text)

    def _on_mute(self, worker: WorkerLink, text: str) -> None:
        worker.doom_text = worker.doom_text or text
        self.kill(worker)
        worker.exit_timer = self._loop.call_later(self._limits.exit_timeout_seconds, self._finish, worker)

    def _on_exited(self, report: orders.Exited) -> None:
        worker = self.workers.get(report.serial)
        if worker is not None:
            worker.status = report.status
            worker.drain()
            self._finish(worker)

    def _dismiss(self, worker: WorkerLink) -> None:
        worker.dismiss()
        if worker.exit_timer is None:
            worker.exit_timer = self._loop.call_later(self._limits.exit_timeout_seconds, self.kill, worker)

    def _finish(self, worker: WorkerLink) -> None:
        """A worker has ended: let go of it, say so, replace it."""
        if worker.gone:
            return
        worker.gone = worker.hung_up = True
        worker.retiring = True
        del self.workers[worker.serial]
        expected = worker.dismissed or self._closing or bool(worker.doom)
        if not expected:
            self.crash_count += 1
            log.warning(
                "a worker died",
                extra={"worker": worker.name, "pid": worker.pid, "status": worker.status, "cause": worker.doom_text},
            )
        self._on_gone(worker)
        worker.close()
        shutil.rmtree(self._scratch(worker), ignore_errors=True)
        self._changed.set()
        self._replace(at_birth=not worker.ready and not expected)

    def _replace(self, *, at_birth: bool) -> None:
        if self._closing or self._fill_timer is not None:
            return
        if at_birth:
            self._fill_timer = self._loop.call_later(self._next_backoff(), self._fill)
        else:
            self._fill()

    def _next_backoff(self) -> float:
        self._backoff_seconds = min(
            max(self._backoff_seconds * 2, self._limits.backoff_seconds_min), self._limits.backoff_seconds_max
        )
        return self._backoff_seconds

    def _on_zygote_gone(self) -> None:
        """Its workers die with it, by the kernel's hand; what those had started is killed here."""
        log.error("the zygote died and is started again", extra={"pid": self._zygote.pid})
        self._zygote_alive = False
        self._end_sessions({worker.pid for worker in self.workers.values() if worker.pid})
        for worker in list(self.workers.values()):
            if worker.hung_up:
                self._finish(worker)
        self._zygote_task = self._loop.create_task(self._restart_zygote())

    def _end_sessions(self, sessions: Iterable[int]) -> None:
        wanted = set(sessions)
        for pid, _, session in process_table():
            if session in wanted:
                try:
                    os.kill(pid, 9)
                except (ProcessLookupError, PermissionError):
                    continue

    async def _restart_zygote(self) -> None:
        await self._zygote.close()
        while not self._closing:
            await asyncio.sleep(self._next_backoff())
            self._zygote = self._new_zygote()
            try:
                await self._zygote.start(self._limits.start_timeout_seconds)
            except (IngestError, OSError) as error:
                log.error("the zygote cannot be started again", extra={"cause": str(error)})
                continue
            self._zygote_alive = True
            self._fill()
            return
