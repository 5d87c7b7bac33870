"""Which failed calls are repeated, and after what wait: by reason, with the server's hint, within bounds.

Every RPC of `ingest.v1` is safe to repeat as this client sends it: those that create carry a `request_id`. So what decides is
only whether a repeat can succeed. Waits without a hint follow "full jitter" (Marc Brooker, "Exponential Backoff And Jitter",
AWS Architecture Blog, 2015): uniform between 0 and the exponential ceiling, which spreads a crowd best.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ingest_client.errors import ErrorReason, IngestClientError, Unavailable

_REPEATABLE = frozenset(
    {
        ErrorReason.OVERLOADED,
        ErrorReason.QUOTA_EXCEEDED,
        ErrorReason.STORAGE_FULL,
        ErrorReason.SHUTTING_DOWN,
        ErrorReason.STORE_UNAVAILABLE,
        ErrorReason.BLOB_UPLOAD_BUSY,
    }
)


@dataclass(frozen=True, slots=True)
class RetryLimits:
    """How often and how long a call is repeated.

    Attributes:
        attempts_max: calls in all, the first included; at least 1. The default rides out about 13 s of a server that restarts
            (mean waits of 25, 50 … 1,600 and four of 2,500 ms).
        backoff_seconds: ceiling of the first wait.
        backoff_seconds_max: no ceiling is higher; a hint may be.
        multiplier: from one ceiling to the next.
    """

    attempts_max: int = 12
    backoff_seconds: float = 0.05
    backoff_seconds_max: float = 5.0
    multiplier: float = 2.0

    def __post_init__(self) -> None:
        if self.attempts_max < 1 or self.backoff_seconds <= 0 or self.backoff_seconds_max <= 0 or self.multiplier < 1:
            raise ValueError(f"{self}: attempts_max and multiplier must be at least 1, the waits above 0")


def repeatable(error: IngestClientError) -> bool:
    """Tell whether the same call may succeed later."""
    if error.reason is not None:
        return error.reason in _REPEATABLE
    return isinstance(error, Unavailable)  # the connection broke before the server could say why


def wait_seconds(limits: RetryLimits, attempt: int, error: IngestClientError, random: Callable[[], float]) -> float | None:
    """How long to wait before the next attempt.

    Args:
        limits: the bounds.
        attempt: number of the attempt that failed, from 1.
        error: how it failed.
        random: uniform in [0, 1).

    Returns:
        Seconds; None to give up. Never less than the server's hint: above it lies a quarter of jitter, and the backoff grows
        with repeated refusals.
    """
    if attempt >= limits.attempts_max or not repeatable(error):
        return None
    exponent = min(attempt - 1, 64)  # beyond, the ceiling has long been reached and the power would overflow
    ceiling = min(limits.backoff_seconds_max, limits.backoff_seconds * limits.multiplier**exponent)
    drawn = random()
    if error.retry_after_seconds is None:
        return ceiling * drawn
    return max(error.retry_after_seconds * (1 + drawn / 4), ceiling * drawn)
