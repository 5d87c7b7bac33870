"""Deliveries of callbacks as the client tells of them; see delivery.proto for each field."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from ingest_client.models import JobState


class DeliveryState(IntEnum):
    """Where a delivery stands; numbers and meaning as in delivery.proto."""

    UNSPECIFIED = 0
    WAITING = 1
    PENDING = 2
    DELIVERED = 3
    FAILED = 4
    GONE = 5

    @property
    def ended(self) -> bool:
        """Whether it is sent no more, unless somebody asks for it."""
        return self >= DeliveryState.DELIVERED


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One call of the receiver. `http_status` is 0 where no answer came, and `error` then says why."""

    start_time: datetime
    duration_seconds: float
    http_status: int
    error: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One change of a job, owed to one of its callbacks. Times are None where there is none yet."""

    delivery_id: str
    url: str
    event: JobState
    event_time: datetime
    state: DeliveryState
    attempts: tuple[DeliveryAttempt, ...]
    next_attempt_time: datetime | None
    end_time: datetime | None
