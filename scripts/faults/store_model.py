"""What the job store must hold after commands that it has acknowledged: the shortest reading of its promises."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

from ingest_server.domain.job import JobState
from ingest_server.store.records import JobRow, Verdict

TTL_US = 10**15
"""Longer than any history: nothing is forgotten by itself."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One job, as it must be found. `lease` and `seq` tell who holds it; 0 for nobody."""

    state: JobState
    payload: bytes
    attempt: int = 0
    crash_count: int = 0
    output: bytes = b""
    failure: bytes = b""
    due_us: int = 0
    lease: int = 0
    seq: int = 0

    def seen(self) -> tuple[JobState, bytes, int, int, bytes, bytes]:
        """What a reader sees of it once no lease is left."""
        state = self.state
        if self.lease:
            state = JobState.CANCELLED if state is JobState.CANCELLING else JobState.QUEUED
        attempt = self.attempt - 1 if self.lease else self.attempt
        return state, self.payload, attempt, self.crash_count, self.output, self.failure


def seen(row: JobRow) -> tuple[JobState, bytes, int, int, bytes, bytes]:
    """The same of a row that was read."""
    return row.state, row.payload, row.attempt, row.crash_count, row.output, row.failure


@dataclass(slots=True)
class Model:
    """All jobs, and the requests that were answered.

    Attributes:
        jobs: by job id.
        requests: request id → (command, job ids of its answer).
    """

    jobs: dict[bytes, Kept] = field(default_factory=dict)
    requests: dict[bytes, tuple[tuple[Any, ...], list[bytes]]] = field(default_factory=dict)

    def copy(self) -> Model:
        """Another that goes its own way."""
        return Model(dict(self.jobs), dict(self.requests))

    def apply(self, verb: str, arguments: tuple[Any, ...]) -> None:
        """The effect of a command other than `lease`, whose effect its answer tells: `leased`."""
        getattr(self, f"_{verb}")(*arguments)

    def leased(self, number: int, jobs: list[tuple[Any, ...]]) -> None:
        """A lease was answered."""
        for row in jobs:
            self.jobs[row[1]] = replace(self.jobs[row[1]], state=JobState.RUNNING, lease=number, seq=row[0], attempt=row[5])

    def without_leases(self) -> None:
        """The server has gone: as `Kept.seen`."""
        for job_id, job in self.jobs.items():
            if job.lease:
                state, _, attempt, _, _, _ = job.seen()
                self.jobs[job_id] = replace(job, state=state, attempt=attempt, lease=0)

    def seen(self) -> dict[bytes, tuple[JobState, bytes, int, int, bytes, bytes]]:
        """What a reader must see when no lease is left."""
        return {job_id: job.seen() for job_id, job in self.jobs.items()}

    def _submit(self, *fields: Any) -> None:
        request_id, policies, jobs, now_us = fields[1], fields[5], fields[6], fields[11]
        for policy, job_id, payload, _, _ in jobs:
            start_us = policies[policy][6]
            state = JobState.SCHEDULED if start_us > now_us else JobState.QUEUED
            self.jobs[job_id] = Kept(state, payload, due_us=start_us)
        self.requests[request_id] = (fields, [job[1] for job in jobs])

    def _settle(self, settlements: list[tuple[Any, ...]], now_us: int) -> None:
        held = {job.seq: job_id for job_id, job in self.jobs.items() if job.lease}
        for seq, lease, verdict, output, failure, _, _, _, _, _, due_us in settlements:
            job_id = held.get(seq)
            if job_id is None or self.jobs[job_id].lease != lease:
                continue
            job = replace(self.jobs[job_id], lease=0)
            if verdict <= Verdict.FAILED:
                state = JobState(verdict + JobState.SUCCEEDED)
                self.jobs[job_id] = replace(job, state=state, output=output, failure=failure)
            elif job.state is JobState.CANCELLING:
                attempt = job.attempt if verdict == Verdict.RETRY else job.attempt - 1
                crashes = job.crash_count + (verdict == Verdict.CRASHED_RETRY)
                kept = job.failure
                self.jobs[job_id] = replace(job, state=JobState.CANCELLED, attempt=attempt, crash_count=crashes, failure=kept)
            elif verdict == Verdict.HANDED_BACK:
                self.jobs[job_id] = replace(job, state=JobState.QUEUED, attempt=job.attempt - 1)
            else:
                crashed = verdict == Verdict.CRASHED_RETRY
                self.jobs[job_id] = replace(
                    job,
                    state=JobState.SCHEDULED if due_us > now_us else JobState.QUEUED,
                    attempt=job.attempt - crashed,
                    crash_count=job.crash_count + crashed,
                    failure=failure,
                    due_us=due_us,
                )

    def _cancel(self, query: tuple[Any, ...], failure: bytes, _limit: int, _now_us: int) -> None:
        for job_id in query[1]:
            job = self.jobs.get(job_id)
            if job is None or job.state.terminal or job.state is JobState.CANCELLING:
                continue
            state = JobState.CANCELLING if job.lease else JobState.CANCELLED
            self.jobs[job_id] = replace(job, state=state, failure=failure)

    def _delete(self, query: tuple[Any, ...], _limit: int, _now_us: int) -> None:
        for job_id in query[1]:
            job = self.jobs.get(job_id)
            if job is not None and job.state.terminal:
                del self.jobs[job_id]

    def _promote(self, _limit: int, now_us: int) -> None:
        for job_id, job in self.jobs.items():
            if job.state is JobState.SCHEDULED and job.due_us <= now_us:
                self.jobs[job_id] = replace(job, state=JobState.QUEUED)


class Chances:
    """Draws commands that fit a model.

    Args:
        chance: decides.
        large_bytes_max: of a payload or output.
    """

    def __init__(self, chance: random.Random, large_bytes_max: int) -> None:
        self._chance = chance
        self._large_bytes_max = large_bytes_max

    def draw(self, model: Model, now_us: int) -> list[tuple[str, tuple[Any, ...]]]:
        """The commands of one commit: a lease alone, or one to four others."""
        chance = self._chance
        if chance.random() < 0.25:
            return [("lease", ([(1, chance.randint(1, 12))], now_us + 10**12, now_us))]
        drawn = []
        for _ in range(chance.choice([1, 1, 2, 4])):
            verb = chance.choices(["submit", "settle", "cancel", "delete", "promote"], [5, 5, 2, 1, 1])[0]
            arguments = getattr(self, f"_{verb}")(model, now_us)
            if arguments is not None:
                drawn.append((verb, arguments))
        return drawn or [("submit", self._submit(model, now_us))]

    def _bytes(self) -> bytes:
        chance = self._chance
        size = chance.randrange(60) if chance.random() < 0.9 else chance.randrange(self._large_bytes_max)
        return chance.randbytes(size)

    def _submit(self, _: Model, now_us: int) -> tuple[Any, ...]:
        chance = self._chance
        start_us = now_us + chance.randrange(1, 50) if chance.random() < 0.2 else 0
        policy = (
            "default",
            "default",
            "",
            "",
            5,
            (("of", str(chance.randrange(3))),),
            start_us,
            0,
            TTL_US,
            False,
            0,
            b"spec",
            b"",
            0,
        )
        jobs = [(0, chance.randbytes(16), self._bytes(), "", b"") for _ in range(chance.choice([1, 1, 3, 20]))]
        request_id, digest = chance.randbytes(16), chance.randbytes(32)
        return "default", request_id, digest, chance.randbytes(16), False, [policy], jobs, 0, 0, [], {}, now_us, {}

    def _settle(self, model: Model, now_us: int) -> tuple[Any, ...] | None:
        chance = self._chance
        held = [job for job in model.jobs.values() if job.lease]
        if not held:
            return None
        rows = []
        for job in chance.sample(held, chance.randint(1, len(held))):
            verdict = chance.choices(list(Verdict)[:7], [12, 2, 0, 0, 2, 1, 1])[0]
            output = self._bytes() if verdict is Verdict.SUCCEEDED else b""
            failure = b"why" if verdict in (Verdict.FAILED, Verdict.RETRY, Verdict.CRASHED_RETRY) else b""
            due_us = now_us + chance.randrange(-5, 20) if verdict in (Verdict.RETRY, Verdict.CRASHED_RETRY) else 0
            rows.append((job.seq, job.lease, int(verdict), output, failure, b"", b"", "worker", now_us, now_us, due_us))
        return rows, now_us

    def _cancel(self, model: Model, now_us: int) -> tuple[Any, ...] | None:
        return self._of_some(model, now_us, b"cancelled")

    def _delete(self, model: Model, now_us: int) -> tuple[Any, ...] | None:
        return self._of_some(model, now_us)

    def _of_some(self, model: Model, now_us: int, *more: bytes) -> tuple[Any, ...] | None:
        if not model.jobs:
            return None
        ids = self._chance.sample(list(model.jobs), min(len(model.jobs), self._chance.randint(1, 4)))
        return ("default", ids, b"", (), (), (), 0, 0, b""), *more, 1_000, now_us

    def _promote(self, _: Model, now_us: int) -> tuple[Any, ...]:
        return 10_000, now_us
