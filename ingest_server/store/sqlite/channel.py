"""The server's end of the socketpair: commands out, answers in, with a bound on what is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from ingest_server.domain.errors import Exhausted, IngestError, Reason, Unavailable
from ingest_server.store.sqlite import faults, frames
from ingest_server.store.sqlite.writer import Told


class Channel(asyncio.Protocol):
    """Sends commands and matches answers. All methods are called in the event loop.

    Args:
        on_told: called with what a commit changed, and (context, second part of the answer) of each call that had a context,
            before the answers are given.
        on_lost: called once when the other end is gone.
        pending_bytes_max: sum of the commands not yet answered; one command alone may exceed it.
        pending_commands_max: their number. Commands with `reserve` may go to twice both bounds, so that a flood of submits
            never keeps the scheduler from settling.
        retry_after_seconds: the hint of a refusal. A commit takes milliseconds, so a fraction of a second frees room.
    """

    def __init__(
        self,
        on_told: Callable[[Told, Sequence[tuple[Any, Any]]], None],
        on_lost: Callable[[], None],
        *,
        pending_bytes_max: int,
        pending_commands_max: int,
        retry_after_seconds: float,
    ) -> None:
        self._on_told = on_told
        self._on_lost = on_lost
        self._pending_bytes_max = pending_bytes_max
        self._pending_commands_max = pending_commands_max
        self._retry_after_seconds = retry_after_seconds
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._lost = False
        self._buffer = frames.FrameBuffer()
        self._outgoing: list[bytes] = []
        self._pending: dict[int, tuple[asyncio.Future[Any], int, Any]] = {}
        self._pending_bytes = 0
        self._calls = 0

    @property
    def pending_bytes(self) -> int:
        """Size of the commands that are not answered yet."""
        return self._pending_bytes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, error: Exception | None) -> None:
        """Fail all calls that wait: it is unknown whether they took effect."""
        self._lost = True
        pending, self._pending = self._pending, {}
        self._pending_bytes = 0
        for future, _, _ in pending.values():
            if not future.done():
                future.set_exception(gone())
        self._on_lost()

    def data_received(self, data: bytes) -> None:
        """Tell what changed, then give the answers."""
        self._buffer.feed(data)
        for told, answers in self._buffer.take():
            answered = [(*self._pending.pop(call), succeeded, value) for call, succeeded, value in answers]
            if told is not None:
                self._on_told(told, [(row[2], row[4][1]) for row in answered if row[2] is not None and row[3]])
            for future, size, context, succeeded, value in answered:
                self._pending_bytes -= size
                if future.done():
                    continue  # its caller was cancelled; the write stands
                if succeeded:
                    future.set_result(value if context is None else value[0])
                else:
                    future.set_exception(faults.decode(value))

    def call(self, verb: str, arguments: tuple[Any, ...], *, reserve: bool = False, context: Any = None) -> asyncio.Future[Any]:
        """Send a command: at once if none is under way, else with the others of this turn of the loop.

        Args:
            verb, arguments: of plain types; else ValueError.
            reserve: see the class.
            context: stays here. A verb called with one answers a pair, of which the second is given to `on_told` with it.

        Raises:
            Unavailable: the other end is gone.
            Exhausted: OVERLOADED.
        """
        if self._lost or self._transport is None:
            raise gone()
        self._calls += 1
        frame = frames.pack((self._calls, verb, arguments))
        factor = 2 if reserve else 1
        if self._pending and (
            len(self._pending) >= self._pending_commands_max * factor
            or self._pending_bytes + len(frame) > self._pending_bytes_max * factor
        ):
            raise self._overloaded(len(frame), factor)
        future: asyncio.Future[Any] = self._loop.create_future()
        if not self._pending:  # the other end is idle: it could begin now
            self._transport.write(frame)
        else:
            if not self._outgoing:
                self._loop.call_soon(self._flush)
            self._outgoing.append(frame)
        self._pending[self._calls] = (future, len(frame), context)
        self._pending_bytes += len(frame)
        return future

    def close(self) -> None:
        """Close the socket: the other end takes it as the end."""
        if self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self._transport is not None and not self._lost:
            self._transport.write(outgoing[0] if len(outgoing) == 1 else b"".join(outgoing))

    def _overloaded(self, size: int, factor: int) -> IngestError:
        return Exhausted(
            f"the store has {len(self._pending)} writes of {self._pending_bytes} bytes under way and takes at most "
            f"{self._pending_commands_max * factor} of {self._pending_bytes_max * factor} bytes, this one has {size}: come back "
            f"in {self._retry_after_seconds} s",
            reason=Reason.OVERLOADED,
            retry_after_seconds=self._retry_after_seconds,
        )


def gone() -> Unavailable:
    """The error of a call whose fate is unknown, or that came too late."""
    return Unavailable(
        "the store is closed or its process has ended: it is unknown whether a write that was under way took effect; repeat it "
        "with the same request_id when the server is back",
        reason=Reason.STORE_UNAVAILABLE,
    )
