"""Holds calls to an end: the caller's own deadline, or ours for callers that set none."""

from __future__ import annotations

import asyncio
from typing import Any

from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import Code, IngestError, Reason
from ingest_server.wire.calls import DEADLINE, Behaviour, Context, Method
from ingest_server.wire.limits import LiveConfiguration


class Deadline:
    """Ends unary calls in time, and tells waiting ones in `DEADLINE` how long they may.

    gRPC cancels a call whose deadline has passed by itself; this refuses those that arrive too late to be worth beginning, and
    bounds those without a deadline, so that a fault that hangs cannot pile up calls for ever. Streams have no bound of ours: they
    end by their age, which their use case knows.

    Args:
        configuration: the limits; read at each call.
        clock: monotonic time for `DEADLINE`.
    """

    def __init__(self, configuration: LiveConfiguration, clock: Clock) -> None:
        self._configuration = configuration
        self._clock = clock

    def wrap(self, method: Method, inner: Behaviour) -> Behaviour:
        """See `Interceptor`."""

        async def told(request: Any, context: Context) -> bytes | None:
            remaining = _remaining_seconds(context)
            if remaining is not None:
                if remaining <= 0:
                    raise _too_late(0.0)
                DEADLINE.set(self._clock.monotonic() + remaining)
            return await inner(request, context)

        if method.waits:
            return told

        async def bounded(request: Any, context: Context) -> bytes | None:
            remaining = _remaining_seconds(context)
            if remaining is not None and remaining <= 0:
                raise _too_late(0.0)
            seconds = self._configuration.limits.call_seconds_max
            if remaining is not None and remaining < seconds:
                return await inner(request, context)  # gRPC itself ends it sooner
            try:
                async with asyncio.timeout(seconds) as limit:
                    return await inner(request, context)
            except TimeoutError as error:
                if not limit.expired():
                    raise  # somebody else's, and nothing we know of
                raise _too_late(seconds) from error

        return bounded


def _remaining_seconds(context: Context) -> float | None:
    """Until the caller's deadline; None without one, which the type of the library does not tell."""
    return context.time_remaining()


def _too_late(seconds: float) -> IngestError:
    return IngestError(
        f"the call did not end within {seconds:g} s; whether it took effect is unknown",
        code=Code.DEADLINE_EXCEEDED,
        reason=Reason.DEADLINE_EXCEEDED,
    )
