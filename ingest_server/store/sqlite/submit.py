"""`submit`: accept the jobs of one call, and lease some of them at once when the caller has room for them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, TypeAlias

from ingest_server.domain.errors import Code, Conflict, NotFound, Reason
from ingest_server.domain.job import JobState
from ingest_server.store.records import NewJob, SubmitCode
from ingest_server.store.sqlite import deliveries, lanes
from ingest_server.store.sqlite.accepted_rows import Call, JobTuple, Plan, PolicyRow, insert_jobs, insert_references
from ingest_server.store.sqlite.forgetting import FORGET_COLUMNS, forget
from ingest_server.store.sqlite.leasing import add_lease
from ingest_server.store.sqlite.policies import PolicyContent
from ingest_server.store.sqlite.schema import PARKED, READY
from ingest_server.store.sqlite.state import LeaseRecord
from ingest_server.store.sqlite.transaction import Transaction

Answer: TypeAlias = tuple[bytes, Sequence[bytes], Sequence[int], bool, int, Sequence[tuple[int, int]], Sequence[int]]
"""The fields of `SubmitAnswer`, in their order."""

REQUEST_ID_KEPT_US = 24 * 3600 * 1_000_000
"""interface.py: a request id is remembered for 24 hours."""

_NO_ID = bytes(16)
_CREATED, _EXISTING, _CONFLICT, _REFUSED = (int(code) for code in tuple(SubmitCode)[:4])

_DEDUPED = """SELECT job_id FROM dedupe JOIN jobs USING (seq) WHERE dedupe.tenant = ? AND dedupe.queue = ? AND key = ?
AND until_us > ? AND (expire_us = 0 OR expire_us > ?)"""
_TAKEN = "SELECT seq, tenant, expire_us FROM jobs JOIN groups ON number = grp WHERE job_id = ?"


def submit(tx: Transaction, *fields: object) -> Answer:
    """Accept jobs; see `JobStore.submit`."""
    call = Call(*fields)  # type: ignore[arg-type]
    if call.request_id:
        stored = _stored_answer(tx, call)
        if stored is not None:
            return stored
    for policy in _used_policies(call):
        if policy[1] not in tx.state.queues:
            raise NotFound(
                f'queue "{policy[1]}" does not exist: make it first, or submit to one that does',
                reason=Reason.QUEUE_NOT_FOUND,
                metadata={"queue": policy[1]},
            )
    job_ids, codes = _choose(tx, call)
    accepted: Sequence[int] = range(len(call.jobs)) if not codes else [i for i, code in enumerate(codes) if code == _CREATED]
    lease, leased = 0, list[tuple[int, int]]()
    batch_id = _NO_ID if _of_parts(call) else call.batch_id or tx.state.identifiers.take(1, call.now_us)[0]
    if accepted:
        lease, leased = _accept(tx, call, batch_id, job_ids, accepted)
    elif not call.jobs:
        _batch_number(tx, call.tenant, batch_id, empty_us=call.now_us)
    if call.request_id:
        _store_answer(tx, call, batch_id, job_ids, codes)
    groups = _groups(tx, call) if leased else []
    return batch_id, job_ids, codes, False, lease, leased, groups


def _of_parts(call: Call) -> bool:
    """Whether the jobs are parts of another, which belong to no batch."""
    return bool(call.policies) and bool(call.policies[0][12])


def _groups(tx: Transaction, call: Call) -> list[int]:
    """Numbers of the groups of all policies; 0 of one that no accepted job has brought into being."""
    known = (tx.state.groups_by_key.get((policy[0], policy[1], policy[2])) for policy in call.policies)
    return [group.number if group is not None else 0 for group in known]


def _used_policies(call: Call) -> Sequence[PolicyRow]:
    if not call.refused:
        return call.policies
    used = {job[0] for index, job in enumerate(call.jobs) if index not in call.refused}
    return [call.policies[index] for index in sorted(used)]


def _stored_answer(tx: Transaction, call: Call) -> Answer | None:
    row = tx.db.execute(
        "SELECT digest, at_us, answer FROM requests WHERE request_id = ? AND tenant = ?", (call.request_id, call.tenant)
    ).fetchone()
    if row is None or call.now_us - row[1] >= REQUEST_ID_KEPT_US:
        return None
    if row[0] != call.request_digest:
        raise Conflict(
            f"request_id {call.request_id.hex()} was used within the last 24 hours for another request: give each request an "
            f"id of its own",
            reason=Reason.REQUEST_ID_REUSED,
            code=Code.ALREADY_EXISTS,
        )
    answer = row[2]
    count = len(call.jobs)
    ids = [b"" if (job_id := answer[at : at + 16]) == _NO_ID else job_id for at in range(16, 16 + 16 * count, 16)]
    return answer[:16], ids, list(answer[16 + 16 * count :]), True, 0, [], []


def _store_answer(tx: Transaction, call: Call, batch_id: bytes, job_ids: Sequence[bytes], codes: Sequence[int]) -> None:
    answer = batch_id + b"".join(job_id or _NO_ID for job_id in job_ids) + bytes(codes)
    tx.db.execute(
        "INSERT OR REPLACE INTO requests (request_id, tenant, digest, at_us, answer) VALUES (?, ?, ?, ?, ?)",
        (call.request_id, call.tenant, call.request_digest, call.now_us, answer),
    )


def _choose(tx: Transaction, call: Call) -> tuple[list[bytes], list[int]]:
    """Ids and codes of all items; no codes when every item is accepted."""
    fresh = tx.state.identifiers.take(len(call.jobs), call.now_us)
    if not call.refused and not any(job[1] or job[3] for job in call.jobs):
        return fresh, []
    job_ids: list[bytes] = []
    codes: list[int] = []
    keys: dict[tuple[str, str], bytes] = {}
    ids: set[bytes] = set()
    for index, ((policy_index, wanted_id, _, dedupe_key, _), fresh_id) in enumerate(zip(call.jobs, fresh, strict=True)):
        if index in call.refused:
            job_ids.append(b"")
            codes.append(call.refused[index])
            continue
        policy = call.policies[policy_index]
        key = (policy[1], dedupe_key)
        job_id = _deduped(tx, call, key, keys) if dedupe_key else b""
        if job_id:
            code = _EXISTING
        else:
            job_id = wanted_id or fresh_id
            code = _conflict(tx, call, policy, job_id, ids) if wanted_id else _CREATED
        if code == _CREATED:
            ids.add(job_id)
            if dedupe_key:
                keys[key] = job_id
        job_ids.append(job_id)
        codes.append(code)
    if call.all_or_nothing and _CONFLICT in codes:
        for index, code in enumerate(codes):
            if code == _CREATED or (code == _EXISTING and job_ids[index] in ids):
                codes[index] = _REFUSED
                job_ids[index] = call.jobs[index][1]
    return job_ids, codes if any(codes) else []


def _deduped(tx: Transaction, call: Call, key: tuple[str, str], keys: dict[tuple[str, str], bytes]) -> bytes:
    job_id = keys.get(key)
    if job_id is not None:
        return job_id
    row = tx.db.execute(_DEDUPED, (call.tenant, *key, call.now_us, call.now_us)).fetchone()
    return b"" if row is None else row[0]


def _conflict(tx: Transaction, call: Call, policy: PolicyRow, job_id: bytes, ids: set[bytes]) -> int:
    if job_id in ids:
        return _EXISTING if policy[9] else _CONFLICT
    row = tx.db.execute(_TAKEN, (job_id,)).fetchone()
    if row is None:
        return _CREATED
    seq, tenant, expire_us = row
    if expire_us and expire_us <= call.now_us:
        rows: list[Any] = tx.db.execute(f"SELECT {FORGET_COLUMNS} FROM jobs WHERE seq = ?", (seq,)).fetchall()
        forget(tx, rows)
        return _CREATED
    return _EXISTING if policy[9] and tenant == call.tenant else _CONFLICT


def _accept(
    tx: Transaction, call: Call, batch_id: bytes, job_ids: Sequence[bytes], accepted: Sequence[int]
) -> tuple[int, list[tuple[int, int]]]:
    """Write the accepted items. Answers the lease granted and what it holds."""
    state = tx.state
    items = [call.jobs[index] for index in accepted]
    use: dict[int, int] = {}
    for item in items:
        use[item[0]] = use.get(item[0], 0) + 1
    plans = _plan(tx, call, use)
    first = state.next_seq
    state.next_seq = first + len(items)
    batch = 0 if _of_parts(call) else _join_batch(tx, call.tenant, batch_id, first, state.next_seq - 1)
    ids = job_ids if len(accepted) == len(job_ids) else [job_ids[index] for index in accepted]
    granted = _granted(call, plans, first, items)
    rows = insert_jobs(tx, call, plans, batch, first, items, ids, accepted, granted)
    for index, count in use.items():
        tx.change_rows(plans[index].group, plans[index].number, count)
    insert_references(tx, call, first, items)
    if call.callbacks:
        deliveries.expect(tx, call.callbacks, first, items)
    if len(granted) < len(rows):
        _line_up(tx, {plan.number: plan for plan in plans.values()}, rows)
    if not granted:
        return 0, []
    return _lease(tx, call, [rows[seq - first] for seq in granted]), [(accepted[seq - first], seq) for seq in granted]


def _plan(tx: Transaction, call: Call, use: dict[int, int]) -> dict[int, Plan]:
    state = tx.state
    plans: dict[int, Plan] = {}
    fresh: list[tuple[int, PolicyContent]] = []
    for index in use:
        (
            tenant, queue, fairness_key, key, priority, labels, start_us, deadline_us, ttl_us, _, _, spec, part_of, line_us,
        ) = call.policies[index]  # fmt: skip
        content = (priority, ttl_us, key, labels, spec, part_of)
        number = state.policies.find(content)
        if not number:
            number = state.next_policy
            state.next_policy += 1
            fresh.append((number, content))
        lane = lanes.lane_name(tenant, queue, key)
        later = start_us > call.now_us
        first_state = JobState.SCHEDULED.value if later else PARKED if lane else READY
        order_key = (line_us or call.now_us) - priority * state.ageing_us
        due_us = start_us if later else 0
        plans[index] = Plan(number, tx.group((tenant, queue, fairness_key)), first_state, order_key, due_us, deadline_us, lane)
    if fresh:
        state.policies.insert(fresh)
    return plans


def _join_batch(tx: Transaction, tenant: str, batch_id: bytes, first_seq: int, last_seq: int) -> int:
    number = tx.state.batch_numbers.get((tenant, batch_id), 0)
    if not number:
        number = _batch_number(tx, tenant, batch_id, empty_us=0)
        tx.state.remember_batch(tenant, batch_id, number)
    tx.db.execute("INSERT INTO batch_ranges (batch, first_seq, last_seq) VALUES (?, ?, ?)", (number, first_seq, last_seq))
    return number


def _batch_number(tx: Transaction, tenant: str, batch_id: bytes, *, empty_us: int) -> int:
    """Number of a batch, made if it is new. `empty_us`: the time, if no job comes with it."""
    query = "SELECT number, empty_us FROM batches WHERE batch_id = ? AND tenant = ?"
    row = tx.db.execute(query, (batch_id, tenant)).fetchone()
    if row is not None:
        number: int = row[0]
        if row[1] and not empty_us:
            tx.db.execute("UPDATE batches SET empty_us = 0 WHERE number = ?", (number,))
    else:
        number = tx.state.next_batch
        tx.state.next_batch += 1
        tx.db.execute(
            "INSERT INTO batches (number, batch_id, tenant, empty_us) VALUES (?, ?, ?, ?)", (number, batch_id, tenant, empty_us)
        )
    return number


def _granted(call: Call, plans: dict[int, Plan], first: int, items: Sequence[NewJob]) -> Sequence[int]:
    """Row numbers of the jobs to lease at once: the first of those that may run now."""
    if call.grant <= 0:
        return ()
    able = {index for index, plan in plans.items() if plan.state == READY and not 0 < plan.deadline_us <= call.now_us}
    if len(able) == len(plans):
        return range(first, first + min(call.grant, len(items)))
    return [seq for seq, item in enumerate(items, first) if item[0] in able][: call.grant]


def _line_up(tx: Transaction, plans: dict[int, Plan], rows: Sequence[JobTuple]) -> None:
    """Make the groups know of the new jobs that wait. `plans` are by number of the policy."""
    counts: dict[int, int] = {}
    for plan in plans.values():
        if plan.state == READY:
            plan.group.lower(plan.order_key, rows[0][0])
    for seq, _, number, _, policy, stored, order_key, *_ in rows:
        if stored == READY:
            counts[number] = counts.get(number, 0) + 1
        elif stored == PARKED and (lane := plans[policy].lane) is not None:
            lanes.enter(tx, lane, number, order_key, seq)
    for number, count in counts.items():
        tx.change_ready(number, count)


def _lease(tx: Transaction, call: Call, rows: Sequence[JobTuple]) -> int:
    """Lease these new jobs. Answers the number of the lease."""
    state = tx.state
    now_us = call.now_us
    lease = state.next_position
    seqs = array("q")
    for position, (seq, job_id, group, batch, policy, _, order_key, _, _, deadline_us, _, _) in enumerate(rows, lease):
        state.running[seq] = (lease, seq, job_id, group, batch, policy, 1, 0, order_key, deadline_us, None, 0, 0)
        tx.events.append((position, seq, job_id, group, batch, JobState.RUNNING.value, 1, now_us))
        seqs.append(seq)
    state.next_position = lease + len(rows)
    record = LeaseRecord(now_us + call.grant_lease_us, now_us, lease, seqs)
    state.leases[lease] = record
    add_lease(tx, lease, record)
    return lease
