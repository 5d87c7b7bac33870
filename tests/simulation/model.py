"""What must be true of jobs, in plain Python: told of every commit, call, answer and run, it notes what breaks the promise.

It shares no code with what it judges: the states and arrows below are typed anew from the contract.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest_server.engines.interface import AttemptRow
from ingest_server.handlers.part_orders import MERGE, PART, MergeHead, read_merge, read_part
from ingest_server.store.records import Changes, Event, JobRow, Lease, QueueRow, Settlement, SubmitAnswer, SubmitBatch

SCHEDULED, QUEUED, RUNNING, CANCELLING, SUCCEEDED, FAILED, CANCELLED, EXPIRED = range(1, 9)
NEW = 0
ARROWS = {
    NEW: {SCHEDULED, QUEUED},
    SCHEDULED: {QUEUED, CANCELLED, EXPIRED},
    QUEUED: {RUNNING, CANCELLED, EXPIRED},
    RUNNING: {SUCCEEDED, FAILED, EXPIRED, CANCELLING, SCHEDULED, QUEUED},
    CANCELLING: {SUCCEEDED, FAILED, CANCELLED, EXPIRED},
}
HELD = (RUNNING, CANCELLING)
V_SUCCEEDED, V_FAILED, V_CANCELLED, V_EXPIRED, V_RETRY, V_CRASHED, V_HANDED_BACK, V_POISONED = range(8)
O_SUCCEEDED, O_FAILED, O_TIMED_OUT, O_CANCELLED, O_CRASHED, O_LOST, O_EXPIRED, O_DIVIDED = range(8)
GROUNDS: dict[int, set[int | None]] = {
    V_SUCCEEDED: {O_SUCCEEDED},
    V_FAILED: {O_FAILED, O_TIMED_OUT},
    V_RETRY: {O_FAILED, O_TIMED_OUT},
    V_CANCELLED: {O_CANCELLED, O_DIVIDED},
    V_EXPIRED: {O_EXPIRED},
    V_CRASHED: {O_CRASHED},
    V_POISONED: {O_CRASHED},
    V_HANDED_BACK: {O_LOST, O_CANCELLED, O_DIVIDED, None},
}
"""Verdict → what the engine must have reported of the attempt: None where it lost it without a word."""
ENDS = {V_SUCCEEDED: SUCCEEDED, V_FAILED: FAILED, V_POISONED: FAILED, V_CANCELLED: CANCELLED, V_EXPIRED: EXPIRED}
LIMIT_CHANGE_US = 20_000_000
"""A start may be asked for under the limit before for so long: while the new one is read, in the slowest store call."""
NO_LIMIT = 1 << 30


@dataclass(slots=True)
class Known:
    """A job as the events tell it."""

    seq: int
    job_id: bytes
    group: int
    state: int = NEW
    attempt: int = 0
    done: int = 0
    crashes: int = 0
    revision: int = 0
    lease: int = 0
    ended_us: int = 0
    output: bytes = b""
    tenant: str = ""
    queue: str = ""
    lane: str = ""
    ttl_us: int = 0
    part_of: bytes = b""
    learned: bool = False
    may_go: bool = False

    @property
    def terminal(self) -> bool:
        """Whether it has ended."""
        return self.state >= SUCCEEDED


class Model:
    """See the module. What is broken is gathered in `faults`, the first of which counts."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.jobs: dict[bytes, Known] = {}
        self.by_seq: dict[int, Known] = {}
        self.position = 0
        self.log: list[Event] = []
        self.ready: dict[int, int] = {}
        self.leases: dict[int, int] = {}
        self.granted: dict[tuple[int, int], int] = {}
        self.latest_us = 0
        self.opening = False
        self.acknowledged: set[bytes] = set()
        self._given_back: set[tuple[int, int]] = set()
        self._tried_again: set[tuple[int, int]] = set()
        self._reaped_until_us = 0
        self._limits: dict[str, tuple[int, int, int]] = {}
        self._reports: dict[tuple[int, int], set[int | None]] = {}
        self._outputs: dict[tuple[int, int], bytes] = {}
        self._runs: dict[tuple[int, int], tuple[str, bool]] = {}
        self._parts: dict[tuple[int, int], int] = {}
        self._began: dict[tuple[int, int], int] = {}
        self._part_ended_badly: set[bytes] = set()
        self._asked: dict[int, int] = {}
        self._lanes: dict[tuple[str, str, str], int] = {}

    def broken(self, text: str) -> None:
        """A promise is broken."""
        self.faults.append(text)

    # ---- commits

    def on_changes(self, changes: Changes) -> None:
        """Listener of the store."""
        for event in changes.events:
            self._take(event)
        for group, by in changes.ready.items():
            self.ready[group] = self.ready.get(group, 0) + by

    def _take(self, event: Event) -> None:
        position, seq, job_id, group, _, state, attempt, time_us = event
        if position != self.position + 1:
            self.broken(f"the log goes from {self.position} to {position}")
        self.position = position
        self.log.append(event)
        job = self.by_seq.get(seq)
        if job is None:
            job = self.by_seq[seq] = self.jobs[job_id] = Known(seq, job_id, group)
        if state not in ARROWS.get(job.state, ()):
            self.broken(f"job {seq} went from {job.state} to {state}")
        if state == RUNNING and attempt != job.done + 1:
            self.broken(f"job {seq} runs as attempt {attempt} after {job.done}")
        if job.state == RUNNING and state == QUEUED and attempt == job.done:
            self._check_given_back(job)
        elif job.state == RUNNING and state in (SCHEDULED, QUEUED) and attempt != job.done:
            self._check_tried_again(job)
        before, job.state, job.attempt, job.revision = job.state, state, attempt, position
        if state not in HELD:
            if attempt not in (job.done, job.done + 1) or (before not in HELD and attempt != job.done):
                self.broken(f"job {seq} has {attempt} attempts after {job.done}")
            job.done, job.lease = attempt, 0
        if job.terminal:
            job.ended_us = time_us
            if state != SUCCEEDED and job.part_of:
                self._part_ended_badly.add(job.part_of)
        self._hold_lane(job, before)

    def _check_given_back(self, job: Known) -> None:
        """RUNNING → QUEUED with nothing counted, and not for a retry, needs a reason."""
        until_us = self.leases.get(job.lease, 0)
        if self.opening or (job.seq, job.lease) in self._given_back or until_us <= self._reaped_until_us:
            return
        self.broken(f"job {job.seq} lost its lease {job.lease}, which lasts until {until_us}, without a reason")

    def _check_tried_again(self, job: Known) -> None:
        """RUNNING → SCHEDULED or QUEUED with an attempt counted comes of a settlement that says so."""
        if job.lease and (job.seq, job.lease) not in self._tried_again:
            self.broken(f"job {job.seq} has an attempt counted that was not settled so")

    def _hold_lane(self, job: Known, before: int) -> None:
        if not job.lane:
            return
        lane = (job.tenant, job.queue, job.lane)
        if job.state in HELD and before not in HELD:
            holder = self._lanes.setdefault(lane, job.seq)
            if holder != job.seq:
                self.broken(f"jobs {holder} and {job.seq} of concurrency key {job.lane} run at once")
        elif job.state not in HELD and self._lanes.get(lane) == job.seq:
            del self._lanes[lane]

    # ---- calls and answers

    def submitted(self, batch: SubmitBatch, answer: SubmitAnswer, now_us: int, asked_us: int) -> None:
        """The store has answered a submit, which was made at `asked_us` of virtual time."""
        codes = list(answer.codes) or [0] * len(batch.jobs)
        if answer.repeated:
            return
        for index, (job_id, code) in enumerate(zip(answer.job_ids, codes, strict=True)):
            job = self.jobs.get(job_id)
            if code > 1:
                continue
            if job is None:
                self.broken(f"a submit was answered with job {job_id.hex()}, of which the log knows nothing")
            elif code == 0:
                policy = batch.policies[batch.jobs[index][0]]
                self._learn(job, policy.tenant, policy.queue, policy.concurrency_key, policy.result_ttl_us, policy.part_of)
        if batch.all_or_nothing and any(code >= 2 for code in codes) and any(code == 0 for code in codes):
            self.broken("a part of an all-or-nothing submit was accepted")
        if answer.leased:
            self.leases[answer.lease] = now_us + batch.grant_lease_us
            self._asked[answer.lease] = asked_us
            for index, seq in answer.leased:
                self._lease(self.by_seq[seq], answer.lease, answer.job_ids[index])

    def _learn(self, job: Known, tenant: str, queue: str, lane: str, ttl_us: int, part_of: bytes) -> None:
        if job.learned:
            return
        job.tenant, job.queue, job.lane, job.ttl_us, job.part_of, job.learned = tenant, queue, lane, ttl_us, part_of, True
        self._hold_lane(job, NEW)

    def adopt(self, rows: Sequence[JobRow]) -> None:
        """Learn of jobs whose submit was never answered."""
        for row in rows:
            job = self.jobs.get(row.job_id)
            if job is not None:
                self._learn(job, row.tenant, row.queue, row.concurrency_key, 0, row.part_of)

    def leased(self, lease: Lease, until_us: int, asked_us: int) -> None:
        """The store has answered a lease, for which it was asked at this moment of virtual time."""
        if lease.number:
            self.leases[lease.number] = until_us
            self._asked[lease.number] = asked_us
        for row in lease.jobs:
            self._lease(self.by_seq[row[0]], lease.number, row[1])
            if row[6] != self.by_seq[row[0]].crashes:
                self.broken(f"job {row[0]} is leased with {row[6]} crashes, it had {self.by_seq[row[0]].crashes}")

    def _lease(self, job: Known, lease: int, job_id: bytes) -> None:
        if job.job_id != job_id:
            self.broken(f"lease {lease} gives row {job.seq} the id of another job")
        if job.state in HELD:
            job.lease = lease
        self.granted[job.seq, lease] = 0

    def beaten(self, leases: Sequence[int], lost: Sequence[int], until_us: int) -> None:
        """The store has answered a heartbeat."""
        for lease in leases:
            if lease not in lost:
                self.leases[lease] = until_us

    def reaping(self, now_us: int) -> None:
        """The store is asked to end leases."""
        self._reaped_until_us = max(self._reaped_until_us, now_us)

    def settling(self, settlements: Sequence[Settlement]) -> tuple[int, list[bool]]:
        """The store is asked to settle. Answers what `settled` wants."""
        held = []
        for row in settlements:
            job = self.by_seq.get(row[0])
            held.append(job is not None and job.lease == row[1] and job.state in HELD)
            if not GROUNDS[row[2]] & self._reports.get((row[0], row[1]), set()):
                self.broken(f"attempt {row[:2]} is settled as {row[2]}, which no report of its engine says")
            if row[2] in (V_HANDED_BACK, V_CRASHED):
                self._given_back.add((row[0], row[1]))
            elif row[2] == V_RETRY:
                self._tried_again.add((row[0], row[1]))
        return self.position, held

    def settled(self, token: tuple[int, list[bool]], settlements: Sequence[Settlement], refused: Sequence[int]) -> None:
        """The store has answered a settle."""
        position, held = token
        for index, row in enumerate(settlements):
            job = self.by_seq.get(row[0])
            if index in refused:
                if held[index] and job is not None and job.revision <= position:
                    self.broken(f"the store refused the settlement of attempt {row[:2]}, whose lease it holds")
                continue
            if not held[index] or job is None:
                self.broken(f"the store took a settlement of attempt {row[:2]}, whose lease was lost")
                continue
            if job.revision <= position:
                self.broken(f"attempt {row[:2]} was settled, and the log does not tell")
            self._conclude(job, row)

    def _conclude(self, job: Known, row: Settlement) -> None:
        verdict = row[2]
        if verdict in (V_CRASHED, V_POISONED):
            job.crashes += 1
        if not job.terminal:
            return
        job.ended_us = min(job.ended_us, row[9] or job.ended_us)
        expected = ENDS.get(verdict, CANCELLED)
        if job.state != expected:
            self.broken(f"job {job.seq} was settled as {verdict} and is {job.state}")
        if verdict == V_SUCCEEDED:
            job.output = row[3]
            if self._outputs.get((row[0], row[1])) != row[3]:
                self.broken(f"job {job.seq} ended with an output that its run did not give")

    def acknowledge(self, job_id: bytes) -> None:
        """A client has read that this job was created."""
        if job_id not in self.jobs:
            self.broken(f"a client was told of job {job_id.hex()}, of which the log knows nothing")
        self.acknowledged.add(job_id)

    def asked_to_delete(self, job_ids: Sequence[bytes]) -> None:
        """These may be gone from now on, if they have ended."""
        for job_id in job_ids:
            if (job := self.jobs.get(job_id)) is not None:
                job.may_go = True

    def configured(self, row: QueueRow, now_us: int) -> None:
        """A queue's settings were changed at this moment of virtual time."""
        most = 0 if row.paused else row.running_max or NO_LIMIT
        before = self._limits.get(row.name, (NO_LIMIT, 0, 0))
        kept = max(before[0], before[1] if now_us - before[2] < LIMIT_CHANGE_US else 0)
        self._limits[row.name] = (most, kept, now_us)

    # ---- runs

    def run_began(self, row: AttemptRow, number: int, head: MergeHead | None, elapsed_us: int) -> None:
        """The engine was given an attempt, so many microseconds of virtual time after the beginning."""
        key = (row[0], row[1])
        job = self.by_seq[row[0]]
        count = self.granted.get(key)
        if count is None:
            self.broken(f"attempt {key} runs, and the store never leased it")
        elif count != (head is not None):
            self.broken(f"attempt {key} runs once more under the same lease, {'to merge' if head else 'from the start'}")
        self.granted[key] = (count or 0) + 1
        self._began.setdefault((row[0], row[3]), number)
        self._reports.setdefault(key, set())
        if head is not None:
            self._check_merge(key, row, head)
        self._runs[key] = (job.queue, head is not None)
        if head is None:  # merges go on beyond the limit: they wait for nobody
            self._check_limit(job.queue, self._asked.get(row[1], elapsed_us))

    def _check_limit(self, queue: str, asked_us: int) -> None:
        most, before, changed_us = self._limits.get(queue, (NO_LIMIT, 0, 0))
        if asked_us - changed_us < LIMIT_CHANGE_US:
            most = max(most, before)
        held = ((seq, lease) for (seq, lease), (other, merge) in self._runs.items() if other == queue and not merge)
        running = sum(self.by_seq[seq].lease == lease for seq, lease in held)
        if running > most:
            self.broken(f"{running} attempts run in queue {queue}, whose limit is {most}")

    def _check_merge(self, key: tuple[int, int], row: AttemptRow, head: MergeHead) -> None:
        if len(head.ends) != self._parts.get(key, -1):
            self.broken(f"the merge of {key} has {len(head.ends)} parts of {self._parts.get(key, 0)}")
        since = self._began.get((row[0], row[3]), 0)
        for index, end in enumerate(head.ends):
            if end.failure:
                if row[2] not in self._part_ended_badly:
                    self.broken(f"the merge of {key} is told that part {index} failed, and none did")
                continue
            words = end.output.split(b":")
            if words[0] != b"part" or int(words[1]) != index:
                self.broken(f"the merge of {key} has {end.output!r} in place {index}")
            elif int(words[2]) < since:
                self.broken(f"the merge of {key}, attempt {row[3]}, has part {index} of an attempt before")

    def divided(self, row: AttemptRow, parts: int) -> None:
        """A run ends with so many parts."""
        self._parts[row[0], row[1]] = parts

    def run_ended(self, key: tuple[int, int], code: int | None) -> None:
        """A run has ended; `code` is what the engine reports, None if it is silent."""
        self._runs.pop(key, None)
        self._reports.setdefault(key, set()).add(code)

    def output_of(self, row: AttemptRow, number: int) -> bytes:
        """What a run answers: so that it is told from all others."""
        payload = read_merge(row[5])[1] if row[5][:1] == MERGE else row[5]
        place = int(read_part(payload)[0].options) if payload[:1] == PART else -1
        output = b"part:%d:%d" % (place, number) if place >= 0 else b"out:%d" % number
        self._outputs[row[0], row[1]] = output
        return output

    def server_gone(self) -> None:
        """All runs of the server are gone with it."""
        for key in list(self._runs):
            self.run_ended(key, O_LOST)
