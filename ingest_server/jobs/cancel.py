"""Cancel jobs: waiting ones end at once, running ones are asked to stop."""

from __future__ import annotations

from collections.abc import Sequence

from ingest_server.domain.caller import Caller
from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import Code, Failure, Reason
from ingest_server.domain.job import JobState
from ingest_server.jobs.ports import Canceller
from ingest_server.jobs.targets import BATCH_PAGE_JOBS, target_query
from ingest_server.store.interface import JobStore
from ingest_server.store.records import ActionAnswer


class CancelJobs:
    """The use case."""

    def __init__(self, store: JobStore, canceller: Canceller, clock: Clock) -> None:
        self._store = store
        self._canceller = canceller
        self._clock = clock

    async def __call__(
        self, caller: Caller, *, job_ids: Sequence[bytes] | None, batch_id: bytes, reason: str, page: int
    ) -> tuple[Sequence[ActionAnswer], int]:
        """Ask jobs to end.

        Args:
            caller: whose jobs.
            job_ids: which; None for all live jobs of a batch.
            batch_id: which batch, if `job_ids` is None.
            reason: kept in the job's failure; "" for none.
            page: what the call before answered, 0 at first.

        Returns:
            One answer per id in order, or per live job of the batch; and the next page, 0 when there is none. Jobs that were
            asked before and still run are asked again.
        """
        query = await target_query(self._store, caller, job_ids, batch_id)
        limit = len(job_ids) if job_ids is not None else BATCH_PAGE_JOBS
        answers = await self._store.cancel(query, cancelled_by_caller(reason), limit, self._clock.now_us())
        for answer in answers:
            if answer.lease:
                self._canceller.cancel(answer.seq, answer.lease)
        if job_ids is not None:
            return answers, 0
        # Running jobs stay live while they stop: only a full page that ended something promises that another helps.
        ended = any(answer.changed and answer.state == JobState.CANCELLED for answer in answers)
        return answers, page + 1 if ended and len(answers) >= limit else 0


def cancelled_by_caller(reason: str) -> bytes:
    """The failure of a job that its owner ended."""
    text = f"cancelled by its owner: {reason}" if reason else "cancelled by its owner"
    metadata = {"reason": reason} if reason else {}
    return Failure(Code.CANCELLED, Reason.CANCELLED_BY_CALLER, text, metadata, retryable=False).to_bytes()
