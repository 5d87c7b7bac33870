"""Retry jobs: failed, cancelled and expired ones go again, each as a new job that names the old one. The old one stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ingest_server.domain.caller import Caller
from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import Code, Conflict, IngestError, NotFound, Reason
from ingest_server.domain.ids import uuid_text
from ingest_server.domain.job import RETRYABLE_STATES, JobState
from ingest_server.jobs.submit import SubmitCommand, SubmitJobs
from ingest_server.jobs.targets import BATCH_PAGE_JOBS, target_query
from ingest_server.store.interface import JobStore
from ingest_server.store.records import CallbackTarget, Detail, JobPolicy, JobRow, NewJob, SubmitCode


@dataclass(frozen=True, slots=True)
class RetryItem:
    """What became of one job: its state, and the new job's id, or why there is none."""

    job_id: bytes
    state: JobState | None
    new_job_id: bytes
    error: IngestError | None


class RetryJobs:
    """The use case.

    Args:
        read_callbacks: of a stored spec, which is opaque here.
    """

    def __init__(
        self,
        store: JobStore,
        submit: SubmitJobs,
        clock: Clock,
        read_callbacks: Callable[[bytes], tuple[CallbackTarget, ...]],
    ) -> None:
        self._store = store
        self._submit = submit
        self._clock = clock
        self._read_callbacks = read_callbacks

    async def __call__(
        self,
        caller: Caller,
        *,
        job_ids: Sequence[bytes] | None,
        batch_id: bytes,
        request_id: bytes,
        request_digest: bytes,
        page: int,
    ) -> tuple[Sequence[RetryItem], bytes, int]:
        """Run jobs again.

        Args:
            caller: whose jobs.
            job_ids: which; None for all retryable jobs of a batch.
            batch_id: which batch, if `job_ids` is None.
            request_id, request_digest: make the call repeatable, as in `SubmitBatch`; b"" for neither.
            page: what the call before answered, 0 at first.

        Returns:
            One item per id in order, or per retryable job of the batch; the batch of the new jobs (b"" if there are none); the
            next page, 0 when there is none.
        """
        query = await target_query(self._store, caller, job_ids, batch_id)
        if job_ids is None:
            query = replace(query, states=frozenset(RETRYABLE_STATES))
        found = await self._store.jobs(
            query,
            limit=len(job_ids) if job_ids is not None else BATCH_PAGE_JOBS,
            from_seq=page,
            detail=Detail.FULL,
            now_us=self._clock.now_us(),
        )
        rows = {row.job_id: row for row in found.rows}
        wanted = job_ids if job_ids is not None else [row.job_id for row in found.rows]
        chosen = [row for job_id in dict.fromkeys(wanted) if (row := rows.get(job_id)) and row.state in RETRYABLE_STATES]
        made, new_batch = await self._submit_again(caller, chosen, request_id, request_digest)
        items = [_item(job_id, rows.get(job_id), made) for job_id in wanted]
        return items, new_batch, found.next_seq if job_ids is None else 0

    async def _submit_again(
        self, caller: Caller, rows: Sequence[JobRow], request_id: bytes, request_digest: bytes
    ) -> tuple[dict[bytes, bytes | SubmitCode], bytes]:
        """Submit copies of the jobs. Answers the new id, or why it was refused, by old id; and the new batch."""
        if not rows:
            return {}, b""
        now_us = self._clock.now_us()
        policies: dict[JobPolicy, int] = {}
        jobs: list[NewJob] = []
        for row in rows:
            index = policies.setdefault(_policy(row, now_us, self._read_callbacks(row.spec)), len(policies))
            blob = row.payload[1:33] if row.payload[:1] == b"b" else b""
            jobs.append((index, b"", row.payload, "", blob))
        origins = [row.job_id for row in rows]
        command = SubmitCommand(request_id, request_digest, b"", False, list(policies), jobs, origins)
        answer = await self._submit(caller, command)
        codes = answer.codes or [SubmitCode.CREATED] * len(rows)
        made = {
            row.job_id: job_id if code == SubmitCode.CREATED else SubmitCode(code)
            for row, job_id, code in zip(rows, answer.job_ids, codes, strict=True)
        }
        return made, answer.batch_id


def _policy(row: JobRow, now_us: int, callbacks: tuple[CallbackTarget, ...]) -> JobPolicy:
    """The policy the job was submitted with, its spans of time counted from now."""
    return JobPolicy(
        tenant=row.tenant,
        queue=row.queue,
        fairness_key=row.fairness_key,
        concurrency_key=row.concurrency_key,
        priority=row.priority,
        labels=row.labels,
        start_us=0,
        deadline_us=now_us + row.deadline_us - row.create_us if row.deadline_us else 0,
        result_ttl_us=row.expire_us - row.end_us,
        use_existing=False,
        dedupe_window_us=0,
        spec=row.spec,
        callbacks=callbacks,
    )


def _item(job_id: bytes, row: JobRow | None, made: dict[bytes, bytes | SubmitCode]) -> RetryItem:
    if row is None:
        return RetryItem(job_id, None, b"", NotFound(f"job {uuid_text(job_id)} is not known"))
    new = made.get(job_id)
    if isinstance(new, bytes):
        return RetryItem(job_id, row.state, new, None)
    error: IngestError
    if new == SubmitCode.QUEUE_NOT_FOUND:
        error = NotFound(f"its queue {row.queue!r} does not exist any more", reason=Reason.QUEUE_NOT_FOUND)
    elif new is not None:
        error = NotFound("its input is not kept any more", reason=Reason.BLOB_NOT_FOUND)
    elif row.state.terminal:
        error = Conflict(f"the job {row.state.name}, so there is nothing to retry", reason=Reason.JOB_NOT_RETRYABLE)
    else:
        error = Conflict(
            f"the job is {row.state.name}; wait for its end", reason=Reason.JOB_NOT_TERMINAL, code=Code.FAILED_PRECONDITION
        )
    return RetryItem(job_id, row.state, b"", error)
