"""Loops of the use cases: the pulse of the event hub, and the sweep of unused blobs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import IngestError

log = logging.getLogger(__name__)

SWEEP_INTERVAL_SECONDS = 10.0
"""A sweep looks at a thousand files: a million blobs are looked at in under three hours, well within their time of a day."""


class Maintenance:
    """Runs the loops until it is stopped.

    Args:
        clock: for the sweep.
        sweep_blobs: one step of the sweep; answers how many blobs it removed.
        pulse: the event hub's own loop.
        on_failure: called when a loop ends by a fault.
    """

    def __init__(
        self,
        clock: Clock,
        sweep_blobs: Callable[[], Awaitable[int]],
        pulse: Callable[[], Coroutine[Any, Any, None]],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._clock = clock
        self._sweep_blobs = sweep_blobs
        self._pulse = pulse
        self._on_failure = on_failure
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        for loop in (self._pulse, self._sweep):
            task = asyncio.create_task(loop(), name=f"maintenance {loop.__qualname__}")
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    async def stop(self) -> None:
        """End, and wait for it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _sweep(self) -> None:
        while True:
            await self._clock.sleep(SWEEP_INTERVAL_SECONDS)
            try:
                removed = await self._sweep_blobs()
            except IngestError as error:
                log.warning("sweeping blobs failed, will be repeated: %s", error.message)
                continue
            if removed:
                log.info("%d unused blobs were removed", removed)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(error)
