"""The shim as an HTTP server: uvicorn with uvloop and httptools, limits of its own, and a drain that lets nobody hang.

uvicorn's own signal handling, logging set-up and access log are not used: the process has one way to end (`drain`) and one log.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass
from typing import Any

import uvicorn

from ingest_server.domain.clock import Clock
from ingest_server.rest.http_limits import HttpLimits, LimitedHttp, limited_protocols
from ingest_server.rest.stream_session import Sessions

log = logging.getLogger(__name__)

TICK_SECONDS = 0.05
BACKLOG = 1_024
"""Connections the kernel may hold until they are accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingOptions:
    """How to serve.

    Attributes:
        limits: of connections.
        keepalive_seconds: a connection without a request is closed after this.
        websocket_bytes_max: largest message of a WebSocket.
        websocket_ping_seconds: a silent WebSocket is asked after this whether it lives, and given up after as long again.
        tls_cert, tls_key: PEM files; "" for plain HTTP.
    """

    limits: HttpLimits
    keepalive_seconds: float = 60.0
    websocket_bytes_max: int = 16 * 1024 * 1024
    websocket_ping_seconds: float = 20.0
    tls_cert: str = ""
    tls_key: str = ""


_NO_FAULTS = (
    "ASGI callable returned without completing handshake.",  # a WebSocket that was refused with a response
    "ASGI callable returned without completing response.",  # a download that the server broke off, cut so that it shows
    "Invalid HTTP request received.",  # answered with 400
)


def _told_elsewhere(record: logging.LogRecord) -> bool:
    """Whether to log a line of uvicorn: not what the app does on purpose, and not what a client does."""
    return record.msg not in _NO_FAULTS


class HttpServer:
    """Serves an ASGI app on sockets that listen already.

    Args:
        app: what answers.
        sessions: the app's streams, told first when it drains.
        options: limits.
        clock: for the drain.
    """

    def __init__(self, app: Any, sessions: Sessions, options: ServingOptions, clock: Clock) -> None:
        http, websocket = limited_protocols(options.limits)
        self._sessions = sessions
        self._clock = clock
        config = uvicorn.Config(
            app,
            loop="none",  # the caller's
            http=http,
            ws=websocket,
            ws_max_size=options.websocket_bytes_max,
            ws_ping_interval=options.websocket_ping_seconds,
            ws_ping_timeout=options.websocket_ping_seconds,
            ws_per_message_deflate=False,  # 64 KiB a connection, and a bomb to defuse in every message
            lifespan="off",
            log_config=None,
            log_level=logging.WARNING,  # its info lines tell what ours tell
            access_log=False,
            proxy_headers=False,  # X-Forwarded-For is read by the app, by its own option
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=options.keepalive_seconds,  # type: ignore[arg-type]  # used as seconds of call_later
            ssl_certfile=options.tls_cert or None,
            ssl_keyfile=options.tls_key or None,
        )
        self._server = uvicorn.Server(config)
        config.load()
        logging.getLogger("uvicorn.error").addFilter(_told_elsewhere)

    @property
    def connections(self) -> int:
        """Open ones."""
        return len(self._server.server_state.connections)

    async def start(self, sockets: list[socket.socket]) -> None:
        """Begin to accept connections."""
        server = self._server
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup(sockets=sockets)
        await server.on_tick(0)
        self._ticking = asyncio.create_task(self._tick(), name="date header")

    async def _tick(self) -> None:
        """Keep the Date header right."""
        while True:
            await self._clock.sleep(1.0)
            await self._server.on_tick(0)

    async def drain(self, seconds: float) -> bool:
        """Accept nothing more, tell the streams, let requests end, then cut what is left. Nothing is left afterwards.

        Returns:
            Whether everything had ended by itself within `seconds`.
        """
        state = self._server.server_state
        for listening in self._server.servers:
            listening.close()
        self._sessions.drain()
        for connection in list(state.connections):
            if isinstance(connection, LimitedHttp):  # a WebSocket is closed by its stream, with a word
                connection.shutdown()
        deadline = self._clock.monotonic() + seconds
        while (state.connections or state.tasks) and self._clock.monotonic() < deadline:
            await self._clock.sleep(TICK_SECONDS)
        in_time = not (state.connections or state.tasks)
        if not in_time:
            log.warning("%d requests did not end within %g s and are cut", len(state.tasks), seconds)
        for task in list(state.tasks):
            task.cancel()
        for connection in list(state.connections):
            connection.transport.abort()
        await asyncio.gather(*state.tasks, return_exceptions=True)
        self._ticking.cancel()
        await asyncio.gather(self._ticking, return_exceptions=True)
        return in_time
