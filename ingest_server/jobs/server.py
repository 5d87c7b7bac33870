"""What the server is, can do, and does now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ingest_server.domain.caller import Caller
from ingest_server.domain.clock import Clock
from ingest_server.domain.job import JobState
from ingest_server.engines.interface import Engine, HandlerDescription, WorkerDescription
from ingest_server.store.interface import JobStore
from ingest_server.store.records import JobQuery


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Limits that clients must know; bytes and seconds. The fields are those of `Limits` in server_service.proto."""

    message_bytes_max: int
    submit_items_max: int
    fetch_items_max: int
    inline_bytes_max: int
    blob_bytes_max: int
    result_bytes_max: int
    response_bytes_max: int
    wait_max_seconds: float
    blob_ttl_seconds: float
    result_ttl_seconds: float
    event_ttl_seconds: float
    cancel_grace_seconds: float
    priority_ageing_seconds: float


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What the server is."""

    version: str
    limits: ServerLimits
    handlers: Sequence[HandlerDescription]
    engines: Sequence[tuple[str, int]]
    tasks: Sequence[str]
    uri_schemes: Sequence[str]
    callbacks: bool
    tenant: str
    embedding_models: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Quantiles in seconds, of `count` jobs of the last minute."""

    p50: float
    p90: float
    p99: float
    count: int


@dataclass(frozen=True, slots=True)
class Load:
    """What the scheduler and the submits have counted."""

    submit_rate_per_second: float
    end_rate_per_second: float
    wait_latency: LatencySummary
    run_latency: LatencySummary
    running: int
    ended_counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ServerStats:
    """What the server does now; counts of all tenants."""

    queued: int
    scheduled: int
    load: Load
    workers: Sequence[WorkerDescription]
    watch_count: int
    worker_crash_count: int
    uptime_seconds: float
    store: Mapping[str, float]


class Server:
    """The use cases.

    Args:
        load: reads the scheduler's figures.
        watch_count: open watches.
        limits: read anew at each call, since some are live settings.
        uri_schemes: of inputs that are fetched.
        callbacks: whether they are delivered.
        embedding_models: that embed tasks may name.
        stores: whether the task store may write anywhere.
    """

    def __init__(
        self,
        store: JobStore,
        engine: Engine,
        clock: Clock,
        *,
        version: str,
        limits: Callable[[], ServerLimits],
        load: Callable[[], Load],
        watch_count: Callable[[], int],
        uri_schemes: Sequence[str],
        callbacks: bool,
        embedding_models: Sequence[str] = (),
        stores: bool = False,
    ) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self._version = version
        self._limits = limits
        self._load = load
        self._watch_count = watch_count
        self._uri_schemes = tuple(uri_schemes)
        self._callbacks = callbacks
        self._embedding_models = tuple(embedding_models)
        self._tasks = ("extract", "split", "filter", "dedup", "embed", *(("store",) if stores else ()))
        self._started = clock.monotonic()

    def info(self, caller: Caller) -> ServerInfo:
        """What this server is, as its caller may know it."""
        return ServerInfo(
            version=self._version,
            limits=self._limits(),
            handlers=self._engine.handlers(),
            engines=((self._engine.name, len(self._engine.workers())),),
            tasks=self._tasks,
            uri_schemes=self._uri_schemes,
            callbacks=self._callbacks,
            tenant=caller.tenant,
            embedding_models=self._embedding_models,
        )

    async def stats(self, caller: Caller) -> ServerStats:
        """Load and speed now."""
        waiting = frozenset({JobState.SCHEDULED, JobState.QUEUED})
        counted = await self._store.count(JobQuery("", states=waiting), by_state=True, now_us=self._clock.now_us())
        by_state = {state: count for (state, _, _), count in counted.items()}
        return ServerStats(
            queued=by_state.get(JobState.QUEUED, 0),
            scheduled=by_state.get(JobState.SCHEDULED, 0),
            load=self._load(),
            workers=self._engine.workers(),
            watch_count=self._watch_count(),
            worker_crash_count=self._engine.crash_count(),
            uptime_seconds=self._clock.monotonic() - self._started,
            store=await self._store.statistics(),
        )
