"""Time as a part that can be replaced: the real clock, and what a clock must do.

Two kinds of time are kept apart. *Wall* time is for people and for durable rows (microseconds since the Unix epoch, UTC); it may
jump. *Monotonic* time is for waiting and measuring (seconds, any origin); it never goes back.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

MICROSECONDS_PER_SECOND = 1_000_000


class Clock(Protocol):
    """What the rest of the server may ask of time. Tests hand in one that they turn themselves."""

    def now_us(self) -> int:
        """Wall time in microseconds since 1970-01-01T00:00:00Z."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of monotonic time; at once, after one turn of the loop, if not positive."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_us(self) -> int:
        """Wall time in microseconds."""
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        """Seconds of `time.monotonic`."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the running event loop."""
        await asyncio.sleep(max(seconds, 0.0))
