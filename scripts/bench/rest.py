"""Unary calls over HTTP: what one costs in the shim, beside routes written by hand and beside Envoy, before one bare gRPC server.

Each proxy is a process pinned to one processor; client and upstream share the others. Processor time is what counts: calls per
second of one core are its inverse, whatever the client or the upstream can do, and calls by the clock stand beside it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psutil

from ingest.v1 import blob_service_pb2, job_service_pb2, queue_service_pb2, server_service_pb2
from scripts.bench import rest_load
from scripts.bench.echo import JOB_ID
from scripts.bench.figures import Figure, Requirement
from scripts.bench.plan import Plan
from scripts.lib.envoy import EnvoyMissing, described, pipe, running_envoy, tcp

JOB = {"input": {"data": "aGVsbG8=", "mediaType": "text/plain"}, "tasks": [{"custom": {"handler": "echo"}}], "labels": {"a": "b"}}
CALLS = {
    "get": rest_load.request_bytes("GET", f"/v1/jobs/{JOB_ID}"),
    "submit": rest_load.request_bytes("POST", "/v1/jobs:submit", json.dumps({"jobs": [JOB]}).encode()),
}
SERVICES = [f"ingest.v1.{name}" for name in ("JobService", "BlobService", "QueueService", "ServerService")]


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that listens."""

    url: str
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """Processor time it has used."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@dataclass(frozen=True, slots=True)
class Cost:
    """One round: microseconds of processor time per call, calls per second by the clock."""

    cpu_us: float
    rate: float

    @property
    def core_rate(self) -> float:
        """Calls per second that one core does."""
        return 1e6 / self.cpu_us


def unary_calls(plan: Plan) -> list[Figure]:
    """GetJob and SubmitJobs of one job, the three proxies in turn within each round."""
    calls = plan.size(4_000, 300)
    costs: dict[tuple[str, str], list[Cost]] = {}
    with plan.folder() as folder, ExitStack() as stack:
        upstream = f"unix:{folder}/upstream.sock"
        stack.enter_context(_program("scripts.bench.echo", "--listen", upstream, pinned=False))
        proxies = {
            "shim": stack.enter_context(_program("ingest_server.rest", "--upstream", upstream, "--listen", "127.0.0.1:0")),
            "route": stack.enter_context(_program("scripts.bench.rest_route", "--upstream", upstream)),
        }
        try:
            proxies["envoy"] = stack.enter_context(_envoy(f"{folder}/upstream.sock"))
        except EnvoyMissing as missing:
            print(f"without Envoy: {missing}", file=sys.stderr)
        for turn in range(plan.rounds + 1):
            for name, request in CALLS.items():
                for proxy, running in proxies.items():
                    cost = _measure(running, request, calls)
                    if turn:  # the first round warms up
                        costs.setdefault((name, proxy), []).append(cost)
    return [figure for name in CALLS for figure in _figures(name, costs)]


def _measure(proxy: Proxy, request: bytes, calls: int) -> Cost:
    before = proxy.cpu_seconds()
    load = rest_load.run(proxy.url, request, calls)
    return Cost(max(proxy.cpu_seconds() - before, 0.01) / calls * 1e6, calls / load.seconds)


def _figures(name: str, costs: dict[tuple[str, str], list[Cost]]) -> Iterator[Figure]:
    what = {"get": "GET one job", "submit": "POST one job"}[name]
    shim, route = costs[name, "shim"], costs[name, "route"]
    yield Figure(
        f"rest.{name}.cpu",
        f"{what} through the shim: processor time per call",
        "µs",
        tuple(cost.cpu_us for cost in shim),
        tuple(cost.cpu_us for cost in route),
        "the same call by a hand-written Starlette route",
        (Requirement("ratio", most=1.5),),
    )
    envoy = costs.get((name, "envoy"))
    if envoy is None:
        return
    yield Figure(
        f"rest.{name}.core",
        f"{what}: calls per second of one core",
        "calls/s",
        tuple(cost.core_rate for cost in shim),
        tuple(cost.core_rate for cost in envoy),
        "Envoy's transcoder",
        (Requirement("ratio", least=0.25),),
    )
    yield Figure(
        f"rest.{name}.rate",
        "    by the clock, client and upstream on other cores",
        "calls/s",
        tuple(cost.rate for cost in shim),
        tuple(cost.rate for cost in envoy),
        "Envoy's transcoder",
    )


@contextmanager
def _on_one_core(pinned: bool) -> Iterator[None]:
    """What is started in the block runs on the last processor alone, or on all the others."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(usable) < 2:
        yield
        return
    os.sched_setaffinity(0, usable[-1:] if pinned else usable[:-1])
    try:
        yield
    finally:
        os.sched_setaffinity(0, usable)


@contextmanager
def _program(module: str, *arguments: str, pinned: bool = True) -> Iterator[Proxy]:
    """Run a module that says where it listens; end it afterwards."""
    command: Sequence[str] = [sys.executable, "-m", module, *arguments]
    with _on_one_core(pinned):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError(f"{module} said {line!r} and not where it listens")
        yield Proxy(line.removeprefix("listening on ").strip(), psutil.Process(process.pid))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def _envoy(upstream: str) -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    modules = (job_service_pb2, blob_service_pb2, queue_service_pb2, server_service_pb2)
    descriptors = described(module.DESCRIPTOR for module in modules)
    with ExitStack() as stack:
        with _on_one_core(True):
            process = stack.enter_context(running_envoy(tcp("127.0.0.1", port), pipe(upstream), descriptors, SERVICES))
        yield Proxy(f"http://127.0.0.1:{port}", psutil.Process(process.pid))
