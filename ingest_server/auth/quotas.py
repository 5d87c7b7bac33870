"""Quotas of tenants: how many jobs may live, and how fast they may come.

The rate is a token bucket that may go into debt: a call is admitted while the bucket is not empty, whatever its size, and its
jobs are then taken off. So a call of a thousand jobs passes at a rate of a hundred a second, and the next waits ten seconds: the
long-run rate holds, and no size of call is impossible. (A bucket without debt would refuse for ever what is larger than itself.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import Exhausted, Reason
from ingest_server.domain.tenant import TenantQuota

BURST_SECONDS = 1.0
"""The bucket holds the jobs of one second: a tenant that was silent may come with so much at once."""
FULL_RETRY_SECONDS = 1.0
"""When a place becomes free is not known; a second is a guess that neither hammers nor idles."""
NO_QUOTA = TenantQuota()


@dataclass(slots=True)
class _Account:
    """What one tenant uses: live jobs, and the bucket as it stood at a time."""

    live_jobs: int = 0
    bucket_jobs: float = 0.0
    filled_at: float = 0.0


class Quotas:
    """Implements `ingest_server.domain.tenant.Admission`.

    Tenants come from credentials, never from requests, so there are as many accounts as tenants are configured or have jobs.

    Args:
        quotas: tenant → quota; others have none.
        clock: for the rate.
    """

    def __init__(self, quotas: Mapping[str, TenantQuota], clock: Clock) -> None:
        self._quotas = dict(quotas)
        self._clock = clock
        self._accounts: dict[str, _Account] = {}

    def replace(self, quotas: Mapping[str, TenantQuota]) -> None:
        """Hold these quotas from now on. Jobs that live already are kept, also above a smaller limit."""
        self._quotas = dict(quotas)

    def quota(self, tenant: str) -> TenantQuota:
        """What a tenant may use."""
        return self._quotas.get(tenant, NO_QUOTA)

    def live_jobs(self, tenant: str) -> int:
        """Live jobs as counted here."""
        account = self._accounts.get(tenant)
        return account.live_jobs if account else 0

    def restore(self, live_jobs: Mapping[str, int]) -> None:
        """Begin with the live jobs that the store holds: called once, after a start."""
        for tenant, count in live_jobs.items():
            self._account(tenant).live_jobs = count

    def take(self, tenant: str, jobs: int) -> None:
        """Count `jobs` new live jobs, all or none. Raises Exhausted (QUOTA_EXCEEDED) with when to come back."""
        quota, account = self.quota(tenant), self._account(tenant)
        if quota.live_jobs_max and account.live_jobs + jobs > quota.live_jobs_max:
            raise _exceeded(
                f"tenant {tenant} has {account.live_jobs:,} live jobs and may have {quota.live_jobs_max:,}: {jobs:,} more do not "
                "fit. Wait for some to end, or send fewer",
                "live_jobs_max",
                quota.live_jobs_max,
                FULL_RETRY_SECONDS,
            )
        if quota.submit_rate_per_second:
            self._fill(account, quota)
            if account.bucket_jobs <= 0:
                raise _exceeded(
                    f"tenant {tenant} submits faster than its {quota.submit_rate_per_second:g} jobs per second",
                    "submit_rate_per_second",
                    quota.submit_rate_per_second,
                    # The bucket must be above nothing: one job's worth, or less where the bucket holds less.
                    (min(1.0, quota.submit_rate_per_second * BURST_SECONDS) - account.bucket_jobs) / quota.submit_rate_per_second,
                )
            account.bucket_jobs -= jobs
        account.live_jobs += jobs

    def give_back(self, tenant: str, jobs: int) -> None:
        """Undo a `take` for jobs that were not created after all."""
        account = self._account(tenant)
        account.live_jobs = max(account.live_jobs - jobs, 0)
        account.bucket_jobs += jobs

    def ended(self, tenant: str, jobs: int) -> None:
        """So many jobs of the tenant have reached a terminal state."""
        account = self._account(tenant)
        account.live_jobs = max(account.live_jobs - jobs, 0)

    def _account(self, tenant: str) -> _Account:
        account = self._accounts.get(tenant)
        if account is None:
            burst_jobs = self.quota(tenant).submit_rate_per_second * BURST_SECONDS
            account = self._accounts[tenant] = _Account(0, burst_jobs, self._clock.monotonic())
        return account

    def _fill(self, account: _Account, quota: TenantQuota) -> None:
        now = self._clock.monotonic()
        gained_jobs = (now - account.filled_at) * quota.submit_rate_per_second
        account.bucket_jobs = min(account.bucket_jobs + gained_jobs, quota.submit_rate_per_second * BURST_SECONDS)
        account.filled_at = now


def _exceeded(message: str, quota: str, limit: float, retry_after_seconds: float) -> Exhausted:
    return Exhausted(
        message,
        reason=Reason.QUOTA_EXCEEDED,
        metadata={"quota": quota, "limit": f"{limit:g}"},
        retry_after_seconds=retry_after_seconds,
    )
