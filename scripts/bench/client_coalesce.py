"""Many coroutines of one client, each submitting a no-op job and awaiting its result, again and again.

python -m scripts.bench.client_coalesce 127.0.0.1:50051 --seconds 5 --coroutines 64
"""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass

from ingest_client import Client, JobSpec, echo

WARM_UP_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Coalesced:
    """What was measured.

    Attributes:
        jobs: that ended within the time.
        seconds: of wall time.
        cpu_seconds: of this process, client and event loop together.
    """

    jobs: int
    seconds: float
    cpu_seconds: float

    @property
    def jobs_per_second(self) -> float:
        """Whole round trips: submit, run, result."""
        return self.jobs / self.seconds

    @property
    def client_us_per_job(self) -> float:
        """What the client costs."""
        return 1e6 * self.cpu_seconds / max(self.jobs, 1)


async def round_trips(address: str, seconds: float, coroutines: int) -> Coalesced:
    """Run `coroutines` loops of submit and result against the server at `address` for `seconds`, after a warm-up.

    Raises:
        RuntimeError: a job did not succeed, or gave back other bytes than it got.
    """
    spec = JobSpec(tasks=echo())
    jobs = 0
    running = True

    async def loop(client: Client, number: int) -> None:
        nonlocal jobs
        data = f"job of coroutine {number}".encode()
        mine = spec.with_input(data)
        while running:
            result = await client.run(mine)
            if result.output is None or result.output.data != data:
                raise RuntimeError(f"job {result.job_id} of coroutine {number} came back as {result}")
            jobs += 1

    async with Client(address) as client:
        tasks = [asyncio.create_task(loop(client, number)) for number in range(coroutines)]
        await asyncio.sleep(WARM_UP_SECONDS)
        first, begun, cpu = jobs, time.perf_counter(), time.process_time()
        await asyncio.sleep(seconds)
        measured = Coalesced(jobs - first, time.perf_counter() - begun, time.process_time() - cpu)
        running = False
        await asyncio.gather(*tasks)
    return measured


def measure(address: str, seconds: float, coroutines: int) -> Coalesced:
    """Measure once. On uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(round_trips(address, seconds, coroutines))
    return uvloop.run(round_trips(address, seconds, coroutines))


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description="Submit and await single jobs from many coroutines of one client.")
    parser.add_argument("address", nargs="?", default="127.0.0.1:50051")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--coroutines", type=int, default=64)
    arguments = parser.parse_args()
    measured = measure(arguments.address, arguments.seconds, arguments.coroutines)
    print(
        f"{arguments.coroutines} coroutines: {measured.jobs_per_second:,.0f} jobs/s, "
        f"client {measured.client_us_per_job:.0f} µs of processor time per job"
    )


if __name__ == "__main__":
    main()
