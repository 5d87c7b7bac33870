"""What a tenant may use, and the question whether it may use more now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TenantQuota:
    """What one tenant may use. 0 means no limit.

    Attributes:
        live_jobs_max: jobs that have not ended.
        submit_rate_per_second: jobs accepted per second, in the long run.
        weight: share of the workers beside other tenants, at least 1.
        running_max: jobs that run at once.
    """

    live_jobs_max: int = 0
    submit_rate_per_second: float = 0.0
    weight: int = 1
    running_max: int = 0


class Admission(Protocol):
    """Asked before jobs are accepted, told when they end. Use cases see only this of the quotas."""

    def take(self, tenant: str, jobs: int) -> None:
        """Count `jobs` new live jobs for the tenant, all or none. Raises Exhausted (QUOTA_EXCEEDED) with when to come back."""
        ...

    def give_back(self, tenant: str, jobs: int) -> None:
        """Undo a `take` for jobs that were not created after all: they cost neither rate nor place."""
        ...

    def ended(self, tenant: str, jobs: int) -> None:
        """So many jobs of the tenant have reached a terminal state."""
        ...
