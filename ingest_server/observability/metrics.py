"""Every metric of the server, in one place.

Names end in their unit: counters in _total, times in _seconds, sizes in _bytes. What begins and ends has two counters, so a leak
shows as a difference that only grows. No label holds what a client chooses (tenant, queue, job id, label): a client must not be
able to make series.

Hot paths count per batch: one `inc(n)`, one `observe_many`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

LATENCY_BOUNDS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""The 1-2.5-5 series from half a commit to half a minute: all that a call or a commit may take."""
JOB_BOUNDS_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 1_800.0, 3_600.0)
"""Jobs run from microseconds to the default attempt timeout."""


class LoopCounter(Collector):
    """A counter without a lock: it belongs to the thread of the event loop.

    One step of `prometheus_client.Counter` takes 1 µs with its lock, and as much again to find its labels. A single job counts
    twelve times on its way.
    """

    def __init__(self, name: str, documentation: str, labels: Sequence[str], registry: CollectorRegistry) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = tuple(labels)
        self._series: dict[tuple[str, ...], LoopCount] = {}
        if not labels:
            self.labels()
        registry.register(self)

    def labels(self, *values: str) -> LoopCount:
        """The series of these label values, made if it is new."""
        series = self._series.get(values)
        if series is None:
            series = self._series[values] = LoopCount()
        return series

    def inc(self, by: float = 1) -> None:
        """Count, without labels."""
        self._series[()].inc(by)

    def collect(self) -> Iterable[Metric]:
        """Give all series."""
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, series in self._series.items():
            family.add_metric(values, series.value)
        yield family


class LoopCount:
    """One series of a `LoopCounter`."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, by: float = 1) -> None:
        """Count."""
        self.value += by


class BatchHistogram(Collector):
    """A histogram that takes many values at once without a lock: it belongs to the thread of the event loop.

    `prometheus_client.Histogram` locks and walks its buckets for every value, ten times the cost of this.
    """

    def __init__(self, name: str, documentation: str, bounds: Sequence[float], registry: CollectorRegistry) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, value: float) -> None:
        """Count one value. It belongs to the first bucket whose bound is not smaller."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def observe_many(self, values: Iterable[float]) -> None:
        """Count many values."""
        counts, bounds, total = self._counts, self._bounds, 0.0
        for value in values:
            counts[bisect_left(bounds, value)] += 1
            total += value
        self._sum += total

    def collect(self) -> Iterable[Metric]:
        """Give the buckets, cumulative as Prometheus wants them."""
        names = [repr(bound) for bound in self._bounds] + ["+Inf"]
        buckets = list(zip(names, map(float, accumulate(self._counts)), strict=True))
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=self._sum)


class Metrics:
    """The metrics of one server, in a registry of its own: two servers in one process do not mix.

    Attributes are the metrics; each says in its documentation what it counts.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        self._define_calls()
        self._define_jobs()
        self._define_callbacks()

    def watch_level(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """Add a figure that `read` answers when metrics are asked for: `ingest_<name>`. Must be quick."""
        Gauge(f"ingest_{name}", documentation, registry=self.registry).set_function(read)

    def _counter(self, name: str, documentation: str, labels: Sequence[str] = ()) -> LoopCounter:
        return LoopCounter(f"ingest_{name}", documentation, labels, self.registry)

    def _histogram(self, name: str, documentation: str, bounds: Sequence[float]) -> BatchHistogram:
        return BatchHistogram(f"ingest_{name}", documentation, bounds, self.registry)

    def _define_calls(self) -> None:
        self.calls_started_total = self._counter("calls_started_total", "Calls that reached the server.", ["method"])
        self.calls_ended_total = self._counter("calls_ended_total", "Calls that ended, by status code.", ["method", "code"])
        self.call_seconds = self._histogram("call_seconds", "Duration of unary calls.", LATENCY_BOUNDS_SECONDS)
        self.calls_refused_total = self._counter("calls_refused_total", "Calls refused before their work, by reason.", ["reason"])

    def _define_jobs(self) -> None:
        self.jobs_created_total = self._counter("jobs_created_total", "Jobs accepted and new.")
        self.jobs_ended_total = self._counter("jobs_ended_total", "Jobs that reached a terminal state.", ["state"])
        self.attempts_total = self._counter("attempts_total", "Attempts leased and handed to an engine.")
        self.attempts_repeated_total = self._counter(
            "attempts_repeated_total", "Attempts after which the job waits again: retried, crashed, lost or handed back."
        )
        self.commits_total = self._counter("commits_total", "Commits of the store that changed jobs.")
        self.job_wait_seconds = self._histogram(
            "job_wait_seconds", "From acceptance to the lease, one sample a lease.", JOB_BOUNDS_SECONDS
        )
        self.job_run_seconds = self._histogram(
            "job_run_seconds", "From the handler's start to its end, mean of each settled batch.", JOB_BOUNDS_SECONDS
        )

    def _define_callbacks(self) -> None:
        self.callback_attempts_total = self._counter(
            "callback_attempts_total", "Calls of receivers, by outcome: delivered, retried, failed, gone.", ["outcome"]
        )
        self.callback_attempt_seconds = self._histogram(
            "callback_attempt_seconds", "Duration of calls of receivers.", LATENCY_BOUNDS_SECONDS
        )

    def delivery_attempted(self, outcome: str, seconds: float) -> None:
        """Count a call of a receiver (scheduler.callbacks.DeliveryObserver)."""
        self.callback_attempts_total.labels(outcome).inc()
        self.callback_attempt_seconds.observe(seconds)
