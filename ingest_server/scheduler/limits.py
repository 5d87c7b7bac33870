"""What may start now: pauses, running limits and start rates of queues, and running limits of tenants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest_server.domain.clock import Clock
from ingest_server.scheduler.fairness import FairShare, Node
from ingest_server.store.records import QueueRow

UNLIMITED = 1 << 30
RATE_BURST_SECONDS = 1.0
"""A queue with a start rate may start so many seconds' worth at once after a pause; at least one job."""


@dataclass(slots=True)
class _Bucket:
    """Tokens of a queue with a start rate."""

    tokens: float
    filled_at: float


class StartLimits:
    """Answers `FairShare` how many more jobs a queue or a tenant may start. Rates are token buckets on the monotonic clock."""

    def __init__(self, clock: Clock, tenant_running_max: Callable[[str], int]) -> None:
        self._clock = clock
        self._tenant_running_max = tenant_running_max
        self._queues: dict[str, QueueRow] = {}
        self._buckets: dict[str, _Bucket] = {}
        self._running_before: dict[str, int] = {}

    def configure(self, rows: Sequence[QueueRow], fair: FairShare) -> None:
        """Take over the settings of all queues."""
        self._queues = {row.name: row for row in rows}
        for row in rows:
            fair.set_queue_weight(row.name, row.weight or 1)
            if row.start_rate_per_second <= 0:
                self._buckets.pop(row.name, None)
            elif row.name not in self._buckets:
                self._buckets[row.name] = _Bucket(max(1.0, row.start_rate_per_second), self._clock.monotonic())

    def begin_round(self, fair: FairShare) -> None:
        """Fill the buckets and note where each rated queue stands, before jobs are chosen."""
        now = self._clock.monotonic()
        for name, bucket in self._buckets.items():
            rate = self._queues[name].start_rate_per_second
            most = max(1.0, rate * RATE_BURST_SECONDS)
            bucket.tokens = min(most, bucket.tokens + rate * (now - bucket.filled_at))
            bucket.filled_at = now
            self._running_before[name] = fair.queue(name).running

    def end_round(self, fair: FairShare) -> None:
        """Pay for the jobs that were chosen."""
        for name, bucket in self._buckets.items():
            bucket.tokens -= max(0, fair.queue(name).running - self._running_before[name])

    def allowance(self, node: Node, depth: int) -> int:
        """How many more jobs may start below a queue (depth 1) or a tenant in a queue (depth 2)."""
        if depth != 1:
            most = self._tenant_running_max(node.name)
            return most - node.running if most else UNLIMITED
        row = self._queues.get(node.name)
        if row is None:
            return UNLIMITED
        if row.paused:
            return 0
        allowed = row.running_max - node.running if row.running_max else UNLIMITED
        bucket = self._buckets.get(node.name)
        if bucket is not None:
            allowed = min(allowed, int(bucket.tokens) - (node.running - self._running_before.get(node.name, 0)))
        return allowed

    def is_free(self, queue: str, tenant: str) -> bool:
        """Whether nothing limits a tenant in a queue: then its jobs may start without asking further."""
        row = self._queues.get(queue)
        free = row is not None and not row.paused and not row.running_max and row.start_rate_per_second <= 0
        return free and not self._tenant_running_max(tenant)

    def rated(self) -> bool:
        """Whether any queue has a start rate, so that time alone may allow a start."""
        return bool(self._buckets)
