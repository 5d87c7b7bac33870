"""Whether a failed attempt is followed by another, and when: the rule, without anybody's state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ingest_server.domain.errors import Failure

BACKOFF_JITTER_FRACTION = 0.2
"""A wait is shortened by up to this part, by chance: jobs that failed together do not come back together. It is never
lengthened, so `max_backoff` is kept."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When and how often a job is tried again; defaults are those of `RetryPolicy` in job.proto.

    Attributes:
        max_attempts: in all, the first included.
        initial_backoff_us, max_backoff_us: first and longest wait.
        backoff_multiplier: from one wait to the next.
        non_retryable_reasons: reasons and exception names that end the job at once.
        max_crashes: times it may kill its worker.
    """

    max_attempts: int = 3
    initial_backoff_us: int = 1_000_000
    max_backoff_us: int = 60_000_000
    backoff_multiplier: float = 2.0
    non_retryable_reasons: frozenset[str] = frozenset()
    max_crashes: int = 3

    def permits(self, failure: Failure, attempt: int) -> bool:
        """Tell whether another attempt follows attempt number `attempt` (from 1), which ended with `failure`."""
        if attempt >= self.max_attempts or not failure.retryable:
            return False
        names = {failure.reason, failure.metadata.get("exception", failure.reason)}
        return names.isdisjoint(self.non_retryable_reasons)

    def backoff_us(self, attempt: int, random: Callable[[], float]) -> int:
        """Microseconds to wait after attempt number `attempt` (from 1). `random` gives numbers in [0, 1)."""
        nominal = float(self.initial_backoff_us)
        for _ in range(attempt - 1):  # a power would overflow long before max_attempts
            nominal *= self.backoff_multiplier
            if nominal >= self.max_backoff_us:
                break
        nominal = min(nominal, float(self.max_backoff_us))
        return int(nominal * (1.0 - BACKOFF_JITTER_FRACTION * random()))


@dataclass(frozen=True, slots=True)
class RunPolicy:
    """What the scheduler must know of a job's spec.

    Attributes:
        timeout_us: longest run of one attempt.
        retry: when it is tried again.
    """

    timeout_us: int
    retry: RetryPolicy


SpecReader = Callable[[bytes], RunPolicy]
"""Reads a job's opaque spec. Whoever wrote the spec provides it, so that the scheduler need not know the encoding."""
