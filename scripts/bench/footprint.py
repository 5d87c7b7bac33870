"""Figures of memory and readiness: idle, a thousand watchers, a shared array, a large document."""

from __future__ import annotations

from scripts.bench import memory, watches
from scripts.bench.figures import Figure, Requirement
from scripts.bench.plan import Plan
from scripts.bench.server import server

MEGABYTE = 1_000_000
KILOBYTE = 1_000


def idle(plan: Plan) -> list[Figure]:
    """Server and two workers that do nothing; a fresh server each round."""
    rounds = []
    for _ in range(plan.rounds):
        with plan.folder() as folder:
            rounds.append(memory.idle(2, folder / "data"))
    pss = tuple(each.pss_bytes / MEGABYTE for each in rounds)
    ready = tuple(each.ready_seconds for each in rounds)
    return [
        Figure("idle.pss", "server + 2 idle workers, PSS", "MB", pss, requirements=(Requirement("ours", most=150),)),
        Figure("idle.ready", "    ready to serve", "s", ready, requirements=(Requirement("ours", most=1.5),)),
    ]


def watchers(plan: Plan) -> list[Figure]:
    """Idle watch streams: memory of each, and submits beside them; a fresh server each round, as freed memory is used again."""
    streams = plan.size(1_000, 50)
    rounds = []
    for _ in range(plan.rounds):
        with plan.folder() as folder, server("--workers", "2", data_dir=folder / "data") as running:
            rounds.append(watches.measure(running, streams, plan.size(500, 50)))
    each = tuple(found.bytes_each / KILOBYTE for found in rounds)
    with_them = tuple(found.p99_with * 1e6 for found in rounds)
    before = tuple(found.p99_before * 1e6 for found in rounds)
    memory_need = (Requirement("ours", most=40),)
    latency_need = (Requirement("ratio", most=1.5),)
    return [
        Figure("watches.each", f"{streams:,} idle watch streams, each", "KB", each, requirements=memory_need),
        Figure("watches.p99", "    submit p99 beside them", "µs", with_them, before, "without them", latency_need),
    ]


def preloaded(plan: Plan) -> list[Figure]:
    """An array loaded once and read by four workers."""
    array_bytes = plan.size(1_000_000_000, 40_000_000)
    rounds = []
    for _ in range(plan.rounds):
        with plan.folder() as folder:
            rounds.append(memory.preloaded_array(4, folder / "data", array_bytes))
    pss = tuple(each.pss_bytes / MEGABYTE for each in rounds)
    what = f"array of {array_bytes / MEGABYTE:,.0f} MB read by 4 workers, PSS of all"
    return [Figure("preloaded.pss", what, "MB", pss, requirements=(Requirement("ours", most=1_150),))]


def large_document(plan: Plan) -> list[Figure]:
    """A document of 100 MB up, through a worker, and back; a fresh server each round."""
    size = plan.size(100 * MEGABYTE, 5 * MEGABYTE)
    grown = []
    for _ in range(plan.rounds):
        with plan.folder() as folder, server("--workers", "2", data_dir=folder / "data") as running:
            grown.append(memory.large_document(running, folder, size) / MEGABYTE)
    what = f"document of {size / MEGABYTE:,.0f} MB up, run, back: growth of server RSS"
    return [Figure("large_document.growth", what, "MB", tuple(grown), requirements=(Requirement("ours", most=32),))]
