"""What the use cases need from the scheduler, which stands above them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ingest_server.store.records import JobPolicy, NewJob, SubmitAnswer


class Starter(Protocol):
    """Starts jobs in the very commit that accepts them, when workers are idle and nothing waits."""

    def grant(self, policies: Sequence[JobPolicy], count: int) -> int:
        """Promise room for up to `count` jobs of these policies; 0 when they have to wait their turn. A promise is kept free
        until `redeem`."""
        ...

    def redeem(
        self, granted: int, policies: Sequence[JobPolicy], jobs: Sequence[NewJob], answer: SubmitAnswer | None, now_us: int
    ) -> None:
        """Start the jobs that the store leased under a promise, and give back the rest of it. No answer: the submit failed."""
        ...

    @property
    def grant_lease_us(self) -> int:
        """How long a lease made by a grant lasts."""
        ...


class Canceller(Protocol):
    """Stops running attempts."""

    def cancel(self, seq: int, lease: int) -> None:
        """Ask the attempt to stop; it is settled as CANCELLED."""
        ...


class RateCounter(Protocol):
    """Counts events for a rate."""

    def add(self, count: int) -> None:
        """So many happened now."""
        ...
