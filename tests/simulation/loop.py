"""An event loop without sockets, threads or real time: virtual seconds, and an order of callbacks that a seed decides.

The idea of running production code on a simulated loop is that of FoundationDB's simulation. Asyncio promises an order only
within a task; whatever else depends on the order in which ready callbacks run is a fault that a shuffled loop finds.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ingest_server.domain.clock import MICROSECONDS_PER_SECOND

START_US = 1_767_225_600 * MICROSECONDS_PER_SECOND
"""2026-01-01T00:00:00Z, so that failures read the same every time."""
TURNS_MAX = 200_000
"""Callbacks in a row without time passing; more is a loop that does not end."""

_T = TypeVar("_T")


class Livelock(Exception):
    """Callbacks follow one another without end, and no time passes."""


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs callbacks on demand.

    Args:
        chance: decides the order.
        shuffle: whether ready callbacks run in an order left to chance; else first come, first served.
    """

    def __init__(self, chance: random.Random, *, shuffle: bool) -> None:
        super().__init__()
        self._chance = chance
        self._shuffle = shuffle
        self._seconds = 0.0
        self.tasks: list[asyncio.Task[Any]] = []
        self.faults: list[str] = []
        self.set_task_factory(self._make_task)  # type: ignore[arg-type]  # typeshed's is newer than 3.11
        self.set_exception_handler(self._note_fault)

    # ---- what asyncio asks of a loop

    def time(self) -> float:
        """Virtual seconds."""
        return self._seconds

    def _run_once(self) -> None:
        """One turn: one callback."""
        if not self.turn():
            due = self._next_due()
            if due is None:
                raise Livelock("everything waits, and nothing will ever happen")
            self._seconds = max(self._seconds, due)
            self._wake_due()

    def _process_events(self, event_list: Any) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector."""

    def _make_task(self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, _T], **arguments: Any) -> asyncio.Task[_T]:
        task: asyncio.Task[_T] = asyncio.Task(work, loop=loop, **arguments)
        self.tasks.append(task)
        return task

    def _note_fault(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.faults.append(f"{context.get('message')}: {type(error).__name__}: {error}")

    # ---- what the driver does

    def turn(self) -> bool:
        """Run one callback. Answers whether there was one."""
        ready = self._ready  # type: ignore[attr-defined]
        while ready:
            if self._shuffle and len(ready) > 1:
                ready.rotate(-self._chance.randrange(len(ready)))
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()
                return True
        return False

    def settle(self, turns_max: int = TURNS_MAX) -> bool:
        """Let everything happen that can happen now, at most so many callbacks. Answers whether it came to rest."""
        for _ in range(turns_max):
            if not self.turn():
                return True
        if turns_max >= TURNS_MAX:
            raise Livelock(f"{turns_max} callbacks without any time passing")
        return False

    def advance(self, seconds: float) -> None:
        """Let virtual time pass, with all that happens meanwhile."""
        end = self._seconds + seconds
        self.settle()
        while (due := self._next_due()) is not None and due <= end:
            self._seconds = max(self._seconds, due)
            self._wake_due()
            self.settle()
        self._seconds = end

    def start(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Begin a task from outside."""
        return self.create_task(work)

    def enter(self) -> None:
        """Be the running loop of this thread, until `leave`."""
        asyncio.events._set_running_loop(self)

    def leave(self) -> None:
        """Stop being it, and forget all that waits."""
        asyncio.events._set_running_loop(None)
        self._ready.clear()  # type: ignore[attr-defined]
        self._scheduled.clear()  # type: ignore[attr-defined]
        self.close()

    def end_tasks(self, keep: Callable[[asyncio.Task[Any]], bool] = lambda task: False) -> None:
        """Cancel all tasks but those to keep, until they are gone."""
        for _ in range(20):
            left = [task for task in self.tasks if not task.done() and not keep(task)]
            if not left:
                break
            for task in left:
                task.cancel()
            self.settle()
        self.tasks = [task for task in self.tasks if not task.done()]

    def prune(self) -> None:
        """Forget ended tasks."""
        self.tasks = [task for task in self.tasks if not task.done()]

    def _next_due(self) -> float | None:
        scheduled = self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0]._cancelled:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
        return scheduled[0]._when if scheduled else None

    def _wake_due(self) -> None:
        scheduled, ready = self._scheduled, self._ready  # type: ignore[attr-defined]
        while scheduled and scheduled[0]._when <= self._seconds:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            ready.append(handle)


class SimulatedClock:
    """Implements `ingest_server.domain.clock.Clock` on the virtual time of the loop; wall time can be set apart from it."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop
        self._origin_us = START_US

    def now_us(self) -> int:
        """Wall time."""
        return self._origin_us + round(self._loop.time() * MICROSECONDS_PER_SECOND)

    def monotonic(self) -> float:
        """Virtual seconds."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Sleep in virtual time."""
        await asyncio.sleep(max(seconds, 0.0))

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back."""
        self._origin_us += round(seconds * MICROSECONDS_PER_SECOND)
