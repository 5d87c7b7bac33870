"""SAQ: a function that does nothing, and a client that enqueues jobs and maps over them.

Documentation: https://saq-py.readthedocs.io/en/latest/getting_started.html (settings, apply, map and its poll_interval),
https://saq-py.readthedocs.io/en/latest/workers.html (concurrency, more worker processes).
"""

from __future__ import annotations

from typing import Any

import harness
from saq import Queue

MAP_MAX = 1_000  # jobs of one map: it enqueues and listens for all of them at once
queue = Queue.from_url(harness.URL, name=harness.QUEUE)


async def noop(context: dict[Any, Any]) -> int:
    """Do nothing."""
    return harness.ANSWER


settings = {"queue": queue, "functions": [noop], "concurrency": 100 if harness.FAST else 10}


async def run(jobs: int) -> None:
    """Map over so many jobs, a thousand at a time; by default ten times smaller maps."""
    most = MAP_MAX if harness.FAST else 100
    every = 0.005 if harness.FAST else 0.5
    for first in range(0, jobs, most):
        count = min(most, jobs - first)
        harness.check(list(await queue.map("noop", [{} for _ in range(count)], timeout=600, poll_interval=every)))


async def main() -> None:
    """Connect and measure."""
    await queue.connect()
    await harness.serve_async(run)
    await queue.disconnect()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
