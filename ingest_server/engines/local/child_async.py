"""Async handlers in a worker: many attempts at once on one event loop of the main thread.

**How sync and async attempts share a worker.** Sync attempts run outside the loop, one at a time; before each, the loop gets one
full turn: everything that is ready runs until its next await. So neither starves the other: a sync attempt delays async ones by
its own run time, async ones delay it by one turn. Because the loop is not running during a sync attempt, its handler may well use
`asyncio.run`. The server sends async attempts to workers without a sync one first.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import time
from typing import TYPE_CHECKING

from ingest_server.engines.interface import AttemptRow, OutcomeCode
from ingest_server.engines.local.codes import code_of
from ingest_server.engines.local.frames import Key, Kind, pack
from ingest_server.handlers.context import AttemptContext, current_attempt
from ingest_server.handlers.plan import Plan

if TYPE_CHECKING:
    from ingest_server.engines.local.child import Worker


class AsyncAttempts:
    """Attempts of async handlers that run now.

    Args:
        worker: that they run in.
        concurrency: most at once; slots 1 … `concurrency` of the shared page are theirs.
    """

    def __init__(self, worker: Worker, concurrency: int) -> None:
        self._worker = worker
        self._free_slots = list(range(concurrency, 0, -1))
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._hung_up = False

    @property
    def live(self) -> bool:
        """Whether any attempt runs."""
        return bool(self._tasks)

    def begin(self, row: AttemptRow, plan: Plan) -> None:
        """Start an attempt; it runs when the loop next does."""
        worker = self._worker
        start_ns = time.monotonic_ns()
        if worker.told_before_entry(row, start_ns // 1_000 + worker.wall_offset_us):
            return
        key = (row[0], row[1])
        if not self._free_slots:  # the server counts too, so this is its error; giving back loses nothing
            worker.send(pack(Kind.RETURNED, [key]))
            return
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        slot = self._free_slots.pop()
        context = AttemptContext(worker, key, row[2], row[3], start_ns, row[6], row[7], row[8])
        variables = contextvars.copy_context()
        variables.run(current_attempt.set, context)
        worker.page.enter(slot, key, start_ns)
        attempt = self._run(plan, row[5], context, slot, start_ns)
        self._tasks[key] = self._loop.create_task(attempt, context=variables)
        if key in worker.cancelled:  # since the look above; the control thread has not found the task
            self.cancel(key)

    def cancel(self, key: Key) -> None:
        """Cancel the task of an attempt, if it is one of ours. From the control thread."""
        task, loop = self._tasks.get(key), self._loop
        if task is not None and loop is not None:
            loop.call_soon_threadsafe(task.cancel)

    def turn(self) -> None:
        """Let everything that is ready run once."""
        assert self._loop is not None
        self._loop.call_soon(self._loop.stop)
        self._run_loop(self._loop)

    def wait(self) -> bool:
        """Run the loop until an attempt ends or a frame arrives, which is taken. False: the server has hung up."""
        loop = self._loop
        assert loop is not None
        descriptor = self._worker.work.fileno()
        loop.add_reader(descriptor, self._on_readable)
        try:
            self._run_loop(loop)
        finally:
            loop.remove_reader(descriptor)
        return not self._hung_up

    def _on_readable(self) -> None:
        assert self._loop is not None
        self._hung_up = not self._worker.receive(block=False)
        self._loop.stop()

    def _run_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        # From a task that a handler started beside its own, asyncio lets these two out. The loop itself is whole.
        with contextlib.suppress(SystemExit, KeyboardInterrupt):
            loop.run_forever()

    async def _run(self, plan: Plan, payload: bytes, context: AttemptContext, slot: int, start_ns: int) -> None:
        worker, key = self._worker, context.key
        pid = os.getpid()
        try:
            result = await worker.executor.run_async(plan, payload, context)
            code = code_of(result)
        except asyncio.CancelledError as error:
            if key in worker.cancelled:
                code, result = OutcomeCode.CANCELLED, (b"", b"", b"")
            else:
                code, result = worker.outcome_of(error, key)
        except BaseException as error:
            code, result = worker.outcome_of(error, key)
        if os.getpid() != pid:
            os._exit(0)  # a copy that the handler forked
        worker.page.leave(slot)
        self._free_slots.append(slot)
        del self._tasks[key]
        if context.progress_bytes:
            worker.control.forget_progress(key)
        start_us, end_us = (ns // 1_000 + worker.wall_offset_us for ns in (start_ns, time.monotonic_ns()))
        worker.end(key, code, result, context.progress_bytes, start_us, end_us)
        if self._loop is not None:
            self._loop.stop()
