"""How fast can the disk, SQLite and our store be, on this machine, now: the ceiling and the store measured in one run.

    python scripts/bench/store_ceiling.py [--jobs N] [--rounds N] [DIRECTORY]

The ceiling is a bare loop of apsw in one process: insert rows, 1,000 a commit, then update the same rows to their end state, with
the tables, indexes and settings of the store (WAL, synchronous=FULL). The store is driven through its async interface: submit
1,000, lease 1,000, settle 1,000. Rounds of the two alternate; medians are told.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ingest_server.domain.ids import IdentifierSource
from ingest_server.store.records import Changes, JobPolicy, SubmitBatch
from ingest_server.store.sqlite import recovery
from ingest_server.store.sqlite.accepted_rows import INSERT
from ingest_server.store.sqlite.settling import END
from ingest_server.store.sqlite.store import SqliteStore

CALL_JOBS = 1_000
NOW_US = 1_760_000_000_000_000
_CHECKPOINT_PAGES = 4_000
_PAYLOAD = b"i" + b"x" * 19
_OUTPUT = b"\x12\x08" + b"y" * 18


def measure_bare(directory: Path, jobs: int, payload: bytes = _PAYLOAD, output: bytes | None = _OUTPUT) -> dict[str, float]:
    """Rows per second, and CPU of the process, of a bare loop: inserts, then updates, of `jobs` rows.

    Args:
        directory: an empty one.
        jobs: rows, a multiple of 1,000.
        payload, output: of each row.
    """
    path = directory / recovery.DATABASE_NAME
    db = recovery.connect(path)
    recovery.check_and_migrate(db, path, NOW_US, 0)
    db.pragma("wal_autocheckpoint", _CHECKPOINT_PAGES)
    ids = IdentifierSource()
    insert_seconds = update_seconds = 0.0
    cpu = time.process_time()
    for first in range(1, jobs + 1, CALL_JOBS):
        rows = [
            (seq, job_id, 1, 1, 1, 2, NOW_US, NOW_US, 0, 0, seq, payload)
            for seq, job_id in enumerate(ids.take(CALL_JOBS, NOW_US), first)
        ]
        begin = time.perf_counter()
        with db:
            db.executemany(INSERT, rows)
        insert_seconds += time.perf_counter() - begin
    for first in range(1, jobs + 1, CALL_JOBS):
        ends = [
            (seq, 5, 1, 1, seq, NOW_US, NOW_US, NOW_US, "local/1", None, None, output) for seq in range(first, first + CALL_JOBS)
        ]
        begin = time.perf_counter()
        with db:
            db.executemany(END, ends)
        update_seconds += time.perf_counter() - begin
    cpu = time.process_time() - cpu
    db.close()
    return {
        "insert_rows_per_second": jobs / insert_seconds,
        "update_rows_per_second": jobs / update_seconds,
        "jobs_per_second": jobs / (insert_seconds + update_seconds),
        "cpu_us_per_job": cpu / jobs * 1e6,
    }


def _process_cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure_store(directory: Path, jobs: int) -> dict[str, float]:
    """Jobs per second of our store, CPU of the store process and of the server's side, by part, in microseconds per job."""
    store = SqliteStore(directory)
    policy = JobPolicy("default", "default", "", "", 5, (), 0, 0, 3_600_000_000, False, 0, b"\x0a\x10" + b"s" * 120)
    events = 0

    def count(changes: Changes) -> None:
        nonlocal events
        events += len(changes.events)

    store.subscribe(count)
    await store.open(NOW_US)
    spent = {part: [0.0, 0.0, 0.0] for part in ("submit", "lease", "settle")}
    rows = [(0, b"", _PAYLOAD, "", b"")] * CALL_JOBS

    async def submit() -> None:
        await store.submit(SubmitBatch("default", b"", b"", b"", False, [policy], rows), NOW_US)

    async def lease() -> None:
        leased = await store.lease([(1, CALL_JOBS)], NOW_US + 60_000_000, NOW_US)
        number = leased.number
        held.append([(job[0], number, 0, _OUTPUT, b"", b"", b"", "local/1", NOW_US, NOW_US, 0) for job in leased.jobs])

    async def settle() -> None:
        refused = await store.settle(held.pop(0), NOW_US)
        assert not refused, f"{len(refused)} settlements refused"

    held: list[Sequence[tuple[int, int, int, bytes, bytes, bytes, bytes, str, int, int, int]]] = []
    try:
        for part, step in (("submit", submit), ("lease", lease), ("settle", settle)):
            before = time.perf_counter(), time.process_time(), _process_cpu_seconds(store.process_id)
            for _ in range(jobs // CALL_JOBS):
                await step()
            after = time.perf_counter(), time.process_time(), _process_cpu_seconds(store.process_id)
            spent[part] = [end - begin for begin, end in zip(before, after, strict=True)]
        assert events == 3 * jobs, f"{events} events instead of {3 * jobs}"
        figures = await store.statistics()
    finally:
        await store.close()
    report = {"jobs_per_second": jobs / sum(wall for wall, _, _ in spent.values())}
    for part, (wall, server, process) in spent.items():
        report[f"{part}_wall_us_per_job"] = wall / jobs * 1e6
        report[f"{part}_server_cpu_us_per_job"] = server / jobs * 1e6
        report[f"{part}_process_cpu_us_per_job"] = process / jobs * 1e6
    report["server_cpu_us_per_job"] = sum(server for _, server, _ in spent.values()) / jobs * 1e6
    report["process_cpu_us_per_job"] = sum(process for _, _, process in spent.values()) / jobs * 1e6
    report["file_bytes_per_job"] = figures["file_bytes"] / jobs
    return report


def measure(directory: Path, jobs: int, rounds: int = 1) -> dict[str, dict[str, float]]:
    """Medians of `rounds` rounds of both, in turn.

    Args:
        directory: on the disk to measure; a fresh directory is made in it for each round, and removed.
        jobs: rows of a round, a multiple of 1,000.
        rounds: how often.

    Returns:
        "bare" and "store", each name of a figure → its median.
    """
    if jobs <= 0 or jobs % CALL_JOBS:
        raise ValueError(f"jobs is {jobs}, but must be a positive multiple of {CALL_JOBS}")
    results: dict[str, list[dict[str, float]]] = {"bare": [], "store": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=directory) as fresh:
            results["bare"].append(measure_bare(Path(fresh), jobs))
        with tempfile.TemporaryDirectory(dir=directory) as fresh:
            results["store"].append(asyncio.run(measure_store(Path(fresh), jobs)))
    return {
        name: {key: statistics.median(result[key] for result in found) for key in found[0]} for name, found in results.items()
    }


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="?", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--jobs", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.directory, arguments.jobs, arguments.rounds), indent=2))


if __name__ == "__main__":
    main()
