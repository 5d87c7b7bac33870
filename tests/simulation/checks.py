"""What the store and the server hold, counted anew and held against the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ingest_server.store.interface import JobStore
from ingest_server.store.records import ANY_PARTS, Detail, Event, JobQuery, JobRow
from tests.simulation.model import HELD, QUEUED, SUCCEEDED, Known, Model
from tests.simulation.server import SimulatedServer

ROWS_MAX = 10_000


async def rows_of(store: JobStore, now_us: int) -> list[JobRow]:
    """All jobs and parts."""
    rows: list[JobRow] = []
    for part_of in (b"", ANY_PARTS):
        page = await store.jobs(JobQuery("", part_of=part_of), limit=ROWS_MAX, detail=Detail.OUTPUT, now_us=now_us)
        rows += page.rows
    return rows


async def check_store(store: JobStore, model: Model, now_us: int) -> None:
    """Jobs, states, counts and the log, as the store has them."""
    rows = await rows_of(store, now_us)
    model.adopt(rows)
    present = {row.job_id: row for row in rows}
    if len(present) != len(rows):
        model.broken("the store lists a job twice")
    for job in list(model.jobs.values()):
        row = present.get(job.job_id)
        if row is None:
            _check_gone(job, model, now_us)
        else:
            _check_row(job, row, model)
    for job_id in present.keys() - model.jobs.keys():
        model.broken(f"the store has job {job_id.hex()}, of which the log knows nothing")
    counted = await store.count(JobQuery(""), by_state=True, now_us=now_us)
    recount = Counter((row.state, "", "") for row in rows if not row.part_of)
    if {key: number for key, number in counted.items() if number} != dict(recount):
        model.broken(f"the store counts {counted}, its rows are {dict(recount)}")
    await _check_ready(store, model)


def _check_gone(job: Known, model: Model, now_us: int) -> None:
    """A job that is not there."""
    expired = job.terminal and job.ended_us + job.ttl_us <= max(now_us, model.latest_us)
    if job.terminal and (job.may_go or expired or job.part_of):
        return
    kind = "acknowledged job" if job.job_id in model.acknowledged else "job"
    model.broken(f"{kind} {job.seq} is lost; it was {job.state}")


def _check_row(job: Known, row: JobRow, model: Model) -> None:
    if (int(row.state), row.revision, row.seq) != (job.state, job.revision, job.seq):
        model.broken(
            f"job {job.seq} is {int(row.state)} at {row.revision} in the store, {job.state} at {job.revision} in the log"
        )
    elif job.state == SUCCEEDED and job.output and row.output != job.output:
        model.broken(f"job {job.seq} has another output than it was settled with")
    elif row.attempt != job.attempt or row.crash_count != job.crashes:
        model.broken(f"job {job.seq}: {row.attempt} attempts, {row.crash_count} crashes; log: {job.attempt}, {job.crashes}")


async def _check_ready(store: JobStore, model: Model) -> None:
    """What may be leased, by group: as the store says, as it told its listeners, and as the jobs are."""
    lanes_held = {(job.tenant, job.queue, job.lane) for job in model.jobs.values() if job.lane and job.state in HELD}
    expected: Counter[int] = Counter()
    lanes: set[tuple[int, str, str, str]] = set()
    for job in model.jobs.values():
        if job.state != QUEUED:
            continue
        lane = (job.tenant, job.queue, job.lane)
        if not job.lane:
            expected[job.group] += 1
        elif lane not in lanes_held and (job.group, *lane) not in lanes:
            lanes.add((job.group, *lane))
            expected[job.group] += 1
    said = {number: ready for number, (_, ready) in (await store.groups()).items() if ready}
    if said != dict(expected):
        model.broken(f"the store has {said} jobs ready by group, the log {dict(expected)}")
    told = {group: ready for group, ready in model.ready.items() if ready}
    if told != said:
        model.broken(f"the store has told of {told} ready jobs by group and has {said}")


async def check_log(store: JobStore, model: Model, position: int, limit: int) -> int:
    """Read on in the log as a watcher would. Answers where it goes on."""
    oldest, newest = await store.span()
    if newest != model.position:
        model.broken(f"the log ends at {newest}, the last event told was {model.position}")
    if position < oldest:
        return oldest  # the token is too old: such a watcher begins anew
    events: Sequence[Event] = await store.events_after(position, limit)
    expected = model.log[position : position + len(events)]
    if [tuple(event) for event in events] != [tuple(event) for event in expected]:
        model.broken(f"the log after {position} is read as {list(events)[:3]}, it was told as {expected[:3]}")
    if not events and position < newest:
        model.broken(f"the log has nothing after {position}, and ends at {newest}")
    return events[-1][0] if events else position


def check_server(server: SimulatedServer, model: Model, *, quotas: bool) -> None:
    """What the server counts, while no call is under way.

    Args:
        quotas: whether every answer has reached it: else those counts are off until the store is opened anew.
    """
    scheduler = server.scheduler
    for failure in server.failures:
        model.broken(f"a loop of the scheduler ended by {type(failure).__name__}: {failure}")
    live = sum(not job.terminal and not job.part_of for job in model.jobs.values())
    known = all(job.learned for job in model.jobs.values())  # of others it is not known whether they are parts
    if known and server.counts.total() != live:
        model.broken(f"{server.counts.total()} live jobs are counted, there are {live}")
    if quotas and known:
        tenants = Counter(job.tenant for job in model.jobs.values() if not job.terminal and not job.part_of)
        for tenant, count in tenants.items():
            if server.quotas.live_jobs(tenant) != count:
                model.broken(f"tenant {tenant} is charged with {server.quotas.live_jobs(tenant)} live jobs and has {count}")
    inflight = scheduler._inflight
    held = Counter(attempt.lease for attempt in inflight.attempts.values())
    if dict(held) != inflight.lease_counts and not scheduler._settler._pending and not scheduler._settler._calls:
        model.broken(f"attempts by lease are counted as {inflight.lease_counts} and are {dict(held)}")
    charged = Counter(attempt.group for seq, attempt in inflight.attempts.items() if seq not in scheduler._fanout._jobs)
    fair = scheduler._fair
    for group, leaf in fair._leaves.items():
        if leaf.group != group:
            continue  # the group was forgotten while it was idle, and has come back under another number
        if leaf.running != charged[group]:
            model.broken(f"group {group} is charged with {leaf.running} running attempts, {charged[group]} run")
        # Too many are found out by the next lease; too few would wait.
        if leaf.ready < model.ready.get(group, 0) and not scheduler.dispatcher._groups_stale:
            model.broken(
                f"group {group} has {leaf.ready} ready jobs for the dispatcher, {model.ready.get(group, 0)} in the store"
            )


def check_leases(model: Model, overdue: dict[int, float], now_us: int, elapsed: float, lease_seconds: float) -> None:
    """RUNNING without a live lease for longer than two leases, while store and server were well. `overdue` remembers since when,
    in virtual seconds."""
    present = {job.seq for job in model.jobs.values() if job.state in HELD and model.leases.get(job.lease, now_us) < now_us}
    for seq in overdue.keys() - present:
        del overdue[seq]
    for seq in present:
        since = overdue.setdefault(seq, elapsed)
        if elapsed - since > 2 * lease_seconds:
            model.broken(f"job {seq} is held, and its lease ended {elapsed - since:.1f} s ago")


def check_end(server: SimulatedServer, model: Model, rows: Sequence[JobRow]) -> None:
    """After the faults have stopped: everything has ended, and nothing is left of it in memory."""
    for job in model.jobs.values():
        if not job.terminal:
            model.broken(f"job {job.seq} is {job.state} for good")
    for row in rows:
        if row.part_of:
            model.broken(f"part {row.seq} is left over, {row.state.name}; the job it belongs to has ended")
    scheduler = server.scheduler
    fanout = scheduler._fanout
    left = {
        "attempts": len(scheduler._inflight.attempts),
        "leases": len(scheduler._inflight.lease_counts),
        "cancelling": len(scheduler._inflight.cancelling),
        "divided jobs": len(fanout._jobs),
        "parts": len(fanout._parts),
        "parts to sweep": len(fanout.sweep._parts),
        "dying parts": len(fanout.sweep._dying) + len(fanout.sweep._stopping),
        "settlements": len(scheduler._settler._pending) + len(scheduler._settler._calls),
    }
    for name, number in left.items():
        if number:
            model.broken(f"{number} {name} are left in memory")
