"""The time that a fetch has, and whether it is still wanted: asked between any two pieces, and while nothing comes."""

from __future__ import annotations

from collections.abc import Callable

from ingest_server.handlers.interface import Context
from ingest_server.handlers.sources.failures import timed_out

TICK_SECONDS = 0.25
"""How soon a fetch that waits notices that its job was cancelled; nobody feels less, and it costs nothing."""


class Watch:
    """The end of one fetch.

    Args:
        uri: what is fetched; for the error.
        seconds: it may take.
        context: of the attempt.
        monotonic: seconds of a clock that never goes back.
    """

    def __init__(self, uri: str, seconds: float, context: Context, monotonic: Callable[[], float]) -> None:
        self._uri = uri
        self._seconds = seconds
        self._context = context
        self._monotonic = monotonic
        self._end = monotonic() + seconds

    def remaining_seconds(self) -> float:
        """Until the end; above 0.

        Raises:
            HandlerFailure: SOURCE_TIMEOUT: it has come.
            Cancelled: the attempt was asked to stop.
        """
        self._context.check()
        left = self._end - self._monotonic()
        if left <= 0:
            raise timed_out(self._uri, self._seconds)
        return left

    def tick_seconds(self) -> float:
        """How long to wait at most before asking again. Raises as `remaining_seconds` does."""
        return min(self.remaining_seconds(), TICK_SECONDS)
