"""Load and speed over the last minute, at a cost per batch rather than per job."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from ingest_server.domain.clock import Clock

WINDOW_SECONDS = 60
SAMPLES_PER_SECOND_MAX = 200


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Seconds below which half, nine tenths and 99 in 100 of `count` samples lie."""

    p50: float
    p90: float
    p99: float
    count: int


class Rate:
    """Events per second over the last minute, in buckets of one second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: deque[tuple[int, int]] = deque(maxlen=WINDOW_SECONDS)
        self._started = clock.monotonic()

    def add(self, count: int) -> None:
        """Count events that happened now."""
        second = int(self._clock.monotonic())
        if self._buckets and self._buckets[-1][0] == second:
            count += self._buckets.pop()[1]
        self._buckets.append((second, count))

    def per_second(self) -> float:
        """The rate over the last minute, or since the start if that was later."""
        now = self._clock.monotonic()
        total = sum(count for second, count in self._buckets if second > now - WINDOW_SECONDS)
        return total / min(max(now - self._started, 1.0), WINDOW_SECONDS)


class LatencyWindow:
    """Quantiles over the last minute, from at most SAMPLES_PER_SECOND_MAX samples a second: the first of each second.

    Args:
        observe: told of every sample, in seconds.
    """

    def __init__(self, clock: Clock, observe: Callable[[float], None]) -> None:
        self._clock = clock
        self._observe = observe
        self._seconds: deque[tuple[int, list[float]]] = deque(maxlen=WINDOW_SECONDS)

    def add(self, seconds: float) -> None:
        """Add one sample."""
        self._observe(max(seconds, 0.0))
        second = int(self._clock.monotonic())
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append((second, []))
        samples = self._seconds[-1][1]
        if len(samples) < SAMPLES_PER_SECOND_MAX:
            samples.append(max(seconds, 0.0))

    def quantiles(self) -> Quantiles:
        """Quantiles of the samples of the last minute; zeros if there are none."""
        since = self._clock.monotonic() - WINDOW_SECONDS
        samples = sorted(sample for second, samples in self._seconds if second > since for sample in samples)
        if not samples:
            return Quantiles(0.0, 0.0, 0.0, 0)
        last = len(samples) - 1
        return Quantiles(samples[last // 2], samples[last * 9 // 10], samples[last * 99 // 100], len(samples))


def _unobserved(seconds: float) -> None:
    """Takes a sample nobody asked for."""


class SchedulerStatistics:
    """What the scheduler counts: ended jobs by verdict and their rate, waits and runs.

    Args:
        clock: for the windows.
        observe_wait, observe_run: told of every sample of a wait or a run, in seconds.
    """

    def __init__(
        self,
        clock: Clock,
        observe_wait: Callable[[float], None] = _unobserved,
        observe_run: Callable[[float], None] = _unobserved,
    ) -> None:
        self.ended = Counter[int]()
        self.end_rate = Rate(clock)
        self.wait = LatencyWindow(clock, observe_wait)
        self.run = LatencyWindow(clock, observe_run)
