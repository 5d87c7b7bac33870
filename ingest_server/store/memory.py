"""The store in memory: the shortest reading of the contract. Nothing survives the process; the rest is as `interface.py` says.

For tests, trials and embedding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ingest_server.domain.errors import Code, Conflict, NotFound, Reason
from ingest_server.domain.job import DEFAULT_QUEUE, JobState
from ingest_server.store import history
from ingest_server.store.interface import StoreCapabilities
from ingest_server.store.memory_reads import MemoryReads
from ingest_server.store.memory_state import Job
from ingest_server.store.records import (
    ActionAnswer,
    JobPolicy,
    JobQuery,
    Lease,
    LeasedJob,
    Listener,
    QueueRow,
    Settlement,
    SubmitAnswer,
    SubmitBatch,
    SubmitCode,
    Verdict,
)

_REQUEST_ID_KEPT_US = _EMPTY_BATCH_KEPT_US = 24 * 3600 * 1_000_000


class MemoryStore(MemoryReads):
    """Jobs in dictionaries.

    Args:
        ageing_us: a waiting job gains one step of priority with every so many microseconds.
    """

    capabilities = StoreCapabilities(name="memory", durable=False, shared=False)

    def __init__(self, *, ageing_us: int = 60_000_000) -> None:
        super().__init__()
        self._ageing_us = ageing_us
        self._listeners: list[Listener] = []
        self._dedupe: dict[tuple[str, str, str], tuple[int, int]] = {}
        self._requests: dict[tuple[str, bytes], tuple[bytes, int, SubmitAnswer]] = {}

    # ---- life

    async def open(self, now_us: int) -> None:
        """See `JobStore.open`."""
        self._opened = True
        self._queues.setdefault(DEFAULT_QUEUE, QueueRow(DEFAULT_QUEUE, 1, 0, 0.0, False))
        for seq in sorted(seq for _, seqs in self._held.leases.values() for seq in seqs):
            self._hand_back(self._held.jobs[seq], now_us)
        self._commit()

    async def close(self) -> None:
        """See `JobStore.close`."""
        self._opened = False

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def _commit(self, *, queue_config: bool = False) -> None:
        self._commits += 1
        deliveries = self._owe(self._held.events)
        changes = self._held.commit(queue_config=queue_config, deliveries=deliveries)
        if changes is not None:
            for listener in self._listeners:
                listener(changes)

    # ---- writes

    async def submit(self, batch: SubmitBatch, now_us: int) -> SubmitAnswer:
        """See `JobStore.submit`."""
        state = self._state()
        stored = self._requests.get((batch.tenant, batch.request_id)) if batch.request_id else None
        if stored is not None and now_us - stored[1] < _REQUEST_ID_KEPT_US:
            if stored[0] != batch.request_digest:
                raise Conflict(
                    f"request_id {batch.request_id.hex()} was used within the last 24 hours for another request: give each "
                    f"request an id of its own",
                    reason=Reason.REQUEST_ID_REUSED,
                    code=Code.ALREADY_EXISTS,
                )
            return stored[2]
        for policy in (batch.policies[job[0]] for index, job in enumerate(batch.jobs) if index not in batch.refused):
            if policy.queue not in self._queues:
                raise NotFound(
                    f'queue "{policy.queue}" does not exist: make it first, or submit to one that does',
                    reason=Reason.QUEUE_NOT_FOUND,
                    metadata={"queue": policy.queue},
                )
        ids, codes = self._choose(batch, now_us)
        parts = bool(batch.policies) and bool(batch.policies[0].part_of)
        batch_id = bytes(16) if parts else batch.batch_id or state.identifiers.take(1, now_us)[0]
        jobs = [
            (index, self._accept(batch, index, ids[index], batch_id, now_us))
            for index, code in enumerate(codes)
            if code == SubmitCode.CREATED
        ]
        if not batch.jobs and (batch.tenant, batch_id) not in state.batches:
            state.batches_empty[state.batch_number(batch.tenant, batch_id)] = now_us
        leased = self._grant(batch, jobs, now_us)
        lease = state.jobs[leased[0][1]].lease if leased else 0
        keys = [(policy.tenant, policy.queue, policy.fairness_key) for policy in batch.policies]
        groups = [state.group_numbers.get(key, 0) for key in keys] if leased else []
        answer = SubmitAnswer(batch_id, ids, codes if any(codes) else [], False, lease, leased, groups)
        if batch.request_id:
            repeat = SubmitAnswer(batch_id, ids, answer.codes, True, 0, [])
            self._requests[batch.tenant, batch.request_id] = (batch.request_digest, now_us, repeat)
        self._commit()
        return answer

    def _choose(self, batch: SubmitBatch, now_us: int) -> tuple[list[bytes], list[int]]:
        """Ids and codes of all items."""
        state = self._held
        ids: list[bytes] = []
        codes: list[int] = []
        fresh: dict[bytes, JobPolicy] = {}
        keys: dict[tuple[str, str], bytes] = {}
        for index, (policy_index, wanted_id, _, key, _) in enumerate(batch.jobs):
            if index in batch.refused:
                ids.append(b"")
                codes.append(int(batch.refused[index]))
                continue
            policy = batch.policies[policy_index]
            code = SubmitCode.EXISTING
            job_id = (keys.get((policy.queue, key)) or self._deduped(batch.tenant, policy.queue, key, now_us)) if key else b""
            if not job_id:
                job_id = wanted_id or state.identifiers.take(1, now_us)[0]
                there = state.by_id.get(job_id)
                if there is not None and there.gone(now_us):
                    state.forget(there)
                    there = None
                owner = there.policy.tenant if there else batch.tenant
                if there is None and job_id not in fresh:
                    code = SubmitCode.CREATED
                    fresh[job_id] = policy
                    if key:
                        keys[policy.queue, key] = job_id
                elif not policy.use_existing or owner != batch.tenant:
                    code = SubmitCode.CONFLICT
            ids.append(job_id)
            codes.append(int(code))
        if batch.all_or_nothing and SubmitCode.CONFLICT in codes:
            for at, job_id in enumerate(ids):
                if job_id in fresh and codes[at] != SubmitCode.CONFLICT:
                    codes[at], ids[at] = int(SubmitCode.REFUSED), batch.jobs[at][1]
        return ids, codes

    def _deduped(self, tenant: str, queue: str, key: str, now_us: int) -> bytes:
        seq, until_us = self._dedupe.get((tenant, queue, key), (0, 0))
        job = self._held.jobs.get(seq)
        return job.job_id if job is not None and until_us > now_us and not job.gone(now_us) else b""

    def _accept(self, batch: SubmitBatch, index: int, job_id: bytes, batch_id: bytes, now_us: int) -> Job:
        state = self._held
        policy_index, _, payload, key, sha256 = batch.jobs[index]
        policy = batch.policies[policy_index]
        later = policy.start_us > now_us
        number = 0 if policy.part_of else state.batch_number(batch.tenant, batch_id)
        group = state.group_number((policy.tenant, policy.queue, policy.fairness_key))
        seq = state.number("seq")
        job = Job(
            seq, job_id, number, group, policy, JobState.SCHEDULED if later else JobState.QUEUED, now_us,
            ((policy.line_us or now_us) - policy.priority * self._ageing_us, seq), payload, {sha256} if sha256 else set(),
            batch.retried_from[index] if batch.retried_from else b"", due_us=policy.start_us if later else 0,
        )  # fmt: skip
        state.jobs[seq] = state.by_id[job_id] = job
        state.groups[group].jobs += 1
        if number:
            state.batches_empty.pop(number, None)
            state.batch_sizes[number] = state.batch_sizes.get(number, 0) + 1
        if key:
            self._dedupe[batch.tenant, policy.queue, key] = (seq, now_us + policy.dedupe_window_us)
        state.emit(job, 0, now_us)
        if not later:
            state.wait(job)
        return job

    def _grant(self, batch: SubmitBatch, jobs: Iterable[tuple[int, Job]], now_us: int) -> list[tuple[int, int]]:
        able = [
            (index, job) for index, job in jobs if job.state is JobState.QUEUED and job.lane is None and not job.overdue(now_us)
        ][: batch.grant]
        if able:
            lease = self._held.position + 1
            for _, job in able:
                self._held.take(job, lease, now_us + batch.grant_lease_us, now_us)
        return [(index, job.seq) for index, job in able]

    async def lease(self, wanted: Sequence[tuple[int, int]], until_us: int, now_us: int) -> Lease:
        """See `JobStore.lease`."""
        state = self._state()
        taken: list[LeasedJob] = []
        number = 0
        for group, count in wanted:
            for _, seq in list(state.groups[group].waiting) if group in state.groups else ():
                job = state.jobs[seq]
                if count <= 0:
                    break
                if job.overdue(now_us) or (job.lane is not None and job.lane in state.lane_holders):
                    continue
                count -= 1
                number = number or state.position + 1
                state.take(job, number, until_us, now_us)
                policy = job.policy
                taken.append(
                    (
                        seq,
                        job.job_id,
                        group,
                        policy.spec,
                        job.payload,
                        job.attempt + 1,
                        job.crash_count,
                        policy.deadline_us,
                        job.create_us,
                    )
                )
        self._commit()
        return Lease(number, taken)

    async def heartbeat(self, leases: Sequence[int], until_us: int, now_us: int) -> Sequence[int]:
        """See `JobStore.heartbeat`."""
        state = self._state()
        for number in leases:
            if number in state.leases:
                state.leases[number] = (until_us, state.leases[number][1])
        self._commit()
        return [number for number in leases if number not in state.leases]

    async def settle(self, settlements: Sequence[Settlement], now_us: int) -> Sequence[int]:
        """See `JobStore.settle`."""
        state = self._state()
        refused: list[int] = []
        for index, settlement in enumerate(settlements):
            job = state.jobs.get(settlement[0])
            if job is None or not job.lease or job.lease != settlement[1]:
                refused.append(index)
            elif settlement[2] == Verdict.HANDED_BACK:
                self._hand_back(job, now_us)
            else:
                self._conclude(job, settlement, now_us)
        self._commit()
        return refused

    def _conclude(self, job: Job, settlement: Settlement, now_us: int) -> None:
        _, _, code, output, failure, progress, sha256, worker, start_us, end_us, due_us = settlement
        verdict, end_us = Verdict(code), end_us or now_us
        if verdict is Verdict.POISONED:
            job.crash_count += 1
            verdict, output = Verdict.FAILED, b""
        number = job.attempt + 1
        cancelling = job.state is JobState.CANCELLING
        record = history.AttemptRecord(number, verdict, start_us, end_us, worker, failure)
        job.history = history.append(job.history, record)
        if verdict is Verdict.CRASHED_RETRY:
            job.crash_count += 1
        else:
            job.attempt = number
        job.start_us, job.worker, job.progress = start_us, worker, progress
        if not (cancelling and (verdict > Verdict.EXPIRED or (verdict is Verdict.CANCELLED and not failure))):
            job.failure = failure
        if verdict > Verdict.EXPIRED and not cancelling:
            later = due_us > now_us
            job.state = JobState.SCHEDULED if later else JobState.QUEUED
            job.due_us = due_us if later else 0
            self._held.release(job)
            self._held.emit(job, job.attempt, now_us, (b"", failure))
            if not later:
                self._held.wait(job)
            return
        job.output = output if verdict <= Verdict.EXPIRED else b""
        job.blobs |= {sha256} if sha256 else set()
        ended = JobState.CANCELLED if verdict > Verdict.EXPIRED else JobState(JobState.SUCCEEDED + verdict)
        self._held.release(job)
        self._held.end(job, ended, end_us)
        self._held.emit(job, job.attempt, now_us, (job.output, job.failure))

    def _hand_back(self, job: Job, now_us: int) -> None:
        self._held.release(job)
        if job.state is JobState.CANCELLING:
            self._held.end(job, JobState.CANCELLED, now_us)
            self._held.emit(job, job.attempt, now_us, (b"", job.failure))
            return
        self._held.emit(job, job.attempt, now_us)
        self._held.wait(job)

    async def cancel(self, query: JobQuery, failure: bytes, limit: int, now_us: int) -> Sequence[ActionAnswer]:
        """See `JobStore.cancel`."""
        states = (JobState.SCHEDULED, JobState.QUEUED, JobState.RUNNING)
        answers: list[ActionAnswer] = []
        for job_id, job in self._found(query, now_us, states, limit):
            if job is None or job.state.terminal:
                answers.append(ActionAnswer(job_id, job.state if job else None, False))
                continue
            changed = job.state is not JobState.CANCELLING
            if changed and job.lease:
                job.state, job.failure = JobState.CANCELLING, failure
                self._held.emit(job, job.attempt + 1, now_us)
            elif changed:
                self._end_waiting(job, JobState.CANCELLED, failure, now_us)
            answers.append(ActionAnswer(job_id, job.state, changed, job.seq if job.lease else 0, job.lease))
        self._commit()
        return answers

    def _end_waiting(self, job: Job, ended: JobState, failure: bytes, now_us: int) -> None:
        if job.state is JobState.QUEUED:
            self._held.leave(job)
        job.failure = failure
        self._held.end(job, ended, now_us)
        self._held.emit(job, job.attempt, now_us, (b"", failure))

    async def delete(self, query: JobQuery, limit: int, now_us: int) -> Sequence[ActionAnswer]:
        """See `JobStore.delete`."""
        answers: list[ActionAnswer] = []
        for job_id, job in self._found(query, now_us, [state for state in JobState if state.terminal], limit):
            if job is not None and job.state.terminal and job.seq in self._held.jobs:
                self._held.forget(job)
                answers.append(ActionAnswer(job_id, None, True))
            else:
                there = job if job is not None and job.seq in self._held.jobs else None
                answers.append(ActionAnswer(job_id, there.public_state if there else None, False))
        self._commit()
        return answers

    async def promote(self, limit: int, now_us: int) -> int:
        """See `JobStore.promote`."""
        state = self._state()
        due = sorted(
            (job.due_us, job.seq) for job in state.jobs.values() if job.state is JobState.SCHEDULED and job.due_us <= now_us
        )
        for _, seq in due[:limit]:
            job = state.jobs[seq]
            job.state, job.due_us = JobState.QUEUED, 0
            state.emit(job, job.attempt, now_us)
            state.wait(job)
        self._commit()
        return len(due[:limit])

    async def reap(self, limit: int, now_us: int, failure: bytes) -> tuple[int, int]:
        """See `JobStore.reap`."""
        state = self._state()
        over = [
            seq for number in sorted(state.leases) if state.leases[number][0] <= now_us for seq in sorted(state.leases[number][1])
        ]
        for seq in over[:limit]:
            self._hand_back(state.jobs[seq], now_us)
        late = sorted(
            (job.policy.deadline_us, job.seq)
            for job in state.jobs.values()
            if not job.state.terminal and not job.lease and job.overdue(now_us)
        )
        for _, seq in late[:limit]:
            self._end_waiting(state.jobs[seq], JobState.EXPIRED, failure, now_us)
        self._commit()
        return len(over[:limit]), len(late[:limit])

    async def purge(self, limit: int, now_us: int, events_before_us: int) -> int:
        """See `JobStore.purge`."""
        state = self._state()
        over = [job for job in state.jobs.values() if job.gone(now_us)][:limit]
        for job in over:
            state.forget(job)
        self._dedupe = {key: value for key, value in self._dedupe.items() if value[1] > now_us}
        self._requests = {key: value for key, value in self._requests.items() if now_us - value[1] < _REQUEST_ID_KEPT_US}
        for number, empty_us in list(state.batches_empty.items()):
            if empty_us <= now_us - _EMPTY_BATCH_KEPT_US:
                del state.batches_empty[number]
                state.forget_batch(number)
        while state.log and max(event[7] for event in state.log[0]) < events_before_us:
            state.forgotten = state.log.pop(0)[-1][0]
        for number in [number for number, group in state.groups.items() if not group.jobs][:limit]:
            del state.group_numbers[state.groups.pop(number).key]
        self._commit()
        return len(over)

    async def put_queue(self, queue: QueueRow, now_us: int) -> None:
        """See `JobStore.put_queue`."""
        self._state()
        self._queues[queue.name] = queue
        self._commit(queue_config=True)
