"""A job that was submitted alone, and what one can do with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ingest_client.models import ActionResult, Job
from ingest_client.result import JobResult

if TYPE_CHECKING:
    from ingest_client.client import Client


class JobHandle:
    """A job that was accepted by `submit_one`.

    Attributes:
        job_id: its id.
        created: False if it was there before.
    """

    def __init__(
        self, job_id: str, created: bool, settled: Callable[[float | None], Awaitable[JobResult]], client: Client
    ) -> None:
        self.job_id = job_id
        self.created = created
        self._settled = settled
        self._client = client

    async def result(self, timeout_seconds: float | None = None) -> JobResult:
        """Wait for the end of the job.

        Raises:
            JobFailed: it ended otherwise than SUCCEEDED.
            DeadlineExceeded: `timeout_seconds` passed first. The job goes on.
            IngestClientError: the server could not be asked.
        """
        return (await self._settled(timeout_seconds)).raise_for_state()

    async def cancel(self, reason: str = "") -> ActionResult:
        """Ask the job to end."""
        return (await self._client.cancel([self.job_id], reason=reason))[0]

    async def job(self) -> Job:
        """The job as it stands."""
        return await self._client.get(self.job_id)
