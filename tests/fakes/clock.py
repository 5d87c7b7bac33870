"""A clock that tests turn by hand, or that jumps by itself when everybody sleeps.

The idea of the jump is that of trio's MockClock. Asyncio does not tell when its loop is idle, so "everybody sleeps" means here:
for `settle_turns` turns of the loop nobody went to sleep or woke. That is exact for code that waits only for this clock and for
other tasks; code that waits for threads, files or processes must be given its time with `advance`.
"""

from __future__ import annotations

import asyncio
import heapq
import math

from ingest_server.domain.clock import MICROSECONDS_PER_SECOND

SETTLE_TURNS = 50
"""Deep enough for a chain of fifty tasks that each wake the next; a turn costs about a microsecond."""

START_US = 1_767_225_600 * MICROSECONDS_PER_SECOND
"""2026-01-01T00:00:00Z: a fixed day, so that failures read the same every time."""


class FakeClock:
    """Implements `ingest_server.domain.clock.Clock`.

    Time is kept in whole microseconds, so sums are exact. Sleepers wake in the order of their times, those of the same time in
    the order in which they went to sleep.

    Args:
        start_us: wall time to begin with. Monotonic time begins with 0.
        autojump: move to the next sleeper's time whenever everybody sleeps.
        settle_turns: turns of the loop that others get after each wake, and that pass before a jump.
    """

    def __init__(self, *, start_us: int = START_US, autojump: bool = False, settle_turns: int = SETTLE_TURNS) -> None:
        self._wall_origin_us = start_us
        self._elapsed_us = 0
        self._autojump = autojump
        self._settle_turns = settle_turns
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0
        self._arrivals: list[tuple[int, asyncio.Future[None]]] = []
        self._jump: asyncio.Handle | None = None

    def now_us(self) -> int:
        """Wall time in microseconds since the Unix epoch."""
        return self._wall_origin_us + self._elapsed_us

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed_us / MICROSECONDS_PER_SECOND

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been turned by `seconds`; one turn of the loop if not positive; for ever if infinite."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if math.isfinite(seconds):
            self._count += 1
            due_us = self._elapsed_us + math.ceil(seconds * MICROSECONDS_PER_SECOND)
            heapq.heappush(self._sleepers, (due_us, self._count, waiter))
            self._announce()
        try:
            await waiter
        finally:
            waiter.cancel()
            self._schedule_jump()

    def jump_wall(self, seconds: float) -> None:
        """Set wall time forward or back, as an operator or a time server does. Monotonic time and sleepers do not notice."""
        self._wall_origin_us += round(seconds * MICROSECONDS_PER_SECOND)

    @property
    def sleeping(self) -> int:
        """How many wait for this clock now."""
        return sum(not waiter.done() for _, _, waiter in self._sleepers)

    async def wait_for_sleepers(self, count: int = 1) -> None:
        """Return once at least `count` wait: then the code under test has reached its sleep, and time may be turned."""
        if self.sleeping < count:
            arrival: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._arrivals.append((count, arrival))
            await arrival

    async def advance(self, seconds: float) -> None:
        """Turn the clock, stopping at each sleeper on the way and letting all that follows from its waking happen first."""
        end_us = self._elapsed_us + round(seconds * MICROSECONDS_PER_SECOND)
        await self.settle()
        while (due_us := self._next_due_us()) is not None and due_us <= end_us:
            self._wake_next()
            await self.settle()
        self._elapsed_us = max(self._elapsed_us, end_us)
        await self.settle()

    async def advance_to_next(self) -> float:
        """Turn the clock to the next sleeper's time, wake it, and tell how many seconds that was. Waits for a sleeper."""
        await self.wait_for_sleepers()
        before = self.monotonic()
        self._wake_next()
        await self.settle()
        return self.monotonic() - before

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an administrator or NTP does; monotonic time and sleepers do not notice."""
        self._wall_origin_us += round(seconds * MICROSECONDS_PER_SECOND)

    async def settle(self) -> None:
        """Let the others run for `settle_turns` turns of the loop."""
        for _ in range(self._settle_turns):
            await asyncio.sleep(0)

    def _next_due_us(self) -> int | None:
        """Time of the next sleeper that still waits."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def _wake_next(self) -> None:
        due_us = self._next_due_us()
        if due_us is None:
            return
        self._elapsed_us = max(self._elapsed_us, due_us)
        heapq.heappop(self._sleepers)[2].set_result(None)

    def _announce(self) -> None:
        if self._arrivals:
            present = self.sleeping
            for count, arrival in self._arrivals:
                if present >= count and not arrival.done():
                    arrival.set_result(None)
            self._arrivals = [(count, arrival) for count, arrival in self._arrivals if not arrival.done()]
        self._schedule_jump()

    def _schedule_jump(self) -> None:
        """Count the quiet turns anew: somebody went to sleep or woke."""
        if not self._autojump:
            return
        if self._jump is not None:
            self._jump.cancel()
        self._jump = asyncio.get_running_loop().call_soon(self._quiet_turn, self._settle_turns)

    def _quiet_turn(self, turns_left: int) -> None:
        self._jump = None
        if self._next_due_us() is None:
            return
        if turns_left > 0:
            self._jump = asyncio.get_running_loop().call_soon(self._quiet_turn, turns_left - 1)
        else:
            self._wake_next()
            self._schedule_jump()
