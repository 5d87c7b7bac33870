"""Huey on SQLite: a task that does nothing, and a client that enqueues it and waits for the results.

Documentation: https://huey.readthedocs.io/en/latest/api.html (SqliteHuey and its fsync, Result.get and its delays),
https://huey.readthedocs.io/en/latest/consumer.html (workers, worker type, delay between polls).
"""

from __future__ import annotations

import harness
from huey import SqliteHuey

# By default SQLite's own synchronous=FULL holds: durable. False turns it OFF, the documented switch for speed.
fsync = None if not harness.FAST else harness.DURABLE
huey = SqliteHuey(harness.QUEUE, filename=harness.URL, fsync=fsync, timeout=60)


@huey.task(name="noop")
def noop() -> int:
    """Do nothing."""
    return harness.ANSWER


def run(jobs: int) -> None:
    """Enqueue one after the other, and wait for each: polls grow from 0.05 s to 1 s apart by default."""
    sent = [noop() for _ in range(jobs)]
    if harness.FAST:
        harness.check([result.get(blocking=True, timeout=600, max_delay=0.005) for result in sent])
    else:
        harness.check([result.get(blocking=True, timeout=600) for result in sent])


if __name__ == "__main__":
    import huey_peer  # tasks are known by their module's name, which is __main__ here

    harness.serve(huey_peer.run)
