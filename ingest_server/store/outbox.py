"""The outbox of a job store: deliveries of callbacks, made with the events they tell of, kept until ended and the job is gone.

**A delivery** is one event of one job, owed to one of the job's callbacks (a *target*). It is made in the very transaction that
writes the event, so either both are on disk or neither. Its number is `position << 3 | target`: larger for later events, never
used again. It carries all that its body is made of, so it outlives its job: one that is purged or deleted still tells of its end.

**A line** is the deliveries of one job to one target, by number. Only the first that has not ended is PENDING; those behind it
are WAITING. So a receiver hears of the states of a job in their order.

A line takes at most `LINE_DELIVERIES_MAX` deliveries of states that are not terminal; further ones are not made. The terminal one
always is.

What holds of all verbs (atomicity, durability, errors, time) is said in `interface.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from ingest_server.domain.job import JobState

TARGETS_MAX = 8
"""Callbacks of one job (job.proto, JobSpec.callbacks); three bits of a delivery's number."""
TARGET_BITS = 3
LINE_DELIVERIES_MAX = 100
"""A job that is retried a thousand times must not owe its receiver thousands of calls: states between are news, not a log."""


class DeliveryStatus(IntEnum):
    """Where a delivery stands. From DELIVERED on it has ended."""

    WAITING = 0
    """Behind another of its line."""
    PENDING = 1
    """To be sent at `due_us`."""
    DELIVERED = 2
    FAILED = 3
    """Given up."""
    GONE = 4
    """The receiver answered that it wants no more, to this one or to an earlier one of the line."""


class DeliveryAttempt(NamedTuple):
    """One call of the receiver. `http_status` is 0 where no answer came, and `error` then says why."""

    start_us: int
    duration_us: int
    http_status: int
    error: str


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery.

    Attributes:
        number: see the module.
        job_id, batch_id: 16 bytes each.
        tenant, labels: of the job.
        url, host: where to; `host` is what bounds and fairness go by.
        status: where it stands.
        state, job_attempt, event_us: what is told: the event's state, attempt and time.
        failure: of the job, for terminal states.
        tries: calls made since it was made, or sent again by hand.
        begin_us: since when it has been first of its line; 0 while WAITING.
        due_us: when it is to be sent; 0 unless PENDING.
        end_us: when it ended; 0 before.
        log: attempts as `delivery_log.py` encodes them.
    """

    number: int
    job_id: bytes
    batch_id: bytes
    tenant: str
    labels: tuple[tuple[str, str], ...]
    url: str
    host: str
    status: DeliveryStatus
    state: JobState
    job_attempt: int
    event_us: int
    failure: bytes
    tries: int
    begin_us: int
    due_us: int
    end_us: int
    log: str = ""


DeliveryResult: TypeAlias = tuple[int, int, int, int, DeliveryAttempt]
"""(number, `tries` as it was read, DeliveryStatus after the attempt, due_us: for PENDING, else 0, the attempt)"""


@dataclass(frozen=True, slots=True)
class DuePage:
    """Deliveries to send, and when to look again: `next_due_us` is the earliest due time after now, 0 if there is none."""

    rows: Sequence[DeliveryRow]
    next_due_us: int


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """A page of deliveries of one job; `next_number` begins the next page, 0: there is none."""

    rows: Sequence[DeliveryRow]
    next_number: int


class Outbox(ABC):
    """The verbs of deliveries."""

    @abstractmethod
    async def due_deliveries(self, per_host: int, limit: int, after_host: str, now_us: int) -> DuePage:
        """Read PENDING deliveries whose time has come: of each host the `per_host` longest due, host by host in the order of
        their names from the one behind `after_host` on and around, until `limit` are found. Reading takes nothing: a delivery is
        answered again until `record_deliveries` says how it went. `log` is not filled."""

    @abstractmethod
    async def record_deliveries(self, results: Sequence[DeliveryResult], now_us: int) -> Sequence[int]:
        """Note attempts. Answers the indexes of those refused, ascending.

        Refused, and without effect, is a result whose delivery is not PENDING with as many `tries`. PENDING stays first of its
        line and is due again at `due_us`. DELIVERED and FAILED end it, and the next of the line becomes PENDING at once; GONE
        ends it and all behind it, and all that the line would get later. A delivery that ends after its job was forgotten is
        forgotten too.
        """

    @abstractmethod
    async def deliveries(self, tenant: str, job_id: bytes, *, limit: int, from_number: int, now_us: int) -> DeliveryPage:
        """Read deliveries of a job by number, from `from_number` on (included). Empty if the tenant has no such job."""

    @abstractmethod
    async def redeliver(self, tenant: str, job_id: bytes, numbers: Sequence[int], limit: int, now_us: int) -> Sequence[int]:
        """Send deliveries of a job again: those of `numbers` that have ended, however they did; without numbers those that are
        FAILED or GONE. At most `limit`, the first by number. They keep number and log, `tries` begins anew; each takes its place
        in its line. Answers their numbers, ascending."""
