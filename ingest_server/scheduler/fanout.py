"""Jobs in parts: submits the parts of a job whose handler divided it, follows them, and starts its merge when all have ended.

The job stays RUNNING under its lease the whole time; it holds no worker while its parts run. Nothing of it is kept on disk but
the parts themselves: they are jobs, with ids that follow from the job's id, its attempt and their index. After a restart the job
is leased anew, divides itself again, and finds the parts that are there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import Code, Failure, IngestError, Reason
from ingest_server.domain.ids import part_id
from ingest_server.domain.job import FIRST_TERMINAL_STATE, JobState
from ingest_server.domain.retry import SpecReader
from ingest_server.engines.interface import Engine, Outcome, OutcomeCode, ProgressRow
from ingest_server.handlers.part_orders import SplitOrder, blob_of, decode_order, input_of
from ingest_server.scheduler.divided import DividedJob
from ingest_server.scheduler.fairness import FairShare
from ingest_server.scheduler.inflight import InFlight, InFlightTable
from ingest_server.scheduler.part_sweep import PartSweep
from ingest_server.store.interface import JobStore
from ingest_server.store.records import Changes, Detail, JobPolicy, JobQuery, JobRow, NewJob, SubmitBatch, SubmitCode

log = logging.getLogger(__name__)

SUBMIT_PARTS_MAX = 1_000
"""Parts of one submit, the same as of a client's."""
PART_TTL_US = 24 * 3_600 * 1_000_000
"""Parts are forgotten when their job has ended; this is for those whose server died just then."""
STORE_RETRY_SECONDS = 0.2
STORE_TRIES_MAX = 50
"""Ten seconds of a store that refuses; then the job is handed back and begins anew."""

_T = TypeVar("_T")


class Fanout:
    """See the module.

    Args:
        store, engine, inflight, fair, read_spec, clock: of the scheduler.
        on_progress: told of newest progress, that of divided jobs included.
        report: takes outcomes, as `EngineListener.on_outcomes`.
    """

    def __init__(
        self,
        store: JobStore,
        engine: Engine,
        inflight: InFlightTable,
        fair: FairShare,
        read_spec: SpecReader,
        clock: Clock,
        *,
        on_progress: Callable[[Sequence[ProgressRow]], None],
        report: Callable[[Sequence[Outcome]], None],
    ) -> None:
        self._store = store
        self._engine = engine
        self._inflight = inflight
        self._fair = fair
        self._read_spec = read_spec
        self._clock = clock
        self._on_progress = on_progress
        self._report = report
        self._jobs: dict[int, DividedJob] = {}
        self._parts: dict[bytes, tuple[DividedJob, int]] = {}
        self._tasks: set[asyncio.Future[None]] = set()
        self._moved = asyncio.Event()
        self.sweep = PartSweep(store, clock, self._spawn, self.stop_attempt)

    # ---- what it hears

    def begin(self, outcome: Outcome, attempt: InFlight) -> None:
        """An attempt ended DIVIDED: its job goes on in parts, under the same lease."""
        seq = outcome[0]
        stale = self._jobs.get(seq)
        if stale is not None:
            self._drop(stale)
        try:
            order = decode_order(outcome[3])
        except msgspec.MsgspecError as error:
            self._fail(seq, attempt, f"the worker's division of the job cannot be read: {error}")
            return
        job = self._jobs[seq] = DividedJob(seq, attempt, order)
        self.sweep.watch(attempt.job_id, ())  # before it is looked at, so that its end does not fall between
        self._spawn(self._run(job))

    def on_changes(self, changes: Changes) -> None:
        """Listener of the store: parts that ended, and jobs whose parts are not needed any more."""
        if not self._parts and not self.sweep.watches:
            return
        for position, _, job_id, _, _, state, _, _ in changes.events:
            if state < FIRST_TERMINAL_STATE:
                continue
            part = self._parts.pop(job_id, None)
            if part is not None:
                output, failure = changes.details.get(position, (b"", b""))
                self._ended(*part, JobState(state), output, failure)
            self.sweep.on_end(job_id)

    def on_progress(self, rows: Sequence[ProgressRow]) -> None:
        """Newest progress of running attempts; that of parts is told as that of their job too."""
        if self._parts:
            told = list(rows)
            for seq, _, progress in told:  # grows meanwhile: a job may be part of another
                attempt = self._inflight.attempts.get(seq)
                part = self._parts.get(attempt.job_id) if attempt is not None else None
                if part is not None:
                    job, index = part
                    told.append((job.seq, job.attempt.lease, job.take_progress(index, progress)))
            rows = told
        self._on_progress(rows)

    def stop_attempt(self, seq: int, lease: int) -> None:
        """Stop an attempt: at once if it waits for parts, whose end its own end brings; by the engine if it runs."""
        attempt = self._inflight.attempts.get(seq)
        if attempt is None or attempt.lease != lease:
            return
        self._inflight.cancelling.add(seq)
        job = self._jobs.get(seq)
        if job is None:
            self._engine.cancel(seq, lease)
        else:
            self._drop(job)
            self._conclude(job, OutcomeCode.CANCELLED)

    def give_up(self, seq: int, attempt: InFlight) -> None:
        """An attempt has lost its lease: stop it, and let go of its place. Its parts stay for the attempt that follows."""
        job = self._jobs.get(seq)
        if job is not None:
            self._drop(job)  # it has no place
            return
        self._fair.charge(attempt.group, -1)
        self._engine.cancel(seq, attempt.lease)

    def miss_none(self) -> None:
        """Hand back the attempts that the engine should hold, and does not."""
        now_us = self._clock.now_us()
        lost = [
            (seq, attempt.lease, int(OutcomeCode.LOST), b"", b"", b"", b"", "", 0, now_us)
            for seq, attempt in self._inflight.attempts.items()
            if seq not in self._jobs and not self._engine.holds(seq, attempt.lease)
        ]
        if lost:
            log.warning("%d attempts were lost by the engine; their jobs are handed back", len(lost))
            self._report(lost)

    def close(self) -> None:
        """Hand back the jobs that wait for parts."""
        for job in list(self._jobs.values()):
            self._drop(job)
            self._conclude(job, OutcomeCode.LOST)

    async def run(self) -> None:
        """Sweep up what a server before has left, then look after the jobs that arrive, until cancelled. Raises what the work for
        one of them raised: a fault of ours."""
        self._spawn(self.sweep.recover())
        try:
            while True:
                await self._moved.wait()
                self._moved.clear()
                for task in [task for task in self._tasks if task.done()]:
                    self._tasks.discard(task)
                    task.result()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # ---- the life of a divided job

    async def _run(self, job: DividedJob) -> None:
        """Submit the parts, wait for them, start the merge."""
        try:
            row = await self._repeated(lambda: self._row_of(job))
            ended = row is None or row.state.terminal or not self.sweep.watching(row.job_id)
            if ended:
                self.sweep.on_end(job.attempt.job_id)
            if self._jobs.get(job.seq) is not job:
                return  # stopped meanwhile
            if row is None or ended:
                self._drop(job)
                self._conclude(job, OutcomeCode.LOST)  # its lease was lost, and it has ended since
                return
            job.payload = row.payload
            job.deadline_us = row.deadline_us
            await self._submit(job, row)
        except IngestError as error:
            log.warning("the parts of a job could not be submitted; it is handed back: %s", error.message)
            self._drop(job)
            self._conclude(job, OutcomeCode.LOST)
            return
        await job.all_ended.wait()
        self._merge(job, row)

    async def _submit(self, job: DividedJob, row: JobRow) -> None:
        order, parent = job.order, job.attempt
        ids = [part_id(parent.job_id, parent.attempt, index, part.head) for index, part in enumerate(order.parts)]
        self._parts.update((part, (job, index)) for index, part in enumerate(ids))
        self.sweep.watch(parent.job_id, ids)
        policy = _policy(row, order.spec)
        given = input_of(row.payload)
        present: list[bytes] = []
        for start in range(0, len(ids), SUBMIT_PARTS_MAX):
            stop = start + SUBMIT_PARTS_MAX
            jobs = _new_jobs(order, ids, given, start, min(stop, len(ids)))
            batch = SubmitBatch(row.tenant, b"", b"", b"", False, [policy], jobs)
            answer = await self._repeated(lambda batch=batch: self._store.submit(batch, self._clock.now_us()))  # type: ignore[misc]
            present += [answer.job_ids[at] for at, code in enumerate(answer.codes) if code == SubmitCode.EXISTING]
        if not self.sweep.watching(parent.job_id):
            await self.sweep.look_after({parent.job_id: ids})  # the job has ended, perhaps before its last parts were there
        elif present:
            await self._look_at(present)

    async def _look_at(self, present: Sequence[bytes]) -> None:
        """Take the ends of parts that were there before."""
        for start in range(0, len(present), SUBMIT_PARTS_MAX):
            query = JobQuery("", job_ids=present[start : start + SUBMIT_PARTS_MAX])
            page = await self._repeated(
                lambda query=query: self._store.jobs(  # type: ignore[misc]
                    query, limit=SUBMIT_PARTS_MAX, detail=Detail.OUTPUT, now_us=self._clock.now_us()
                )
            )
            for row in page.rows:
                if row.state.terminal and (part := self._parts.pop(row.job_id, None)) is not None:
                    self._ended(*part, row.state, row.output, row.failure)

    def _ended(self, job: DividedJob, index: int, state: JobState, output: bytes, failure: bytes) -> None:
        if state is not JobState.SUCCEEDED and not failure:
            failure = Failure(Code.ABORTED, Reason.CANCELLED_BY_CALLER, f"the part was {state.name.lower()}").to_bytes()
        if job.take_end(index, output, b"" if state is JobState.SUCCEEDED else failure):
            self._on_progress([(job.seq, job.attempt.lease, job.progress())])

    def _merge(self, job: DividedJob, row: JobRow) -> None:
        """Give the job back to the engine, which merges."""
        seq, attempt = job.seq, job.attempt
        if self._inflight.attempts.get(seq) is not attempt or self._jobs.get(seq) is not job:
            return  # its lease was lost meanwhile
        del self._jobs[seq]
        self._fair.add_group(attempt.group, row.tenant, row.queue, row.fairness_key)  # it may have been forgotten
        self._fair.charge(attempt.group, 1)
        timeout_us = self._read_spec(attempt.spec).timeout_us
        key = (seq, attempt.lease, attempt.job_id, attempt.attempt, attempt.spec)
        self._engine.start([(*key, job.merge_payload(), timeout_us, job.deadline_us, attempt.crash_count)])

    # ---- small steps

    async def _row_of(self, job: DividedJob) -> JobRow | None:
        query = JobQuery("", job_ids=(job.attempt.job_id,))
        page = await self._store.jobs(query, limit=1, detail=Detail.FULL, now_us=self._clock.now_us())
        return page.rows[0] if page.rows else None

    async def _repeated(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """What the store answers, asked again while it refuses. Raises its last IngestError."""
        for _ in range(STORE_TRIES_MAX - 1):
            try:
                return await call()
            except IngestError as error:
                await self._clock.sleep(error.retry_after_seconds or STORE_RETRY_SECONDS)
        return await call()

    def _drop(self, job: DividedJob) -> None:
        """Forget a job; its parts are swept with its end."""
        if self._jobs.get(job.seq) is job:
            del self._jobs[job.seq]
        job.all_ended.set()  # nobody waits for it any more
        for part, (owner, _) in list(self._parts.items()):
            if owner is job:
                del self._parts[part]

    def _conclude(self, job: DividedJob, code: OutcomeCode) -> None:
        if self._fair.leaf(job.attempt.group) is not None:
            self._fair.charge(job.attempt.group, 1)  # given back when it divided, and once more with its outcome
        now_us = self._clock.now_us()
        self._report([(job.seq, job.attempt.lease, int(code), b"", b"", b"", b"", "", 0, now_us)])

    def _fail(self, seq: int, attempt: InFlight, message: str) -> None:
        self._fair.charge(attempt.group, 1)  # as in `_conclude`
        failure = Failure(Code.INTERNAL, Reason.INVALID_RESULT, message, retryable=False).to_bytes()
        self._report([(seq, attempt.lease, int(OutcomeCode.FAILED), b"", failure, b"", b"", "", 0, self._clock.now_us())])

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(lambda _: self._moved.set())


def _policy(row: JobRow, spec: bytes) -> JobPolicy:
    """Parts stand in the line of their job, in its place, and end with its deadline."""
    return JobPolicy(
        tenant=row.tenant,
        queue=row.queue,
        fairness_key=row.fairness_key,
        concurrency_key="",
        priority=row.priority,
        labels=(),
        start_us=0,
        deadline_us=row.deadline_us,
        result_ttl_us=PART_TTL_US,
        use_existing=True,
        dedupe_window_us=0,
        spec=spec,
        part_of=row.job_id,
        line_us=row.create_us,
    )


def _new_jobs(order: SplitOrder, ids: Sequence[bytes], given: bytes, start: int, stop: int) -> list[NewJob]:
    """The parts `start` … `stop - 1` as jobs; `given` is what their job works on."""
    jobs: list[NewJob] = []
    for index in range(start, stop):
        part = order.parts[index]
        payload, blob = (given, blob_of(given)) if part.payload is None else (part.payload, part.blob)
        jobs.append((0, ids[index], part.head + payload, "", blob))
    return jobs
