"""The endpoint of every RPC that streams: chooses the form by what the method does and what the client asks for.

server stream    lines of JSON (ndjson), or events where the client accepts text/event-stream (sse)
client stream    messages of JSON one after another in the body (json_messages)
pieces of bytes  a body as it is (blob_upload, blob_download), where the messages have the fields for it
either           a WebSocket (websocket)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import grpc

from ingest_server.domain.clock import Clock, SystemClock
from ingest_server.rest.blob_download import Download, wants_bytes
from ingest_server.rest.blob_upload import Upload, brings_bytes
from ingest_server.rest.byte_shapes import gives_bytes, takes_bytes
from ingest_server.rest.errors import rest_error
from ingest_server.rest.exchange import Exchange
from ingest_server.rest.json_messages import send_values
from ingest_server.rest.ndjson import send_lines
from ingest_server.rest.routes import Route
from ingest_server.rest.spool import Spools
from ingest_server.rest.sse import EventStream, EventStreamOptions, resume, wants_events
from ingest_server.rest.stream_frames import FrameCache
from ingest_server.rest.stream_session import Sessions
from ingest_server.rest.transcode import read_call
from ingest_server.rest.websocket import SocketStreams


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOptions:
    """Limits of streams.

    Attributes:
        streams_max: at once, of all forms.
        events: times of server-sent events.
        cache_bytes_max: messages and frames kept for further clients of the same.
        first_message_seconds_max: a WebSocket whose client owes the request gets so long.
        spool_folder: where the files of such uploads are made; None: where the system has its temporary files.
        spool_bytes_max: largest upload whose digest is not told beforehand.
        spools_max: such uploads at once.
    """

    streams_max: int = 2_000
    events: EventStreamOptions = field(default_factory=EventStreamOptions)
    cache_bytes_max: int = 8 * 1024 * 1024
    first_message_seconds_max: float = 30.0
    spool_folder: str | None = None
    spool_bytes_max: int = 1 << 30
    spools_max: int = 8


class Streams:
    """Serves all streams of one shim.

    Args:
        options: limits.
        clock: for signs of life.
    """

    def __init__(self, options: StreamOptions | None = None, clock: Clock | None = None) -> None:
        self.options = options or StreamOptions()
        self.sessions = Sessions(self.options.streams_max)
        self._clock = clock or SystemClock()
        self._frames = FrameCache(self.options.cache_bytes_max)
        self._sockets = SocketStreams(self.sessions, self._frames, self.options.first_message_seconds_max)
        self._spools = Spools(self.options.spool_folder, self.options.spool_bytes_max, self.options.spools_max)

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request to a method that streams. An `Endpoint`."""
        assert exchange.match is not None, "streams have routes"
        route = exchange.match.route
        if route.client_streaming:
            await self._serve_client_stream(exchange, route)
            return
        request = await read_call(exchange)
        if gives_bytes(route) and wants_bytes(exchange):
            await Download(exchange, route, request, self.sessions).send()
            return
        events = wants_events(exchange)
        resumed = events and resume(exchange, route, request)
        async with self.sessions.session(exchange.receive) as session:
            call = exchange.upstream.server_stream(
                route.full_method, request.SerializeToString(), exchange.metadata.pairs, exchange.metadata.timeout_seconds
            )
            session.attach(call)
            try:
                if events:
                    stream = EventStream(
                        exchange, route, call, session, resumed=resumed, clock=self._clock, options=self.options.events
                    )
                    await stream.send_events(self._frames)
                else:
                    await send_lines(exchange, route, call, session, self._frames)
            finally:
                call.cancel()

    async def serve_socket(self, exchange: Exchange) -> None:
        """Serve one WebSocket. An `Endpoint`."""
        await self._sockets.serve(exchange)

    async def _serve_client_stream(self, exchange: Exchange, route: Route) -> None:
        if route.server_streaming:
            raise rest_error(
                grpc.StatusCode.UNIMPLEMENTED,
                f"{route.full_method} streams both ways, which HTTP/1.1 cannot: open a WebSocket at this path",
                "NOT_SUPPORTED",
            )
        if takes_bytes(route) and brings_bytes(exchange):
            await Upload(exchange, route, self._spools).receive()
        else:
            await send_values(exchange, route)
