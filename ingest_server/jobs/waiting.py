"""Waiting with a limit, on the clock that tests can turn."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from ingest_server.domain.clock import Clock


async def within(clock: Clock, seconds: float, work: Coroutine[object, object, None]) -> bool:
    """Let `work` run for at most `seconds`; then it is cancelled.

    Returns:
        Whether it came to its end. With `seconds` not positive it is given no time at all.

    Raises:
        Whatever `work` raises.
    """
    if seconds <= 0:
        work.close()
        return False
    task = asyncio.ensure_future(work)
    timer = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((task, timer), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
            return True
        return False
    finally:
        for other in (task, timer):
            other.cancel()
        await asyncio.gather(task, timer, return_exceptions=True)
