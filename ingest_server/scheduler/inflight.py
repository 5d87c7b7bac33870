"""The attempts that are out: leased, handed to the engine, and not concluded."""

from __future__ import annotations

from typing import NamedTuple


class InFlight(NamedTuple):
    """What the scheduler must remember of an attempt until it ends."""

    lease: int
    group: int
    job_id: bytes
    attempt: int
    crash_count: int
    spec: bytes


class InFlightTable:
    """Attempts by row number of their job, leases by the number of attempts they still hold, which attempts were asked to stop,
    and which have divided their job. Bounded by what the dispatcher leases."""

    def __init__(self) -> None:
        self.attempts: dict[int, InFlight] = {}
        self.lease_counts: dict[int, int] = {}
        self.cancelling: set[int] = set()
        self.divided: set[int] = set()

    def __len__(self) -> int:
        return len(self.attempts)

    def add_lease(self, lease: int, attempts: dict[int, InFlight]) -> dict[int, InFlight]:
        """Take over a fresh lease with its attempts by row number. Answers those they displace: attempts of the same jobs whose
        lease had ended before a heartbeat could tell."""
        displaced: dict[int, InFlight] = {}
        if not self.attempts.keys().isdisjoint(attempts):
            displaced = {seq: self.attempts[seq] for seq in attempts if seq in self.attempts}
            for seq, attempt in displaced.items():
                self.conclude(attempt.lease, 1)
                self.cancelling.discard(seq)
                self.divided.discard(seq)
        self.attempts.update(attempts)
        self.lease_counts[lease] = len(attempts)
        return displaced

    def conclude(self, lease: int, count: int) -> None:
        """Forget `count` attempts of a lease whose conclusions are in the store; the lease goes with its last."""
        left = self.lease_counts.get(lease, 0) - count
        if left > 0:
            self.lease_counts[lease] = left
        else:
            self.lease_counts.pop(lease, None)

    def drop_lease(self, lease: int) -> dict[int, InFlight]:
        """Forget a lease that is lost, and its attempts. Answers those that were still out, by row number."""
        self.lease_counts.pop(lease, None)
        lost = {seq: attempt for seq, attempt in self.attempts.items() if attempt.lease == lease}
        for seq in lost:
            del self.attempts[seq]
            self.cancelling.discard(seq)
            self.divided.discard(seq)
        return lost
