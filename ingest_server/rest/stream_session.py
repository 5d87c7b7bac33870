"""Streams under way: how many there may be, and how each ends when its client goes away or the shim drains."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any, Protocol

import grpc

from ingest_server.rest.errors import RestError, rest_error

OVERLOADED_RETRY_SECONDS = 1.0


class End(Enum):
    """Why a stream ends before the server has ended it."""

    GONE = "the client went away"
    DRAIN = "the shim drains"


class Cancellable(Protocol):
    """An upstream call."""

    def cancel(self) -> bool:
        """End it."""
        ...


class Session:
    """One stream. `end` cancels its upstream call, so whoever reads from it wakes with CancelledError and asks `ended_by`.

    Args:
        lasting: it has an end of its own that a drain waits for.
    """

    def __init__(self, lasting: bool = False) -> None:
        self.reason: End | None = None
        self.lasting = lasting
        self._call: Cancellable | None = None

    def attach(self, call: Cancellable) -> None:
        """Name the call to cancel. Cancels it at once if the session has ended already."""
        self._call = call
        if self.reason is not None:
            call.cancel()

    def end(self, reason: End) -> None:
        """End the stream. The first reason stays."""
        if self.reason is None:
            self.reason = reason
            if self._call is not None:
                self._call.cancel()

    def ended_by(self) -> End:
        """The reason, for whoever caught CancelledError. Raises CancelledError where the task itself was cancelled."""
        task = asyncio.current_task()
        if self.reason is None or (task is not None and task.cancelling()):
            raise asyncio.CancelledError
        return self.reason


class Sessions:
    """All streams of one shim.

    Args:
        streams_max: at once; further ones are refused.
    """

    def __init__(self, streams_max: int) -> None:
        self._streams_max = streams_max
        self._open: set[Session] = set()
        self.draining = False

    def __len__(self) -> int:
        return len(self._open)

    def drain(self) -> None:
        """End all streams, each with a word to its client, and refuse new ones."""
        self.draining = True
        for session in list(self._open):
            if not session.lasting:
                session.end(End.DRAIN)

    @asynccontextmanager
    async def session(self, receive: Callable[[], Awaitable[Any]] | None, *, lasting: bool = False) -> AsyncIterator[Session]:
        """A place for one stream, which ends when its client goes away.

        Args:
            receive: of ASGI; watched for the client's end. None: somebody else reads from it and calls `end`.
            lasting: it has an end of its own that a drain waits for.

        Raises:
            RestError: UNAVAILABLE while draining, RESOURCE_EXHAUSTED where there are too many.
        """
        if self.draining:
            raise rest_error(grpc.StatusCode.UNAVAILABLE, "the REST shim is shutting down; connect again", "SHUTTING_DOWN")
        if len(self._open) >= self._streams_max:
            raise self._full()
        session = Session(lasting)
        self._open.add(session)
        watch = asyncio.create_task(_watch(session, receive)) if receive is not None else None
        try:
            yield session
        finally:
            self._open.discard(session)
            if watch is not None:
                watch.cancel()

    def _full(self) -> RestError:
        message = f"{len(self._open)} streams are open, the most there may be (streams_max); come back"
        return rest_error(grpc.StatusCode.RESOURCE_EXHAUSTED, message, "OVERLOADED", retry_after_seconds=OVERLOADED_RETRY_SECONDS)


async def next_message(call: grpc.aio.UnaryStreamCall[bytes, bytes]) -> bytes | None:
    """The next message of an upstream stream; None at its end, which may still be a failure that `read` did not raise."""
    message = await call.read()
    return message if isinstance(message, bytes) else None


async def _watch(session: Session, receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    session.end(End.GONE)
