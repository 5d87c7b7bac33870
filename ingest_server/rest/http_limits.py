"""The HTTP side's defence: what uvicorn's httptools protocol lacks against slow, endless and too many clients.

a request line with its headers   has a size and a time, from its first byte
a body                            must go on coming, and not slower than a rate
a response                        must be taken by its reader, if slowly
what follows an early answer      is read and thrown away for a while, then the connection is closed
connections                       have a number
a WebSocket                       its pongs wait for a reader too, and a message has so many fragments
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ingest_server.rest.stall_timer import StallTimer

WEBSOCKET_FRAGMENTS_MAX = 16_384
"""A message of 16 MiB in fragments of 1 KiB. Empty fragments cost memory too, and their size limits nothing."""
DISCARD_BYTES_MAX = 1024 * 1024
"""A client that is refused may still be sending: so much is read, so that it gets to see the answer before the end."""
RATE_GRACE_SECONDS = 10.0
"""A body's rate is looked at after this: a connection begins slowly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Bounds of connections. Sizes in bytes, times in seconds.

    Attributes:
        head_bytes_max: request line and headers of one request.
        head_seconds_max: from the first byte of a request to the end of its headers.
        body_idle_seconds: between two pieces of a body, while the app waits for one.
        body_bytes_per_second_min: mean rate of a body while the app waits for it; 0: any.
        send_stall_seconds: a client that takes no byte for so long while some wait is cut off.
        connections_max: at once.
    """

    head_bytes_max: int = 64 * 1024
    head_seconds_max: float = 10.0
    body_idle_seconds: float = 30.0
    body_bytes_per_second_min: int = 1_024
    send_stall_seconds: float = 60.0
    connections_max: int = 4_096


def refusal(status: str, code: int, message: str) -> bytes:
    """A whole response with a google.rpc.Status, for a request that never reaches the app. Texts are this module's own."""
    body = f'{{"code":{code},"message":"{message}","details":[]}}'.encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return head.encode() + body


class LimitedHttp(HttpToolsProtocol):
    """uvicorn's protocol with limits. One object per connection; `limits` is set on a subclass by `limited_http`."""

    limits = HttpLimits()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_bytes = 0
        self._in_head = False
        self._in_body = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._body_timer: asyncio.TimerHandle | None = None
        self._stall = StallTimer(self.limits.send_stall_seconds)
        self._body_began = 0.0
        self._body_bytes = 0
        self._body_seen = 0
        self._discarded = 0

    # ---- connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Take the connection, or refuse it where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections_max:
            self._refuse(
                "503 Service Unavailable", 14, f"{self.limits.connections_max} connections are open, the most; come back"
            )
            return
        self._begin_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers, then as uvicorn does."""
        self._stop_timers()
        super().connection_lost(exc)

    def _stop_timers(self) -> None:
        self._stall.end()
        for timer in (self._head_timer, self._body_timer):
            if timer is not None:
                timer.cancel()
        self._head_timer = self._body_timer = None

    def _refuse(self, status: str, code: int, message: str) -> None:
        if not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(refusal(status, code, message))
            self.transport.close()

    # ---- head

    def data_received(self, data: bytes) -> None:
        """Parse, and count what belongs to a head that is not complete yet."""
        if self.transport.is_closing():
            return
        waiting = not self._in_body
        if waiting and self._head_timer is None:
            self._begin_head_timer()
        super().data_received(data)
        if waiting and not self._in_body and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.limits.head_bytes_max:
                self._head_too_large()

    def _begin_head_timer(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(self.limits.head_seconds_max, self._head_too_slow)

    def _head_too_slow(self) -> None:
        self._head_timer = None
        seconds = self.limits.head_seconds_max
        self._refuse("408 Request Timeout", 4, f"the request line and headers took longer than {seconds:g} s")

    def _head_too_large(self) -> None:
        limit = self.limits.head_bytes_max
        self._refuse("431 Request Header Fields Too Large", 3, f"the request line and headers are longer than {limit} bytes")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is there: the body's limits begin."""
        self._in_head, self._in_body = False, True
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        self._head_bytes = self._body_bytes = self._body_seen = self._discarded = 0
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.limits.head_bytes_max:
            self._head_too_large()  # in one piece, so that nothing was counted
            return
        self._body_began = self.loop.time()
        super().on_headers_complete()
        self._begin_body_timer()

    # ---- body

    def on_body(self, body: bytes) -> None:
        """Take a piece; throw it away where the answer has been given, and not for ever."""
        if self.transport.is_closing():
            return
        self._body_bytes += len(body)
        if self.cycle is not None and self.cycle.response_complete:
            self._discarded += len(body)
            if self._discarded > DISCARD_BYTES_MAX:
                self.transport.close()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._in_body = False
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None
        if not self.transport.is_closing():
            super().on_message_complete()

    def _begin_body_timer(self) -> None:
        self._body_timer = self.loop.call_later(self.limits.body_idle_seconds, self._look_at_body)

    def _look_at_body(self) -> None:
        """Every so often while a body is awaited. A body that the app does not read now is not late."""
        self._body_timer = None
        if not self._in_body or self.transport.is_closing():
            return
        if self.flow.read_paused:
            self._body_began, self._body_bytes, self._body_seen = self.loop.time(), 0, 0
            self._begin_body_timer()
            return
        seconds = self.loop.time() - self._body_began
        slow = self._body_bytes < self.limits.body_bytes_per_second_min * (seconds - RATE_GRACE_SECONDS)
        if self._body_bytes == self._body_seen or slow:
            self._give_up_body()
            return
        self._body_seen = self._body_bytes
        self._begin_body_timer()

    def _give_up_body(self) -> None:
        """To the app it looks as if the client had gone away."""
        if self.cycle is not None and not self.cycle.response_started:
            message = "the body came too slowly or not at all; send it again"
            self.transport.write(refusal("408 Request Timeout", 4, message))
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    # ---- keep-alive

    def on_response_complete(self) -> None:
        """The next head's time begins with its first byte; until then the time of keep-alive counts."""
        super().on_response_complete()
        if self._in_body and not self.transport.is_closing() and self._body_timer is None:
            self._begin_body_timer()  # the answer came before the body's end

    # ---- response

    def pause_writing(self) -> None:
        """The client's buffers are full: it has some time to take something."""
        super().pause_writing()
        self._stall.begin(self.loop, self.transport)

    def resume_writing(self) -> None:
        """The client has taken enough."""
        super().resume_writing()
        self._stall.end()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over; this object's timers must not touch it any more."""
        self._stop_timers()
        super().handle_websocket_upgrade()


class LimitedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's protocol with limits on what it does without the app."""

    limits = HttpLimits()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._stall = StallTimer(self.limits.send_stall_seconds)

    def handle_cont(self, event: Any) -> None:
        """Take a fragment of a message, up to a number."""
        if len(self.frames) >= WEBSOCKET_FRAGMENTS_MAX:
            self.conn.fail(1009, f"a message has more than {WEBSOCKET_FRAGMENTS_MAX} fragments")
            self.handle_parser_exception()
            return
        super().handle_cont(event)

    def handle_ping(self) -> None:
        """Answer a ping. A client that pings and does not read the pongs is not read from either."""
        super().handle_ping()
        if not self.writable.is_set() and not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def send_500_response(self) -> None:
        """Answer for an app that said nothing; uvicorn takes one for it that has refused the handshake with a response."""
        if not self.close_sent:
            super().send_500_response()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer, then as uvicorn does."""
        self._stall.end()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """As in `LimitedHttp`."""
        super().pause_writing()
        self._stall.begin(self.loop, self.transport)

    def resume_writing(self) -> None:
        """Read on if only the pongs had kept us from it."""
        super().resume_writing()
        self._stall.end()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            self.transport.resume_reading()


def limited_protocols(limits: HttpLimits) -> tuple[type[LimitedHttp], type[LimitedWebSocket]]:
    """The two protocols with these limits, for `uvicorn.Config`."""
    http = type("Http", (LimitedHttp,), {"limits": limits})
    websocket = type("WebSocket", (LimitedWebSocket,), {"limits": limits})
    return http, websocket
