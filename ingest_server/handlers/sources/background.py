"""Fetches on a thread for an async handler, whose event loop others share; a cancel of the task ends the fetch too."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from ingest_server.handlers.interface import Cancelled, Context

Fetched = TypeVar("Fetched")


async def fetch_beside(context: Context, fetch: Callable[[Context], Fetched]) -> Fetched:
    """Run `fetch` on a thread, with a context that is cancelled when the awaiting task is.

    Args:
        context: of the attempt.
        fetch: blocks; its result, if nobody waits for it any more, is left to the garbage collector.

    Raises:
        BaseException: what `fetch` raises.
        CancelledError: the task was cancelled; the fetch ends at its next look at the context.
    """
    watched = _Watched(context)
    try:
        return await asyncio.to_thread(fetch, watched)
    except asyncio.CancelledError:
        watched.stop()
        raise


class _Watched(Context):
    """The context of an attempt, as a fetch sees it, with a cancel of its own: the worker forgets an attempt that has ended, and
    so whether it was cancelled."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Cancel it."""
        self._stopped.set()

    @property
    def cancelled(self) -> bool:
        """See `Context.cancelled`."""
        return self._stopped.is_set() or self._context.cancelled

    def check(self) -> None:
        """See `Context.check`."""
        if self._stopped.is_set():
            raise Cancelled("the job was asked to stop")
        self._context.check()

    def progress(self, completed_units: int, total_units: int = 0, unit: str = "", message: str = "") -> None:
        """See `Context.progress`."""
        if not self._stopped.is_set():
            self._context.progress(completed_units, total_units, unit, message)

    def remaining_seconds(self) -> float:
        """See `Context.remaining_seconds`."""
        return self._context.remaining_seconds()

    def __getattr__(self, name: str) -> Any:
        """All else is the attempt's own."""
        return getattr(self._context, name)
