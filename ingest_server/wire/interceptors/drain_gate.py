"""The gate between calls and those who change what all calls read: drain and reload.

**Calls hold the reader side, drain and reload the writer side.** A call that is over in milliseconds holds the reader side all
its life, so with the writer side in hand nobody is in the middle of anything: a reload swaps limits, defaults and handlers as
one, and a drain knows that every write that was admitted has been answered and no other will be.

**Calls that wait by design** (RunJob, FetchResults, the streams) hold it only while they are let in. Held for life, one watch
open for an hour would hold up a drain for that hour; worse, a waiting writer keeps new readers out, so the whole server would
stand still with it. They hear of a drain in another way: from the event hub, which ends watches with a token and waits with an
answer.

The lock is asked for in its fast mode: without it each acquisition gives up a turn of the event loop, which would put every other
call between this one's arrival and its start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ingest_server.domain.errors import Unavailable
from ingest_server.wire.calls import Behaviour, Context, Method
from ingest_server.wire.interceptors.authentication import is_open
from ingest_server.wire.interceptors.reader_lock import ManyReadersLock

DRAIN_RETRY_SECONDS = 1.0
"""When to come back: another server takes over at once, a restarted one is ready within seconds."""


class DrainGate:
    """Lets calls in until the drain."""

    def __init__(self) -> None:
        self._lock = ManyReadersLock(fast=True)
        self._draining = False

    @property
    def draining(self) -> bool:
        """Whether calls are refused now."""
        return self._draining

    def wrap(self, method: Method, inner: Behaviour) -> Behaviour:
        """See `Interceptor`. Health and reflection pass: probes must see NOT_SERVING, not an error."""
        if is_open(method):
            return inner
        return self._waiting(inner) if method.waits else self._short(inner)

    def _short(self, inner: Behaviour) -> Behaviour:
        reader = self._lock.reader

        async def gated(request: Any, context: Context) -> bytes | None:
            if self._draining:
                raise shutting_down()
            async with reader:
                # Asked again: a drain may have been what this call waited for.
                if self._draining:
                    raise shutting_down()
                return await inner(request, context)

        return gated

    def _waiting(self, inner: Behaviour) -> Behaviour:
        reader = self._lock.reader

        async def gated(request: Any, context: Context) -> bytes | None:
            async with reader:
                if self._draining:
                    raise shutting_down()
            return await inner(request, context)

        return gated

    async def drain(self, seconds: float) -> bool:
        """Refuse calls from now on, and wait until the short ones under way have ended.

        Args:
            seconds: longest wait.

        Returns:
            Whether all had ended by then. Calls are refused in either case.
        """
        # Set before the lock is asked for: who waits behind the writer would only wait in order to be refused.
        self._draining = True
        try:
            async with asyncio.timeout(seconds), self._lock.writer:
                return True
        except TimeoutError:
            return False

    async def exclusively(self, change: Callable[[], None]) -> None:
        """Run `change` while no short call is under way; calls that come meanwhile wait. It must not wait itself."""
        async with self._lock.writer:
            change()


def shutting_down() -> Unavailable:
    """The refusal."""
    return Unavailable(
        "the server is draining; repeat the call, with this or another server", retry_after_seconds=DRAIN_RETRY_SECONDS
    )
