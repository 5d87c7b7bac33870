"""Clients: they submit, repeat what was not answered, cancel, retry and delete; and remember what they were promised."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest_server.domain.errors import Conflict, Exhausted, IngestError, NotFound, Unavailable
from ingest_server.jobs.submit import SubmitCommand
from ingest_server.store.records import JobPolicy, NewJob, SubmitAnswer
from tests.simulation.model import Model
from tests.simulation.server import SECOND, SimulatedServer

TENANTS = ("plain", "other", "limited")
QUEUES = ("default", "narrow", "rated")
SPECS = (b"spec a", b"spec b")


@dataclass(slots=True)
class Submission:
    """A submit and what is known of it. `answers` are those the client read; it repeats the call until it has one."""

    tenant: str
    command: SubmitCommand
    answers: list[SubmitAnswer] = field(default_factory=list)
    given_up: bool = False


class Clients:
    """All of them."""

    def __init__(self, model: Model, chance: random.Random) -> None:
        self._model = model
        self._chance = chance
        self.submissions: list[Submission] = []
        self._chosen_ids: list[bytes] = []

    # ---- making calls

    def new_submission(self, chance: random.Random, now_us: int) -> Submission:
        """A submit of some jobs."""
        tenant = chance.choice(TENANTS)
        count = 1 if chance.random() < 0.5 else chance.randint(2, 6)
        policies = [self._policy(chance, tenant, now_us) for _ in range(chance.choice((1, 1, 2)))]
        jobs: list[NewJob] = []
        for number in range(count):
            key = f"d{chance.randrange(4)}" if chance.random() < 0.12 else ""
            jobs.append((chance.randrange(len(policies)), self._job_id(chance, number), b"i" + chance.randbytes(3), key, b""))
        request_id = chance.randbytes(16) if chance.random() < 0.7 else b""
        batch_id = chance.randbytes(16) if chance.random() < 0.2 else b""
        command = SubmitCommand(request_id, request_id[:4], batch_id, chance.random() < 0.2, policies, jobs)
        submission = Submission(tenant, command)
        self.submissions.append(submission)
        return submission

    def _job_id(self, chance: random.Random, number: int) -> bytes:
        """None of its own, a fresh one, or one that was chosen before."""
        if chance.random() < 0.7:
            return b""
        if self._chosen_ids and chance.random() < 0.3:
            return chance.choice(self._chosen_ids)
        self._chosen_ids.append(chance.randbytes(16))
        return self._chosen_ids[-1]

    def _policy(self, chance: random.Random, tenant: str, now_us: int) -> JobPolicy:
        some = chance.random
        return JobPolicy(
            tenant=tenant,
            queue=chance.choice(QUEUES),
            fairness_key=chance.choice(("", "", "f")),
            concurrency_key=chance.choice(("k", "l")) if some() < 0.3 else "",
            priority=chance.randrange(10),
            labels=(("a", "b"),) if some() < 0.2 else (),
            start_us=now_us + chance.randrange(5 * SECOND) if some() < 0.2 else 0,
            deadline_us=now_us + chance.randrange(20 * SECOND) if some() < 0.15 else 0,
            result_ttl_us=chance.choice((5, 60, 600)) * SECOND,
            use_existing=some() < 0.5,
            dedupe_window_us=chance.choice((2, 30)) * SECOND,
            spec=chance.choice(SPECS),
        )

    # ---- calls

    async def submit(self, server: SimulatedServer, submission: Submission, *, deaf: bool = False) -> None:
        """Make the call; not `deaf`: and read its answer."""
        try:
            answer = await server.submit(server.caller(submission.tenant), submission.command)
        except (Exhausted, Conflict, NotFound):
            submission.given_up = not submission.answers
            return
        except Unavailable:
            submission.given_up = submission.given_up or not submission.command.request_id
            return
        if not deaf:
            self._read(submission, answer)

    def _read(self, submission: Submission, answer: SubmitAnswer) -> None:
        """The client reads an answer: it is a promise now."""
        command = submission.command
        codes = list(answer.codes) or [0] * len(command.jobs)
        if len(answer.job_ids) != len(command.jobs) or len(codes) != len(command.jobs):
            self._model.broken("a submit has fewer answers than items")
        if submission.answers and command.request_id:
            first = submission.answers[0]
            same = list(first.job_ids) == list(answer.job_ids) and (list(first.codes) or [0] * len(codes)) == codes
            if not same and 4 not in first.codes and 4 not in codes:  # a queue not found: refused before the store is asked
                self._model.broken(f"the repeat of request {command.request_id.hex()} got {answer}, first {first}")
        submission.answers.append(answer)
        submission.given_up = False
        for job, job_id, code in zip(command.jobs, answer.job_ids, codes, strict=True):
            if code == 0:
                self._model.acknowledge(job_id)
                if job[1] and job[1] != job_id:
                    self._model.broken("a job was created with another id than its client chose")
            elif code == 1 and not job[3] and job[1] != job_id:
                self._model.broken("EXISTING names another job than the one asked for")

    def to_repeat(self) -> list[Submission]:
        """Those without an answer that are safe to repeat, and some that have one."""
        return [one for one in self.submissions if one.command.request_id and not one.given_up]

    async def cancel(self, server: SimulatedServer, tenant: str, job_ids: Sequence[bytes]) -> None:
        """Ask jobs to end."""
        try:
            answers, _ = await server.cancel(server.caller(tenant), job_ids=job_ids, batch_id=b"", reason="", page=0)
        except IngestError:
            return
        for job_id, answer in zip(job_ids, answers, strict=True):
            if answer.job_id != job_id:
                self._model.broken("a cancel answers for another job")

    async def retry(self, server: SimulatedServer, tenant: str, job_ids: Sequence[bytes], request_id: bytes) -> None:
        """Run ended jobs again."""
        try:
            items, _, _ = await server.retry(
                server.caller(tenant), job_ids=job_ids, batch_id=b"", request_id=request_id, request_digest=b"", page=0
            )
        except IngestError:
            return
        for item in items:
            if item.new_job_id:
                self._model.acknowledge(item.new_job_id)

    async def delete(self, server: SimulatedServer, tenant: str, job_ids: Sequence[bytes]) -> None:
        """Forget ended jobs."""
        self._model.asked_to_delete(job_ids)
        try:
            await server.delete(server.caller(tenant), job_ids=job_ids, batch_id=b"", page=0)
        except IngestError:
            return
