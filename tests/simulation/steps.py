"""The steps of which histories are made: what clients, workers, disks, clocks and operators do."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import apsw

from ingest_server.domain.errors import Code, Failure, IngestError
from ingest_server.engines.interface import OutcomeCode
from ingest_server.handlers.part_orders import MERGE
from ingest_server.store.records import QueueRow
from tests.simulation import checks
from tests.simulation.client import QUEUES, TENANTS
from tests.simulation.engine import Run
from tests.simulation.server import LEASE_SECONDS
from tests.simulation.sqlite_inline import InlineSqliteStore
from tests.simulation.store_port import CALM, Weather

if TYPE_CHECKING:
    from tests.simulation.history import World

REST_SECONDS, REST_SECONDS_DISK = 15.0, 40.0
"""After the last end: for what a store that refused has held up. A full disk asks to be let alone for 30 s."""
ROUNDS_MAX = 60
"""Of a second each, in which everything must end once the faults have stopped, and three more for each job that lives: some
queues run one at a time. Deadlines, delays and backoffs are below 20 s."""
WALL_BACK_SECONDS = 8


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its kind, and the chance of its own."""

    kind: str
    chance: int


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of step: how often it comes, and what it does."""

    weight: float
    act: Callable[[World, random.Random], None]


def take(world: World, step: Step) -> None:
    """Take a step, and let what follows from it happen: all of it, or only so much that the next step comes in between."""
    chance = random.Random(step.chance)
    STEPS[step.kind].act(world, chance)
    if chance.random() < 0.3:
        world.loop.settle(chance.randint(1, 40))
    else:
        world.loop.settle()
        _check_quiet(world)
    world.loop.prune()
    if isinstance(world.store, InlineSqliteStore) and world.store.lost:
        world.kill()
        world.boot()


def _start(world: World, call: Coroutine[Any, Any, None]) -> None:
    """A client's call; without a server it does not come through."""
    if world.server.serving:
        world.loop.start(call)
    else:
        call.close()


def _check_quiet(world: World) -> None:
    server, model = world.server, world.model
    if server.serving and server.port.weather is CALM:
        checks.check_leases(model, world.overdue, world.clock.now_us(), world.loop.time(), LEASE_SECONDS)
    else:
        world.overdue.clear()
    if server.serving and not server.port.pending:
        checks.check_server(server, model, quotas=not world.muted)


def _wait(world: World, work: Coroutine[Any, Any, Any]) -> Any:
    """Something of ours that must not be held up by the weather: it asks the store itself."""
    task = world.loop.start(work)
    world.loop.settle()
    if not task.done():
        world.model.broken("the store itself does not answer")
        task.cancel()
        return None
    return task.result()


# ---- clients


def submit(world: World, chance: random.Random) -> None:
    """A client submits, and perhaps never reads the answer."""
    submission = world.clients.new_submission(chance, world.clock.now_us())
    _start(world, world.clients.submit(world.server, submission, deaf=chance.random() < 0.15))


def repeat(world: World, chance: random.Random) -> None:
    """A client repeats a submit."""
    if old := world.clients.to_repeat():
        _start(world, world.clients.submit(world.server, chance.choice(old)))


def _some_jobs(world: World, chance: random.Random) -> tuple[str, list[bytes]]:
    tenant = chance.choice(TENANTS)
    own = [job.job_id for job in world.model.jobs.values() if job.tenant == tenant and not job.part_of]
    return tenant, chance.sample(own, min(len(own), chance.randint(1, 4)))


def cancel(world: World, chance: random.Random) -> None:
    """A client cancels jobs."""
    tenant, job_ids = _some_jobs(world, chance)
    _start(world, world.clients.cancel(world.server, tenant, job_ids))


def retry(world: World, chance: random.Random) -> None:
    """A client has ended jobs run again."""
    tenant, job_ids = _some_jobs(world, chance)
    _start(world, world.clients.retry(world.server, tenant, job_ids, chance.randbytes(16)))


def delete(world: World, chance: random.Random) -> None:
    """A client deletes jobs."""
    tenant, job_ids = _some_jobs(world, chance)
    _start(world, world.clients.delete(world.server, tenant, job_ids))


def configure(world: World, chance: random.Random) -> None:
    """An operator pauses or limits a queue."""
    name = chance.choice(QUEUES)
    most, rate = chance.choice((0, 1, 2)), chance.choice((0.0, 0.0, 2.0)) if name == "rated" else 0.0
    row = QueueRow(name, chance.randint(1, 3), most, rate, chance.random() < 0.25)
    _start(world, _put_queue(world, row))


async def _put_queue(world: World, row: QueueRow) -> None:
    try:
        await world.server.port.put_queue(row, world.clock.now_us())
    except IngestError:
        pass  # the operator sees it and may try again


# ---- workers


def _a_run(world: World, chance: random.Random) -> Run | None:
    runs = world.server.engine.runs
    return runs[chance.choice(sorted(runs))] if runs else None


def work(world: World, chance: random.Random) -> None:
    """Workers end some of their attempts, mostly well."""
    engine = world.server.engine
    for _ in range(chance.randint(1, 4)):
        run = _a_run(world, chance)
        if run is None:
            return
        draw = chance.random()
        if run.asked_to_stop and draw < 0.7:
            engine.end(run, OutcomeCode.CANCELLED)
        elif draw < (0.35 if run.payload_kind == MERGE else 0.55):
            engine.succeed(run)
        elif draw < 0.70:
            engine.fail(run, retryable=chance.random() < 0.7)
        elif draw < 0.78:
            engine.crash(run)
        elif draw < 0.93 and engine.may_divide(run):
            engine.divide(run, chance.randint(1, 4))
        else:
            late = Failure(Code.DEADLINE_EXCEEDED, "ATTEMPT_TIMEOUT", "too long")
            engine.end(run, OutcomeCode.TIMED_OUT, failure=late)


def divide(world: World, chance: random.Random) -> None:
    """Workers answer with parts instead of results."""
    engine = world.server.engine
    for key in sorted(engine.runs):
        run = engine.runs[key]
        if engine.may_divide(run) and chance.random() < 0.7:
            engine.divide(run, chance.randint(1, 3))


def lose(world: World, chance: random.Random) -> None:
    """The engine loses an attempt: it says so, or never says anything."""
    run = _a_run(world, chance)
    if run is not None:
        world.server.engine.end(run, OutcomeCode.LOST, told=chance.random() < 0.5)


def report_again(world: World, chance: random.Random) -> None:
    """The engine tells an outcome twice."""
    world.server.engine.repeat_report(chance.randrange(8))


# ---- disks and clocks


def weather(world: World, chance: random.Random) -> None:
    """The store fares otherwise from now on."""
    port = world.server.port
    draw = chance.random()
    if draw < 0.25:
        port.weather = CALM
    elif draw < 0.55:
        port.weather = Weather(slow=chance.random(), slow_seconds=chance.choice((0.05, 0.5, 4.0, 9.0)))
    elif draw < 0.65:
        port.weather = Weather(full=1.0)
    elif draw < 0.85:
        port.weather = Weather(broken=chance.choice((0.1, 0.5, 1.0)), slow=0.3)
    else:
        port.weather = Weather(mute=chance.choice((0.05, 0.3)), slow=0.3)
        world.muted = True


def disk(world: World, chance: random.Random) -> None:
    """SQLite itself fails, some statements from now. The store in memory has no disk."""
    if isinstance(world.store, InlineSqliteStore):
        world.store.fail_after(chance.randint(1, 25), chance.choice((apsw.FullError, apsw.IOError)))


def pass_time(world: World, chance: random.Random) -> None:
    """Time passes."""
    draw = chance.random()
    world.loop.advance(chance.random() if draw < 0.6 else chance.uniform(1, 3) if draw < 0.9 else chance.uniform(3, 12))


def set_clock(world: World, chance: random.Random) -> None:
    """The wall clock is set."""
    world.clock.step_wall(chance.choice((-WALL_BACK_SECONDS, -1, 2, 5, 120)))


# ---- servers


def crash(world: World, chance: random.Random) -> None:
    """The server is killed, wherever it stands, and started again."""
    world.loop.settle(chance.randint(1, 30))
    world.kill()
    if chance.random() < 0.3:
        world.loop.advance(chance.uniform(0, 8))
    world.boot()


def roll(world: World, chance: random.Random) -> None:
    """The server is drained, and another takes over."""
    world.stop()
    world.boot()


def settle_late(world: World, chance: random.Random) -> None:
    """A worker that lost its lease settles after all: nothing may come of it."""
    lost = [key for key in world.model.granted if key[0] in world.model.by_seq and world.model.by_seq[key[0]].lease != key[1]]
    if lost and world.server.serving:
        seq, lease = chance.choice(lost)
        world.loop.start(_settle_late(world, seq, lease))


async def _settle_late(world: World, seq: int, lease: int) -> None:
    position = world.model.position
    job = world.model.by_seq[seq]
    if job.lease == lease:
        return
    row = (seq, lease, 0, b"late", b"", b"", b"", "late/0", 1, world.clock.now_us(), 0)
    try:
        refused = await world.store.settle([row], world.clock.now_us())
    except IngestError:
        return
    if list(refused) != [0] or (job.revision > position and job.output == b"late"):
        world.model.broken(f"the late settlement of attempt {(seq, lease)} was taken")


# ---- looking


def look(world: World, chance: random.Random) -> None:
    """Everything in the store is compared; watchers read on."""
    if not world.server.serving:
        return
    world.loop.settle()
    _wait(world, checks.check_store(world.store, world.model, world.clock.now_us()))
    for index, position in enumerate(world.positions):
        limit = chance.choice((1, 3, 1_000))
        read = _wait(world, checks.check_log(world.store, world.model, position, limit))
        world.positions[index] = position if read is None else read


def come_to_rest(world: World) -> None:
    """The faults stop: all jobs end, within bounds, and nothing is left over."""
    world.loop.settle()
    if not world.server.serving:
        world.loop.advance(1.0)
    if world.muted or not world.server.serving:
        world.kill()
        world.boot()
    server, model = world.server, world.model
    server.port.weather = CALM
    if isinstance(world.store, InlineSqliteStore):
        world.store.fail_after(0, apsw.IOError)
    for submission in world.clients.to_repeat():
        if not submission.answers:
            _start(world, world.clients.submit(server, submission))
    for name in QUEUES:
        _start(world, _put_queue(world, QueueRow(name, 1, 0 if name == "default" else 1, 0.0, False)))
    live = sum(not job.terminal for job in model.jobs.values())
    for _ in range(ROUNDS_MAX + 3 * live):
        world.loop.advance(1.0)
        for key in sorted(server.engine.runs):
            run = server.engine.runs.get(key)
            if run is not None:
                server.engine.end(run, OutcomeCode.CANCELLED) if run.asked_to_stop else server.engine.succeed(run)
        world.loop.settle()
        if model.faults or (not server.port.pending and all(job.terminal for job in model.jobs.values())):
            break
    world.loop.advance(REST_SECONDS_DISK if isinstance(world.store, InlineSqliteStore) else REST_SECONDS)
    world.loop.settle()
    if model.faults:
        return
    _check_quiet(world)
    rows = _wait(world, checks.rows_of(world.store, world.clock.now_us()))
    checks.check_end(server, model, rows or ())
    look(world, random.Random(0))


STEPS: dict[str, Kind] = {
    "submit": Kind(26, submit),
    "repeat": Kind(5, repeat),
    "cancel": Kind(5, cancel),
    "retry": Kind(3, retry),
    "delete": Kind(3, delete),
    "configure": Kind(4, configure),
    "work": Kind(34, work),
    "divide": Kind(6, divide),
    "lose": Kind(2, lose),
    "report again": Kind(2, report_again),
    "weather": Kind(7, weather),
    "disk": Kind(3, disk),
    "pass time": Kind(22, pass_time),
    "set clock": Kind(2, set_clock),
    "crash": Kind(4, crash),
    "roll": Kind(2, roll),
    "settle late": Kind(3, settle_late),
    "look": Kind(6, look),
}
