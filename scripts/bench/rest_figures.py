"""Figures of the REST shim's streams: live events beside a slow reader, and large blobs."""

from __future__ import annotations

from scripts.bench import rest_blobs, sse
from scripts.bench.figures import Figure, Requirement
from scripts.bench.plan import Plan
from scripts.bench.server import server

MEGABYTE = 1_000_000
MEBIBYTE = 1_048_576
REST = ("--rest-listen", "127.0.0.1:0")


def events(plan: Plan) -> list[Figure]:
    """Streams of server-sent events of one batch; a slow reader comes and goes among them."""
    clients, jobs = plan.size(500, 20), plan.size(100, 10)
    with plan.folder() as folder, server("--workers", "1", *REST, data_dir=folder / "data") as running:
        rounds = sse.measure(running, clients, jobs, plan.rounds)
    what = f"event at {clients - 1:,} SSE clients beside one that reads a byte a second, p99"
    slow, quick = ([each[index].p99 * 1e3 for each in rounds] for index in (0, 1))
    slow_median, quick_median = ([each[index].p50 * 1e3 for each in rounds] for index in (0, 1))
    need = (Requirement("ratio", most=1.1),)
    return [
        Figure("rest_sse.p99", what, "ms", tuple(slow), tuple(quick), "all read", need),
        Figure("rest_sse.p50", "    median", "ms", tuple(slow_median), tuple(quick_median), "all read"),
    ]


def blobs(plan: Plan) -> list[Figure]:
    """A blob up and down, its digest told and not; a fresh server each round, as freed memory is used again."""
    size = plan.size(100 * MEBIBYTE, 5 * MEBIBYTE)
    figures = []
    for told, how in ((True, "digest told"), (False, "digest not told")):
        rounds = []
        for _ in range(plan.rounds):
            with plan.folder() as folder, server("--workers", "1", *REST, data_dir=folder / "data") as running:
                rounds.append(rest_blobs.blob_pass(running, size, digest_told=told))
        name = "told" if told else "spooled"
        grown = tuple(each.grown_bytes / MEBIBYTE for each in rounds)
        up = tuple(size / MEGABYTE / each.up_seconds for each in rounds)
        down = tuple(size / MEGABYTE / each.down_seconds for each in rounds)
        what = f"blob of {size // MEBIBYTE} MiB up and down by REST, {how}: growth of shim RSS"
        need = (Requirement("ours", most=16),)
        figures += [
            Figure(f"rest_blob.{name}.growth", what, "MiB", grown, requirements=need),
            Figure(f"rest_blob.{name}.up", "    up", "MB/s", up),
            Figure(f"rest_blob.{name}.down", "    down", "MB/s", down),
        ]
    return figures
