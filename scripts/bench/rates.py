"""Figures of speed: no-op jobs end to end, one job at a time, many coroutines of one client, a store of a million jobs."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scripts.bench import client_coalesce, latency, million, store_ceiling, throughput
from scripts.bench.figures import Figure, Requirement
from scripts.bench.plan import Plan
from scripts.bench.server import RunningServer, server


def jobs_end_to_end(plan: Plan) -> list[Figure]:
    """No-op jobs in calls of 1,000, beside the bare store loop in the same rounds."""
    calls = plan.size(60, 4)
    jobs = calls * throughput.ITEMS_PER_CALL
    measured, bare, costs = [], [], []
    with plan.folder() as folder, server(*throughput.FLAGS, data_dir=folder / "data") as running:
        throughput.measure(running, plan.size(20, 2))
        for _ in range(plan.rounds):
            with plan.folder() as fresh:
                bare.append(store_ceiling.measure_bare(fresh, jobs, b"i" + throughput.INPUT, None)["jobs_per_second"])
            before, mine = running.cpu_seconds(), time.process_time()
            measured.append(throughput.measure(running, calls))
            costs.append(_costs(before, running.cpu_seconds(), time.process_time() - mine, jobs))
    requirements = (Requirement("ours", least=50_000), Requirement("ratio", least=0.4))
    rates = tuple(each.jobs_per_second for each in measured)
    what = "no-op jobs, submits of 1,000, fsync, 2 workers"
    return [
        Figure("throughput.jobs", what, "jobs/s", rates, tuple(bare), "bare apsw insert + update", requirements),
        *_cost_figures("throughput", costs),
    ]


def _costs(before: dict[str, float], after: dict[str, float], client: float, jobs: float) -> dict[str, float]:
    """Microseconds of processor time per job, by process."""
    costs = {role: (seconds - before.get(role, 0.0)) / jobs * 1e6 for role, seconds in after.items() if role != "zygote"}
    return {**costs, "client": client / jobs * 1e6}


def _cost_figures(name: str, costs: Sequence[dict[str, float]]) -> list[Figure]:
    return [
        Figure(f"{name}.cpu.{role}", f"    processor time per job: {role}", "µs", tuple(each[role] for each in costs))
        for role in ("server", "store", "workers", "client")
    ]


@contextmanager
def _echo() -> Iterator[str]:
    """A bare echo server. Yields its address."""
    command = [sys.executable, "-m", "scripts.bench.echo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.send_signal(signal.SIGTERM)


def one_job(plan: Plan) -> list[Figure]:
    """One submit at a time, each beside a bare echo."""
    with plan.folder() as folder, server(*throughput.FLAGS, data_dir=folder / "data") as running, _echo() as echo_address:
        rounds = [latency.measure(running.address, echo_address, plan.size(600, 50)) for _ in range(plan.rounds)]
    echo = tuple(each.echo * 1e6 for each in rounds)
    acknowledged = tuple(each.acknowledged * 1e6 for each in rounds)
    terminal = tuple(each.terminal * 1e6 for each in rounds)
    acknowledged_needs = (Requirement("ratio", most=2.2),)
    terminal_needs = (Requirement("ratio", most=3.0),)
    return [
        Figure("latency.ack", "one job: submit acknowledged, p50", "µs", acknowledged, echo, "bare echo", acknowledged_needs),
        Figure("latency.end", "one job: end seen by watcher, p50", "µs", terminal, echo, "bare echo", terminal_needs),
    ]


def coalesced(plan: Plan) -> list[Figure]:
    """64 coroutines of one client, each submit and result."""
    seconds = plan.size(20, 4) / 10
    measured, costs = [], []
    with plan.folder() as folder, server("--workers", "2", data_dir=folder / "data") as running:
        for _ in range(plan.rounds):
            before, begin = running.cpu_seconds(), time.perf_counter()
            each = client_coalesce.measure(running.address, seconds, 64)
            # The server was busy during the warm-up too: its cost is that of all jobs, estimated from the rate.
            jobs = each.jobs_per_second * (time.perf_counter() - begin)
            costs.append(_costs(before, running.cpu_seconds(), each.client_us_per_job * jobs / 1e6, jobs))
            measured.append(each)
    rates = tuple(each.jobs_per_second for each in measured)
    return [
        Figure(
            "coalesced.jobs", "64 coroutines: submit → result", "jobs/s", rates, requirements=(Requirement("ours", least=8_000),)
        ),
        *_cost_figures("coalesced", costs),
    ]


def full_store(plan: Plan) -> list[Figure]:
    """A store of a million finished jobs against an empty one, and how fast a server starts on it."""
    jobs = plan.size(1_000_000, 5_000)
    with plan.folder() as full, plan.folder() as empty:
        found = million.measure(full, empty, jobs, plan.size(20, 2), plan.rounds)
        clean = tuple(_restart_seconds(full, signal.SIGTERM) for _ in range(plan.rounds))
        killed = tuple(_restart_seconds(full, signal.SIGKILL) for _ in range(plan.rounds))
    needs = (Requirement("ratio", least=0.8),)
    restart = (Requirement("ours", most=2.0),)
    figures = [
        Figure(
            f"full_store.{verb}",
            f"store with {jobs:,} ended jobs: {verb}",
            "jobs/s",
            tuple(getattr(rates, verb) for rates in found.full),
            tuple(getattr(rates, verb) for rates in found.empty),
            "empty store",
            needs,
        )
        for verb in ("submit", "lease")
    ]
    return [
        *figures,
        Figure("full_store.restart", "    server ready on it again", "s", clean, requirements=restart),
        Figure("full_store.restart_killed", "    the same after kill -9", "s", killed, requirements=restart),
    ]


def _restart_seconds(data_dir: Path, stop: int) -> float:
    """Start a server on the folder, end it with `stop`, start it again. Answers how long the second start took."""
    with server(*throughput.FLAGS, data_dir=data_dir, stop=stop) as running:
        _submit_some(running)
    with server("--workers", "2", data_dir=data_dir) as running:
        return running.ready_seconds


def _submit_some(running: RunningServer) -> None:
    """Something to have been done, so that the log is not empty at the end."""
    throughput.measure(running, 2)
