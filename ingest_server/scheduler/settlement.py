"""From how an attempt ended to what becomes of its job: a chain of small steps, the only place that decides it.

outcome → match with its attempt → judge → gather → settle in the store → forget
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import Code, Failure, IngestError, Reason
from ingest_server.domain.retry import RetryPolicy, SpecReader
from ingest_server.engines.interface import Outcome, OutcomeCode
from ingest_server.scheduler.fairness import FairShare
from ingest_server.scheduler.inflight import InFlight, InFlightTable
from ingest_server.scheduler.statistics import SchedulerStatistics
from ingest_server.store.interface import JobStore
from ingest_server.store.records import Settlement, Verdict

log = logging.getLogger(__name__)

SETTLE_JOBS_MAX = 4096
"""Settlements in one store call: about 1 MB of small results, some 20 ms of a store's time."""

SETTLE_RETRY_SECONDS = 0.2
"""Wait after the store refused a settle call (disk full, overload) before it is repeated."""
SETTLE_RETRY_SECONDS_MAX = 1.0
"""A longer hint of the store, such as that of a full disk, is meant for callers: they are many, and no job waits for them."""

SETTLE_CALLS_MAX = 2
"""Settle calls under way: while the store commits one, the next is on its way to it."""

CRASH_BACKOFF_US = 100_000
"""Wait before a job that killed its worker runs again: a new worker is forked meanwhile."""

_SUCCEEDED, _DIVIDED = int(OutcomeCode.SUCCEEDED), int(OutcomeCode.DIVIDED)


class Settler:
    """Takes outcomes from engines and concludes their attempts in the store, as many in one call as have gathered.

    Nothing is dropped: a settle call that fails is repeated until the store takes it or refuses the attempts, and their leases
    are kept alive meanwhile.
    """

    def __init__(
        self,
        store: JobStore,
        inflight: InFlightTable,
        fair: FairShare,
        statistics: SchedulerStatistics,
        read_spec: SpecReader,
        clock: Clock,
        random: Callable[[], float],
        on_divided: Callable[[Outcome, InFlight], None],
    ) -> None:
        self._store = store
        self._inflight = inflight
        self._fair = fair
        self._statistics = statistics
        self._read_spec = read_spec
        self._clock = clock
        self._random = random
        self._on_divided = on_divided
        self._pending: list[Settlement] = []
        self._calls: set[asyncio.Task[None]] = set()
        self._moved = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def on_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Take ended attempts. Those that are no longer ours (their lease was lost) are dropped: the store would refuse them."""
        attempts = self._inflight.attempts
        served: dict[int, list[float]] = {}
        pending, cancelling, divided = self._pending, self._inflight.cancelling, self._inflight.divided
        for outcome in outcomes:
            attempt = attempts.get(outcome[0])
            if attempt is None or attempt.lease != outcome[1]:
                continue
            if outcome[2] != _DIVIDED:
                del attempts[outcome[0]]
                if divided:
                    divided.discard(outcome[0])
            elif outcome[0] in divided:
                continue  # told twice: its parts are on their way
            else:
                divided.add(outcome[0])
            seconds = (outcome[9] - outcome[8]) * 1e-6 if outcome[8] else 0.0
            account = served.get(attempt.group)
            if account is None:
                served[attempt.group] = [1, seconds]
            else:
                account[0] += 1
                account[1] += seconds
            if outcome[2] == _DIVIDED:
                self._on_divided(outcome, attempt)  # it is still out
                continue
            pending.append((*outcome, 0) if outcome[2] == _SUCCEEDED else self._judge(outcome, attempt))
            if cancelling:
                cancelling.discard(outcome[0])
        for group, (count, seconds) in served.items():
            self._fair.settle(group, int(count), seconds)
            self._statistics.run.add(seconds / count)
        if pending:
            self._idle.clear()
            self._begin()

    async def run(self) -> None:
        """Until cancelled, look after the calls that settle what arrives. Raises what one of them raised: a fault of ours."""
        try:
            while True:
                await self._moved.wait()
                self._moved.clear()
                for call in [call for call in self._calls if call.done()]:
                    self._calls.discard(call)
                    call.result()
                self._begin()
        finally:
            for call in self._calls:
                call.cancel()
            await asyncio.gather(*self._calls, return_exceptions=True)

    def _begin(self) -> None:
        """Settle what is pending, as far as calls are free."""
        while self._pending and len(self._calls) < SETTLE_CALLS_MAX:
            batch, self._pending = self._pending[:SETTLE_JOBS_MAX], self._pending[SETTLE_JOBS_MAX:]
            # Begun at once, not with the task's first turn.
            answer = asyncio.ensure_future(self._store.settle(batch, self._clock.now_us()))
            call = asyncio.create_task(self._settle(batch, answer), name="settle")
            call.add_done_callback(lambda _: self._moved.set())
            self._calls.add(call)
        if not self._pending and not self._calls:
            self._idle.set()

    async def flush(self, seconds: float) -> bool:
        """Wait until everything that arrived is in the store, at most so long: a store that is gone never takes it. What is left
        runs again when its lease has ended. Answers whether all is in."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            log.error("outcomes were not taken by the store within %g s; their jobs will run again", seconds)
            return False
        return True

    async def _settle(self, batch: list[Settlement], answer: Awaitable[Sequence[int]]) -> None:
        while True:
            try:
                refused = await answer
                break
            except IngestError as error:
                log.warning("settling %d attempts failed, will be repeated: %s", len(batch), error.message)
                await self._clock.sleep(min(error.retry_after_seconds or SETTLE_RETRY_SECONDS, SETTLE_RETRY_SECONDS_MAX))
                answer = self._store.settle(batch, self._clock.now_us())
        leases: dict[int, int] = {}
        verdicts: dict[int, int] = {}
        for settlement in batch:
            lease, verdict = settlement[1], settlement[2]
            leases[lease] = leases.get(lease, 0) + 1
            verdicts[verdict] = verdicts.get(verdict, 0) + 1
        for lease, count in leases.items():
            self._inflight.conclude(lease, count)
        if refused:
            log.info("%d attempts had lost their lease; their late results were dropped", len(refused))
        for index in refused:
            verdicts[batch[index][2]] -= 1
        for verdict, count in verdicts.items():
            if verdict == Verdict.POISONED:
                verdict = Verdict.FAILED.value
            if verdict <= Verdict.EXPIRED:
                self._statistics.ended[verdict] += count
                self._statistics.end_rate.add(count)

    def _judge(self, outcome: Outcome, attempt: InFlight) -> Settlement:
        """Decide what follows an attempt that did not succeed."""
        seq, lease, code, _, failure_bytes, progress, _, worker, start_us, end_us = outcome
        asked_to_stop = seq in self._inflight.cancelling
        policy = self._read_spec(attempt.spec).retry
        failure = Failure.from_bytes(failure_bytes) if failure_bytes else _default_failure(OutcomeCode(code))
        verdict, due_us = self._verdict(OutcomeCode(code), failure, attempt, policy, asked_to_stop, end_us)
        if verdict == Verdict.POISONED:
            failure = _poison(failure, attempt.crash_count + 1)
        kept = b"" if verdict in (Verdict.HANDED_BACK, Verdict.CANCELLED) else failure.to_bytes()
        return seq, lease, int(verdict), b"", kept, progress, b"", worker, start_us, end_us, due_us

    def _verdict(
        self, code: OutcomeCode, failure: Failure, attempt: InFlight, policy: RetryPolicy, asked_to_stop: bool, end_us: int
    ) -> tuple[Verdict, int]:
        if code == OutcomeCode.LOST or (code == OutcomeCode.CANCELLED and not asked_to_stop):
            return Verdict.HANDED_BACK, 0
        if code == OutcomeCode.CANCELLED:
            return Verdict.CANCELLED, 0
        if code == OutcomeCode.EXPIRED:
            return Verdict.EXPIRED, 0
        if code == OutcomeCode.CRASHED:
            if attempt.crash_count + 1 >= policy.max_crashes:
                return Verdict.POISONED, 0
            return Verdict.CRASHED_RETRY, end_us + CRASH_BACKOFF_US
        if policy.permits(failure, attempt.attempt):
            return Verdict.RETRY, end_us + policy.backoff_us(attempt.attempt, self._random)
        return Verdict.FAILED, 0


def _default_failure(code: OutcomeCode) -> Failure:
    """Words for an outcome that came without its own."""
    if code == OutcomeCode.TIMED_OUT:
        return Failure(Code.DEADLINE_EXCEEDED, Reason.ATTEMPT_TIMEOUT, "the attempt ran longer than its attempt_timeout")
    if code == OutcomeCode.EXPIRED:
        return Failure(
            Code.DEADLINE_EXCEEDED, Reason.TOTAL_TIMEOUT, "the job did not end within its total_timeout", retryable=False
        )
    if code == OutcomeCode.CRASHED:
        return Failure(Code.ABORTED, Reason.WORKER_CRASHED, "the worker died while it ran this job")
    return Failure(Code.UNKNOWN, Reason.HANDLER_ERROR, "the attempt failed without a reason")


def _poison(failure: Failure, crashes: int) -> Failure:
    """The last crash of a job that is given up."""
    return Failure(
        Code.ABORTED,
        Reason.POISON_JOB,
        f"the job killed its worker {crashes} times and is not tried again; the last time: {failure.message}",
        failure.metadata,
        retryable=False,
    )
