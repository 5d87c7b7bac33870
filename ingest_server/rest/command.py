"""The composition root of the shim as a process: from settings to parts, started and ended in order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import uvloop

from ingest_server.configuration.rest_settings import RestSettings
from ingest_server.domain.clock import SystemClock
from ingest_server.rest.app import RestApp, describe_contract
from ingest_server.rest.documentation import documentation_paths
from ingest_server.rest.http_limits import HttpLimits
from ingest_server.rest.openapi_plain import PROBE_PATHS
from ingest_server.rest.options import RestOptions
from ingest_server.rest.probes import Probes
from ingest_server.rest.serving import HttpServer, ServingOptions
from ingest_server.rest.shim_metrics import Counted, ShimMetrics
from ingest_server.rest.sse import EventStreamOptions
from ingest_server.rest.streams import StreamOptions, Streams
from ingest_server.rest.upstream import Upstream, UpstreamTls

log = logging.getLogger(__name__)


class Shim:
    """One shim: parts and their order.

    Args:
        settings: what to run.
    """

    def __init__(self, settings: RestSettings) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self._upstream = Upstream(settings.rest_upstream, upstream_tls(settings))
        self._streams = Streams(stream_options(settings), self._clock)
        sessions = self._streams.sessions
        metrics = ShimMetrics(lambda: len(sessions), lambda: self._server.connections)
        probes = Probes(metrics, settings.rest_upstream_metrics, lambda: sessions.draining)
        app = RestApp(
            self._upstream,
            rest_options(settings),
            own_paths={**probes.paths(), **documentation_paths(lambda: describe_contract(PROBE_PATHS))},
            stream_endpoint=self._streams.serve,
            websocket_endpoint=self._streams.serve_socket,
        )
        self._server = HttpServer(Counted(app, metrics, self._clock.monotonic), sessions, serving_options(settings), self._clock)

    async def serve(self, listening: socket.socket, end: asyncio.Event, on_ready: Callable[[], None]) -> None:
        """Serve until `end` is set, then drain."""
        await self._server.start([listening])
        on_ready()
        await end.wait()
        log.info("draining: requests under way have %g s to end", self._settings.rest_drain_seconds)
        await self._server.drain(self._settings.rest_drain_seconds)
        await self._upstream.close()


def run(settings: RestSettings, listening: socket.socket, on_ready: Callable[[], None], *, supervised: bool) -> int:
    """Run a shim until it is asked to end.

    Args:
        settings: what to run.
        listening: where.
        on_ready: called when it serves.
        supervised: the end of standard input asks for the end too, and SIGINT is left to whoever started the process.

    Returns:
        The exit status.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what the core writes to stderr is no line of our log
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it warns of every form that a client has got wrong

    async def serve() -> None:
        end = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, end.set)
        if supervised:
            loop.add_signal_handler(signal.SIGINT, lambda: None)
            await _end_with_stdin(end)
        else:
            loop.add_signal_handler(signal.SIGINT, end.set)
        await Shim(settings).serve(listening, end, on_ready)

    uvloop.run(serve())
    return 0


async def _end_with_stdin(end: asyncio.Event) -> None:
    """Set `end` when standard input ends: whoever started us wants it, or is gone."""

    class Reader(asyncio.Protocol):
        def connection_lost(self, _: Exception | None) -> None:
            end.set()

    stdin = os.fdopen(0, "rb", buffering=0)
    await asyncio.get_running_loop().connect_read_pipe(Reader, stdin)


def upstream_tls(settings: RestSettings) -> UpstreamTls | None:
    """How to speak to the server behind; None for plain text."""
    if not settings.upstream_tls_on:
        return None
    return UpstreamTls(
        ca=_path(settings.rest_upstream_ca),
        certificate=_path(settings.rest_upstream_cert),
        key=_path(settings.rest_upstream_key),
        server_name=settings.rest_upstream_name,
    )


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def rest_options(settings: RestSettings) -> RestOptions:
    """Limits of requests."""
    return RestOptions(
        body_bytes_max=settings.rest_body_bytes_max,
        body_seconds_max=settings.rest_body_seconds_max,
        url_bytes_max=settings.rest_head_bytes_max,
        header_bytes_max=settings.rest_head_bytes_max,
        call_seconds_max=settings.rest_call_seconds_max,
        gzip_bytes_min=settings.rest_gzip_bytes_min,
        cors_origins=settings.rest_cors_origins,
        trust_forwarded_for=settings.rest_trust_forwarded_for,
    )


def stream_options(settings: RestSettings) -> StreamOptions:
    """Limits of streams."""
    return StreamOptions(
        streams_max=settings.rest_streams_max,
        events=EventStreamOptions(
            heartbeat_seconds=settings.rest_heartbeat_seconds,
            retry_seconds=settings.rest_retry_seconds,
        ),
        first_message_seconds_max=settings.rest_body_idle_seconds,
        spool_folder=settings.rest_spool_dir or None,
        spool_bytes_max=settings.rest_spool_bytes_max,
        spools_max=settings.rest_spools_max,
    )


def serving_options(settings: RestSettings) -> ServingOptions:
    """Limits of connections."""
    return ServingOptions(
        limits=HttpLimits(
            head_bytes_max=settings.rest_head_bytes_max,
            head_seconds_max=settings.rest_head_seconds_max,
            body_idle_seconds=settings.rest_body_idle_seconds,
            body_bytes_per_second_min=settings.rest_body_bytes_per_second_min,
            send_stall_seconds=settings.rest_send_stall_seconds,
            connections_max=settings.rest_connections_max,
        ),
        keepalive_seconds=settings.rest_keepalive_seconds,
        websocket_bytes_max=settings.rest_body_bytes_max,
        tls_cert=settings.rest_tls_cert,
        tls_key=settings.rest_tls_key,
    )
