"""Counts calls in the metrics."""

from __future__ import annotations

from ingest_server.domain.errors import Code
from ingest_server.observability.metrics import Metrics
from ingest_server.wire.calls import Method


class CallCounter:
    """Implements `call_record.CallObserver`. Label values are methods of the contract, codes and reasons: all closed lists."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def call_started(self, method: Method) -> None:
        """See `CallObserver`."""
        self._metrics.calls_started_total.labels(method.name).inc()

    def call_ended(self, method: Method, code: Code, seconds: float, reason: str) -> None:
        """See `CallObserver`."""
        self._metrics.calls_ended_total.labels(method.name, code.name).inc()
        if not method.waits:
            self._metrics.call_seconds.observe(seconds)
        if code == Code.RESOURCE_EXHAUSTED:
            self._metrics.calls_refused_total.labels(reason).inc()
