"""The paths that are no RPC: /healthz, /readyz and /metrics.

/healthz    the shim's process lives and its loop turns; says nothing of the server, whose loss no restart of the shim mends
/readyz     the server behind says that it takes calls (grpc.health.v1), and the shim does not drain
/metrics    the shim's own, then those of the server behind where their address is known; for callers whom the server itself
            answers, since they tell what GetStats tells
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import grpc
from grpc_health.v1 import health_pb2
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ingest.v1 import server_service_pb2
from ingest_server.domain.address import parse_listen
from ingest_server.rest.errors import from_rpc, rest_error
from ingest_server.rest.exchange import JSON, Endpoint, Exchange
from ingest_server.rest.shim_metrics import ShimMetrics

CHECK = "/grpc.health.v1.Health/Check"
READINESS = "ingest.v1.Readiness"
STATS = "/ingest.v1.ServerService/GetStats"
PROBE_SECONDS_MAX = 2.0
"""Kubernetes gives a probe one second by default, others more; what takes longer is an answer too."""
METRICS_BYTES_MAX = 8 * 1024 * 1024
METRICS_SECONDS_MAX = 5.0
"""Half of what Prometheus gives a scrape by default."""
PLAIN = (b"content-type", b"text/plain; charset=utf-8")


class Probes:
    """Answers them.

    Args:
        metrics: the shim's own.
        upstream_metrics: where the server behind serves its metrics, HOST:PORT or unix:PATH; "" where that is not known.
        draining: whether the shim drains.
    """

    def __init__(self, metrics: ShimMetrics, upstream_metrics: str, draining: Callable[[], bool]) -> None:
        self._metrics = metrics
        self._upstream_metrics = upstream_metrics
        self._draining = draining

    def paths(self) -> Mapping[str, Endpoint]:
        """As `RestApp` wants them."""
        return {"/healthz": self.healthz, "/readyz": self.readyz, "/metrics": self.metrics}

    async def healthz(self, exchange: Exchange) -> None:
        """200 while the process can answer."""
        await exchange.answer(200, b"ok\n", [PLAIN])

    async def readyz(self, exchange: Exchange) -> None:
        """200, or 503 with the reason."""
        if self._draining():
            raise rest_error(grpc.StatusCode.UNAVAILABLE, "the REST shim is shutting down", "SHUTTING_DOWN")
        request = health_pb2.HealthCheckRequest(service=READINESS).SerializeToString()
        try:
            answer = await exchange.upstream.unary(CHECK, request, [], PROBE_SECONDS_MAX)
        except grpc.aio.AioRpcError as error:
            message = f"the server behind does not answer: {error.code().name}: {error.details()}"
            raise rest_error(grpc.StatusCode.UNAVAILABLE, message, "SHUTTING_DOWN") from None
        if health_pb2.HealthCheckResponse.FromString(answer).status != health_pb2.HealthCheckResponse.SERVING:
            raise rest_error(grpc.StatusCode.UNAVAILABLE, "the server behind is not ready, or it drains", "SHUTTING_DOWN")
        await exchange.answer(200, b'{"status":"ready"}\n', [JSON])

    async def metrics(self, exchange: Exchange) -> None:
        """The pages, one after the other. A server whose page cannot be had is told of in a comment: the shim's own figures are
        wanted then more than ever."""
        request = server_service_pb2.GetStatsRequest().SerializeToString()
        try:
            await exchange.upstream.unary(STATS, request, exchange.metadata.pairs, PROBE_SECONDS_MAX)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise from_rpc(error) from None
        page = generate_latest(self._metrics.registry)
        if self._upstream_metrics:
            try:
                async with asyncio.timeout(METRICS_SECONDS_MAX):
                    page += await _fetch(self._upstream_metrics)
            except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError) as error:
                page += b"# the server's metrics cannot be had: %s\n" % type(error).__name__.encode()
        await exchange.answer(200, page, [(b"content-type", CONTENT_TYPE_LATEST.encode())])


async def _fetch(place: str) -> bytes:
    """GET /metrics by HTTP/1.0 in its simplest form: one request, one answer, closed. Raises OSError, ValueError."""
    address = parse_listen(place)
    if address.path:
        reader, writer = await asyncio.open_unix_connection(address.path)
    else:
        reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        writer.write(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = bytearray()
        while piece := await reader.read(1 << 16):
            answer += piece
            if len(answer) > METRICS_BYTES_MAX:
                raise ValueError(f"the server's metrics have more than {METRICS_BYTES_MAX:,} bytes")
    finally:
        writer.transport.abort()
    head, found, body = bytes(answer).partition(b"\r\n\r\n")
    if not found or b" 200 " not in head.partition(b"\r\n")[0]:
        raise ValueError("the server's metrics are not where they should be")
    return body
