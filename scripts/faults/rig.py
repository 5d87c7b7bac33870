"""What scenarios share: a server of their own that may die, clients that ride it out, and a bound on the time of each run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from ingest_client import Client, IngestClientError, RetryLimits, WatchSettings
from scripts.faults.ledger import Ledger
from scripts.faults.scenario import Outcome, Round
from tests.acceptance.server.server_process import ServerProcess

TESTS = Path(__file__).parents[2] / "tests/acceptance"
SERVICE_HANDLERS = TESTS / "server/service_handlers.py"
ENGINE_HANDLERS = TESTS / "engine/handlers_under_test.py"
FAULT_HANDLERS = Path(__file__).with_name("handlers.py")
PATIENT = RetryLimits(attempts_max=2_000, backoff_seconds=0.02, backoff_seconds_max=0.1)
"""Rides out about 100 s of a server that is away, and is back soon after it is."""
QUICK_WATCH = WatchSettings(heartbeat_seconds=1.0, retry=PATIENT)
LOOK_SECONDS = 0.01
"""Between two looks at something that nobody tells of."""

Play = Callable[[Round, Ledger], Awaitable[None]]


def played(play: Play, *, short_seconds_max: float, full_seconds_max: float) -> Callable[[Round], Outcome]:
    """Make the `run` of a scenario of a play: within a bound of time, with every failure told as a fault of the run.

    Args:
        play: fills the ledger. What it had measured when it broke off is kept.
        short_seconds_max, full_seconds_max: a run that takes longer has failed.
    """

    def run(this: Round) -> Outcome:
        ledger = Ledger(short=this.short)
        seconds_max = short_seconds_max if this.short else full_seconds_max

        async def bounded() -> None:
            async with asyncio.timeout(seconds_max):
                await play(this, ledger)

        try:
            asyncio.run(bounded())
        except TimeoutError:
            ledger.faults.append(f"it did not end within {seconds_max:g} s")
        except (AssertionError, IngestClientError, OSError, ValueError) as error:
            ledger.faults.append(f"{type(error).__name__}: {error}")
        return ledger.outcome()

    return run


@asynccontextmanager
async def serving(
    this: Round,
    *flags: str,
    workers: int = 2,
    handlers: Sequence[Path] = (SERVICE_HANDLERS, FAULT_HANDLERS),
    listen: str = "",
    name: str = "server",
    variables: Mapping[str, str] | None = None,
) -> AsyncIterator[ServerProcess]:
    """A server with a data folder of its own, ended at the end whatever happens.

    Args:
        this: whose folder it lives in.
        flags: of its command line.
        workers, handlers: it has.
        listen: where; by default on a Unix socket, whose address stays the same over restarts.
        name: of its folder, which may be there already, with a `data` of its own kind.
        variables: more environment.

    Raises:
        AssertionError: it did not start, or something outlived it.
    """
    folder = this.folder / name
    folder.mkdir(exist_ok=True)
    where = listen or f"unix:{folder}/socket"
    server = ServerProcess(folder, flags, variables or {}, workers=workers, handlers=handlers, listen=where)
    await asyncio.to_thread(server.start)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.close)


def patient(server: ServerProcess, *, token: str = "") -> Client:
    """A client that rides out restarts without long waits."""
    return Client(server.address, token=token, timeout_seconds=120.0, retry=PATIENT, watch=QUICK_WATCH)


async def killed_and_started(server: ServerProcess) -> float:
    """Kill the server, start it again at once, and answer the seconds from its start to its serving."""
    await asyncio.to_thread(server.kill)
    return await started(server)


async def started(server: ServerProcess) -> float:
    """Start the server, and answer the seconds until it serves."""
    begin = time.perf_counter()
    await asyncio.to_thread(server.start)
    return time.perf_counter() - begin


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so that nobody tells of: a count that grows elsewhere."""
    while not condition():  # noqa: ASYNC110, there is no event to wait for
        await asyncio.sleep(LOOK_SECONDS)
