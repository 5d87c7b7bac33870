"""What follows an attempt to deliver a callback: done, another attempt, or the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from ingest_server.domain.retry import BACKOFF_JITTER_FRACTION

_BACKOFF_MULTIPLIER = 2
_GONE = 410


class Answer(IntEnum):
    """What a receiver's answer means (Standard Webhooks, "Webhook failure handling")."""

    DELIVERED = 0
    """2xx."""
    AGAIN = 1
    """Any other status, redirects too, or no answer at all."""
    GONE = 2
    """410: it wants no more of these."""


def read_status(http_status: int) -> Answer:
    """What an HTTP status means; 0 for no answer."""
    if 200 <= http_status < 300:
        return Answer.DELIVERED
    return Answer.GONE if http_status == _GONE else Answer.AGAIN


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """When and how often a delivery is tried again. Times in microseconds.

    Attributes:
        attempts_max: in all.
        total_us: no attempt is begun later than this after the first could have been.
        backoff_initial_us, backoff_max_us: first and longest wait; each is twice the one before, shortened by chance by up to a
            fifth.
    """

    attempts_max: int
    total_us: int
    backoff_initial_us: int
    backoff_max_us: int

    def next_us(
        self, attempts: int, begin_us: int, now_us: int, retry_after_seconds: float, random: Callable[[], float]
    ) -> int | None:
        """When the next attempt is due.

        Args:
            attempts: made so far, this one included.
            begin_us: when the first could have been made.
            now_us: end of this one.
            retry_after_seconds: what the receiver asked for, 0 for nothing; it may lengthen the wait, never shorten it.
            random: gives numbers in [0, 1).

        Returns:
            The time, or None: no other follows.
        """
        if attempts >= self.attempts_max:
            return None
        wait_us = self.backoff_initial_us
        for _ in range(attempts - 1):  # a power would grow beyond all bounds
            wait_us *= _BACKOFF_MULTIPLIER
            if wait_us >= self.backoff_max_us:
                break
        wait_us = int(min(wait_us, self.backoff_max_us) * (1.0 - BACKOFF_JITTER_FRACTION * random()))
        due_us = now_us + max(wait_us, int(min(retry_after_seconds * 1_000_000, self.total_us)))
        return due_us if due_us <= begin_us + self.total_us else None
