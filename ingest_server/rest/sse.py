"""A stream from the server as server-sent events (HTML Living Standard, 9.2), made for a browser's EventSource.

    retry: 2000                         how long the browser waits before it connects again
    : alive                             a comment, where nothing else was sent for a while
    id: TOKEN                           the resume token; the browser sends it back as Last-Event-ID
    event: close                        names are told in stream_frames; most events have none
    data: {…}                           the message as JSON, without the {"result": …} around it
    event: end                          the stream has ended for good; data is its google.rpc.Status

EventSource gives up for good at any answer but 200, and connects again whenever a stream ends. Therefore:

- `close` says that the stream goes on elsewhere, and ends it: the browser connects again by itself;
- what may be well in a moment (UNAVAILABLE, RESOURCE_EXHAUSTED, ABORTED) ends the stream without `end`, even as its first word,
  with the wait that the server asked for as `retry`;
- what stays wrong is an HTTP error before the first message, and `end` after it;
- a browser that comes back with Last-Event-ID to a stream that is over gets 204, which tells it to stay away.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import grpc
from google.protobuf.message import Message
from google.rpc import status_pb2

from ingest_server.domain.clock import Clock
from ingest_server.rest.errors import RestError, from_rpc, invalid, retry_seconds
from ingest_server.rest.exchange import ClientGone, Exchange
from ingest_server.rest.metadata import response_headers
from ingest_server.rest.ndjson import draining, from_rpc_status
from ingest_server.rest.routes import Route
from ingest_server.rest.stream_frames import CLOSE_EVENT, TOKEN_FIELD, FrameCache, is_resumable
from ingest_server.rest.stream_session import End, Session, next_message
from ingest_server.rest.transcode import write_message

MEDIA_TYPE = "text/event-stream"
HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),  # a proxy that compresses holds events back
    (b"x-accel-buffering", b"no"),  # nginx buffers otherwise
)
PASSING = frozenset({8, 10, 14})
"""Codes that may be well in a moment: RESOURCE_EXHAUSTED, ABORTED, UNAVAILABLE."""
ALIVE = b": alive\n\n"


@dataclass(frozen=True, slots=True)
class EventStreamOptions:
    """Times in seconds.

    Attributes:
        heartbeat_seconds: longest silence.
        retry_seconds: what browsers are told to wait before they connect again.
        first_seconds_max: a stream that says nothing for so long is begun without its first message, since the browser wants to
            know that it is connected.
    """

    heartbeat_seconds: float = 15.0
    retry_seconds: float = 2.0
    first_seconds_max: float = 1.0


def wants_events(exchange: Exchange) -> bool:
    """Whether the client asks for server-sent events."""
    return MEDIA_TYPE in exchange.header(b"accept").lower()


def resume(exchange: Exchange, route: Route, request: Message) -> bool:
    """Put Last-Event-ID into a request; it is newer than a token in the address. Answers whether there was one.

    Raises:
        RestError: INVALID_ARGUMENT, the header is not UTF-8.
    """
    given = exchange.header(b"last-event-id")
    if not given or not is_resumable(route):
        return False
    try:
        setattr(request, TOKEN_FIELD, given.encode("latin-1").decode("utf-8"))
    except UnicodeDecodeError:
        raise invalid("header Last-Event-ID is not UTF-8: send the id of an event as it came", field="last-event-id") from None
    return True


class EventStream:
    """One stream of events.

    Args:
        exchange: the request.
        route: of the method.
        call: the upstream stream, begun.
        session: ends the call.
        resumed: the client came with Last-Event-ID.
        clock: for signs of life.
        options: times.
    """

    def __init__(
        self,
        exchange: Exchange,
        route: Route,
        call: grpc.aio.UnaryStreamCall[bytes, bytes],
        session: Session,
        *,
        resumed: bool,
        clock: Clock,
        options: EventStreamOptions,
    ) -> None:
        self._exchange = exchange
        self._route = route
        self._call = call
        self._session = session
        self._resumed = resumed
        self._clock = clock
        self._options = options
        self._sending = False
        self._sent_at = 0.0
        self._begin_by = asyncio.get_running_loop().time() + options.first_seconds_max

    async def send_events(self, frames: FrameCache) -> None:
        """Pass the stream on, one message at a time: the next is asked for when the client has taken the last one but for what
        its socket holds.

        Raises:
            RestError: the server refused the stream for good, before its first message.
            ClientGone: nobody reads any more.
        """
        beat = asyncio.create_task(self._stay_alive())
        moved = False
        try:
            while (raw := await self._read()) is not None:
                frame = frames.frame(self._route, raw)
                if frame.silent and self._resumed and not self._exchange.started:
                    continue  # perhaps the stream is over, which only an answer that has not begun can tell
                moved, event = frame.event == CLOSE_EVENT, frame.server_sent_event()
                del raw, frame  # a slow reader holds one copy of a message, not three
                await self._send(event)
            code = await self._call.code()
            failure = from_rpc_status(code, await self._call.details(), await self._call.trailing_metadata())
        except grpc.aio.AioRpcError as error:
            failure = from_rpc(error)
        except asyncio.CancelledError:
            if self._session.ended_by() is End.GONE:
                raise ClientGone from None
            failure = draining()
        finally:
            beat.cancel()
        await self._finish(failure, moved)

    async def _read(self) -> bytes | None:
        """The next message. If the first to tell does not come soon, the answer is begun without it."""
        if self._exchange.started:
            return await next_message(self._call)
        reading = asyncio.ensure_future(next_message(self._call))
        try:
            left = self._begin_by - asyncio.get_running_loop().time()
            await asyncio.wait((reading,), timeout=max(left, 0.0))
            if not reading.done():
                await self._send(b"")
            return await reading
        finally:
            reading.cancel()

    async def _send(self, data: bytes) -> None:
        self._sending = True
        try:
            if not self._exchange.started:
                metadata = await self._call.initial_metadata() if data else ()  # without a message perhaps there is none yet
                await self._exchange.start(200, [*HEADERS, *response_headers(metadata)])
                data = self._retry(self._options.retry_seconds) + data
            await self._exchange.body(data, more=True)
        finally:
            self._sending = False
            self._sent_at = self._clock.monotonic()

    @staticmethod
    def _retry(seconds: float) -> bytes:
        return b"retry: %d\n\n" % round(seconds * 1_000)

    async def _finish(self, failure: RestError | None, moved: bool) -> None:
        """End the answer in the way that makes a browser do what is right: see the module's first lines."""
        exchange = self._exchange
        passing = failure is not None and failure.status.code in PASSING
        if not exchange.started:
            if failure is not None and not passing:
                raise failure
            if failure is None and self._resumed:
                await exchange.start(204, ())
                await exchange.body(b"", more=False)
                return
        data = b""
        if not exchange.started:
            await exchange.start(200, HEADERS)
            data = self._retry(self._options.retry_seconds)
        if failure is not None and passing:
            data += self._come_back(failure)
        elif not moved:
            status = status_pb2.Status() if failure is None else failure.status
            data += b"event: end\ndata: %s\n\n" % write_message(status)
        await exchange.body(data, more=False)

    def _come_back(self, failure: RestError) -> bytes:
        if self._session.reason is End.DRAIN:
            return b'event: close\ndata: {"close":{"status":%s}}\n\n' % write_message(failure.status)
        wait = retry_seconds(failure.status)
        hint = b"" if wait is None else self._retry(max(wait, self._options.retry_seconds))
        message: str = failure.status.message
        return hint + b": %s\n\n" % " ".join(message.split()).encode()

    async def _stay_alive(self) -> None:
        """Send a comment where nothing was sent for a while. Nothing is added to what a slow reader has not taken yet."""
        interval = self._options.heartbeat_seconds
        self._sent_at = self._clock.monotonic()
        while True:
            silence = self._clock.monotonic() - self._sent_at
            if silence >= interval and not self._sending and self._exchange.started:
                await self._send(ALIVE)
                silence = 0.0
            await self._clock.sleep(max(interval - silence, interval / 10))
