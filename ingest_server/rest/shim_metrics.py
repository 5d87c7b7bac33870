"""What the shim counts of itself, and the ASGI layer that counts it.

Names begin with ingest_rest_, so the page of the server behind, shown below on the same page, has none of them. No label holds
what a client chooses.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from ingest_server.observability.metrics import LATENCY_BOUNDS_SECONDS, BatchHistogram
from ingest_server.rest.exchange import Message, Receive, Scope, Send

VERBS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class ShimMetrics:
    """The metrics of one shim, in a registry of its own.

    Args:
        streams_open: how many streams there are now.
        connections_open: how many connections.
    """

    def __init__(self, streams_open: Callable[[], float], connections_open: Callable[[], float]) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "ingest_rest_requests_total", "Requests answered, by status.", ["method", "status"], registry=self.registry
        )
        self.first_byte_seconds = BatchHistogram(
            "ingest_rest_first_byte_seconds", "From the request to the head of its answer.", LATENCY_BOUNDS_SECONDS, self.registry
        )
        Gauge("ingest_rest_streams", "Streams under way.", registry=self.registry).set_function(streams_open)
        Gauge("ingest_rest_connections", "Connections open.", registry=self.registry).set_function(connections_open)


class Counted:
    """An ASGI app whose answers are counted.

    Args:
        app: what answers.
        metrics: what counts.
        monotonic: seconds of a clock that never goes back.
    """

    def __init__(
        self, app: Callable[[Scope, Receive, Send], object], metrics: ShimMetrics, monotonic: Callable[[], float]
    ) -> None:
        self._app: Callable[..., object] = app
        self._metrics = metrics
        self._monotonic = monotonic
        self._children: dict[tuple[str, int], Counter] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)  # type: ignore[misc]  # an ASGI app answers an awaitable
            return
        began = self._monotonic()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.first_byte_seconds.observe(self._monotonic() - began)
                self._count(scope["method"], message["status"])
            await send(message)

        await self._app(scope, receive, counted)  # type: ignore[misc]

    def _count(self, method: str, status: int) -> None:
        key = (method if method in VERBS else "other", status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._metrics.requests.labels(key[0], str(status))
        child.inc()
