"""Submit jobs: check what only the server can know, make them durable, and start them at once where workers are idle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest_server.domain.caller import Caller
from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import Exhausted
from ingest_server.domain.tenant import Admission
from ingest_server.jobs.blobs import Blobs
from ingest_server.jobs.live_counts import LiveCounts
from ingest_server.jobs.ports import RateCounter, Starter
from ingest_server.jobs.queue_table import QueueTable
from ingest_server.store.interface import JobStore
from ingest_server.store.records import JobPolicy, NewJob, SubmitAnswer, SubmitBatch, SubmitCode

OVERLOAD_RETRY_SECONDS = 1.0
"""When to come back to a server whose queue is full: it drains by thousands of jobs in that time."""


@dataclass(frozen=True, slots=True)
class SubmitCommand:
    """A submit as the wire layer understood it; the fields are those of `SubmitBatch`. Inline payloads may be of any size."""

    request_id: bytes
    request_digest: bytes
    batch_id: bytes
    all_or_nothing: bool
    policies: Sequence[JobPolicy]
    jobs: Sequence[NewJob]
    retried_from: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class SubmitLimits:
    """Bounds of a submit: live jobs of all tenants together, and the largest payload kept in the database."""

    live_jobs_max: Callable[[], int]
    inline_bytes_max: int


class SubmitJobs:
    """The use case."""

    def __init__(
        self,
        store: JobStore,
        blobs: Blobs,
        starter: Starter,
        queues: QueueTable,
        counts: LiveCounts,
        admission: Admission,
        submit_rate: RateCounter,
        clock: Clock,
        limits: SubmitLimits,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._starter = starter
        self._queues = queues
        self._counts = counts
        self._admission = admission
        self._submit_rate = submit_rate
        self._clock = clock
        self._limits = limits
        self._accepting: set[asyncio.Future[SubmitAnswer]] = set()

    async def __call__(self, caller: Caller, command: SubmitCommand) -> SubmitAnswer:
        """Accept the jobs of a command; what was accepted is on disk when this returns.

        Args:
            caller: whose jobs they will be.
            command: the jobs.

        Returns:
            One id and one code per item, in order. Items refused here (unknown queue or blob) hinder no other, unless
            `all_or_nothing`.

        Raises:
            Exhausted: OVERLOADED (too many live jobs, too much waiting for the disk), QUOTA_EXCEEDED, STORAGE_FULL.
            Conflict: REQUEST_ID_REUSED.
        """
        self._check_room(len(command.jobs))
        # A caller that goes away must not stop what is on its way to the disk: jobs leased there have to be started, or they are
        # RUNNING without a worker until their lease ends; and those that were accepted have to be counted.
        accepting = asyncio.ensure_future(self._accept(caller, command))
        self._accepting.add(accepting)
        accepting.add_done_callback(self._accepted)
        return await asyncio.shield(accepting)

    def _accepted(self, accepting: asyncio.Future[SubmitAnswer]) -> None:
        self._accepting.discard(accepting)
        if not accepting.cancelled():
            accepting.exception()  # its caller, if there is one still, raises it

    async def _accept(self, caller: Caller, command: SubmitCommand) -> SubmitAnswer:
        count = len(command.jobs)
        self._admission.take(caller.tenant, count)
        created = 0
        try:
            answer = await self._submit(caller, command, await self._refused(caller, command))
            if not answer.repeated:
                created = sum(code == SubmitCode.CREATED for code in answer.codes) if answer.codes else count
        finally:
            self._admission.give_back(caller.tenant, count - created)
        self._submit_rate.add(created)
        return answer

    def _check_room(self, count: int) -> None:
        most = self._limits.live_jobs_max()
        live = self._counts.total()
        if live + count > most:
            raise Exhausted(
                f"{live} jobs wait or run, {count} more would exceed the limit of {most} (queued_jobs_max); come back later",
                retry_after_seconds=OVERLOAD_RETRY_SECONDS,
            )

    async def _refused(self, caller: Caller, command: SubmitCommand) -> dict[int, SubmitCode]:
        """Items that cannot be accepted, with the reason."""
        refused: dict[int, SubmitCode] = {}
        known = await self._queues.names()
        unknown = {index for index, policy in enumerate(command.policies) if policy.queue not in known}
        if unknown:
            refused.update((index, SubmitCode.QUEUE_NOT_FOUND) for index, job in enumerate(command.jobs) if job[0] in unknown)
        referred = [index for index, job in enumerate(command.jobs) if job[4]]
        if referred:
            digests = list(dict.fromkeys(command.jobs[index][4] for index in referred))
            found = dict(zip(digests, await self._blobs.find(caller, digests), strict=True))
            refused.update((index, SubmitCode.BLOB_NOT_FOUND) for index in referred if not found[command.jobs[index][4]])
        return refused

    async def _submit(self, caller: Caller, command: SubmitCommand, refused: dict[int, SubmitCode]) -> SubmitAnswer:
        jobs = command.jobs
        if refused and command.all_or_nothing:
            codes = [int(refused.get(index, SubmitCode.REFUSED)) for index in range(len(jobs))]
            return SubmitAnswer(command.batch_id, [b""] * len(jobs), codes, False, 0, ())
        most = self._limits.inline_bytes_max + 1  # the payload's mark
        if any(len(job[2]) > most for job in jobs):
            jobs = [await self._spool(caller, job) if len(job[2]) > most and job[2][:1] == b"i" else job for job in jobs]
        now_us = self._clock.now_us()
        granted = self._starter.grant(command.policies, len(jobs)) if not refused else 0
        batch = SubmitBatch(
            caller.tenant,
            command.request_id,
            command.request_digest,
            command.batch_id,
            command.all_or_nothing,
            command.policies,
            jobs,
            granted,
            self._starter.grant_lease_us,
            command.retried_from,
            refused,
        )
        answer: SubmitAnswer | None = None
        try:
            answer = await self._store.submit(batch, now_us)
        finally:
            self._starter.redeem(granted, command.policies, jobs, answer, now_us)
        return answer

    async def _spool(self, caller: Caller, job: NewJob) -> NewJob:
        """Move a large inline payload into the blob store."""
        policy, job_id, payload, dedupe_key, _ = job
        data = memoryview(payload)[1:]
        digest = await self._blobs.put(caller, data)
        return policy, job_id, b"b" + digest + len(data).to_bytes(8, "little"), dedupe_key, digest
