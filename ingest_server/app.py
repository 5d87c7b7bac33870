"""The composition root: builds the parts from the settings, starts them in order, and stops them in the opposite one.

    store → event hub, counts → engine and scheduler → wire;   stopped: wire (drain) → scheduler → wire (stop) → store

No decision about jobs is taken here.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import ingest_server
from ingest_server.auth.configured import ConfiguredAuthentication
from ingest_server.auth.quotas import Quotas
from ingest_server.composition import (
    METRICS_SOCKET,
    blob_limits,
    callback_rules,
    callback_sender,
    embed_models,
    engine_limits,
    fits_sockets,
    listener,
    live_configuration,
    make_data_folder,
    operator_settings,
    rest_variables,
    scheduler_limits,
    server_limits,
    source_limits,
    spec_defaults,
    store_limits,
    transport_options,
    upstream_listener,
    wire_limits,
)
from ingest_server.domain.address import parse_listen
from ingest_server.domain.clock import MICROSECONDS_PER_SECOND, SystemClock
from ingest_server.domain.webhook import SigningKeys
from ingest_server.engines.local.pool import LocalEngine
from ingest_server.engines.local.scratch import make_scratch, remove_other_scratch
from ingest_server.jobs.batch_names import BatchNames
from ingest_server.jobs.blobs import Blobs
from ingest_server.jobs.cancel import CancelJobs
from ingest_server.jobs.delete import DeleteJobs
from ingest_server.jobs.deliveries import Deliveries
from ingest_server.jobs.event_hub import EventHub
from ingest_server.jobs.fetch import FetchResults
from ingest_server.jobs.handler_table import LoadedHandlers
from ingest_server.jobs.job_counter import JobCounter, watch_levels
from ingest_server.jobs.list import CountJobs, GetJob, ListJobs
from ingest_server.jobs.live_counts import LiveCounts
from ingest_server.jobs.maintenance import Maintenance
from ingest_server.jobs.queue_table import QueueTable
from ingest_server.jobs.queues import Queues as QueueCases
from ingest_server.jobs.retry import RetryJobs
from ingest_server.jobs.run import RunJob
from ingest_server.jobs.server import Server
from ingest_server.jobs.submit import SubmitJobs, SubmitLimits
from ingest_server.jobs.use_cases import UseCases
from ingest_server.jobs.watch import WatchJobs, WatchLimits
from ingest_server.lifecycle import Lifecycle, store_lost
from ingest_server.observability.metrics import Metrics
from ingest_server.observability.metrics_http import MetricsServer
from ingest_server.rest_process import RestProcess
from ingest_server.scheduler.load import read_load
from ingest_server.scheduler.scheduler import SETTLE_SECONDS_MAX, Scheduler
from ingest_server.scheduler.statistics import Rate, SchedulerStatistics
from ingest_server.settings import Settings, changed_fields
from ingest_server.store.blobs.files import FileBlobStore
from ingest_server.store.registry import create_store
from ingest_server.wire.call_counter import CallCounter
from ingest_server.wire.limits import LiveConfiguration
from ingest_server.wire.parse_callbacks import read_callbacks
from ingest_server.wire.run_policy import read_run_policy
from ingest_server.wire.server import WireServer
from ingest_server.wire.transport import Listener

log = logging.getLogger(__name__)

GARBAGE_THRESHOLDS = (50_000, 50, 100)
"""Of the cyclic garbage collector: what a thousand jobs in flight allocate must not set it off; CPython's 700 would run it in
every call."""


class App:
    """One server.

    Args:
        settings: what to run.
        reread: reads the settings again, for a reload; raises ValueError with what is wrong.
    """

    def __init__(self, settings: Settings, reread: Callable[[], Settings]) -> None:
        self.settings = settings
        self._reread = reread
        self._clock = SystemClock()
        self._reloading = asyncio.Lock()
        self._reloads: set[asyncio.Task[None]] = set()
        self._rest: RestProcess | None = None
        self._rest_folder: Path | None = None

    async def serve(self, on_ready: Callable[[str, str], None]) -> None:
        """Run until a signal asks for the end.

        Args:
            on_ready: called once calls are served, with the address of gRPC and the URL of REST ("" where it is not served).

        Raises:
            IngestError, OSError, ValueError: the server cannot start; the message says what to do.
            BaseException: the fault of the part that failed.
        """
        self._lifecycle = Lifecycle(self._ask_to_reload)
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._lifecycle.listen_to_signals()
            stack.callback(self._lifecycle.forget_signals)
            gc.collect()
            gc.freeze()
            gc.set_threshold(*GARBAGE_THRESHOLDS)
            self._wire.set_ready(True)
            on_ready(self._wire.addresses[0], self._rest.url if self._rest is not None else "")
            await self._lifecycle.until_drain()
            await self._drain()
        if self._lifecycle.fault is not None:
            raise self._lifecycle.fault

    async def _start(self, stack: AsyncExitStack) -> None:
        folder = await asyncio.to_thread(make_data_folder, self.settings)
        self._make_parts(folder, stack)
        listeners = [listener(self.settings), *self._start_rest(folder, stack)]
        await self._open(stack)
        names = BatchNames(self._store)
        use_cases = self._use_cases(names)
        settings = self.settings
        configuration = live_configuration(
            settings, LoadedHandlers(self._engine.handlers()), self._callback_rules, self._source_rules
        )
        self._wire = WireServer(
            use_cases,
            self._authentication.authenticator,
            configuration,
            listeners,
            options=transport_options(settings),
            clock=self._clock,
            observer=CallCounter(self._metrics),
            batch_id_of=names.of,
        )
        await self._wire.start()
        stack.push_async_callback(self._wire.stop, 0.0)
        await self._serve_metrics(stack)
        maintenance = Maintenance(self._clock, self._blobs.sweep, self._hub.run, self._lifecycle.fail)
        maintenance.start()
        stack.push_async_callback(maintenance.stop)
        if self._rest is not None:
            await self._rest.until_ready()

    def _start_rest(self, folder: Path, stack: AsyncExitStack) -> list[Listener]:
        """Start the REST shim, if there is to be one, so that it loads while the rest of the server does. Answers where the
        server is to listen for it: a Unix socket in a folder that only this user can enter."""
        settings = self.settings
        if not settings.rest_listen:
            return []
        own = folder / "rest"
        if fits_sockets(own):
            own.mkdir(mode=0o700, exist_ok=True)
        else:
            own = Path(tempfile.mkdtemp(prefix="ingest-rest-"))
        stack.callback(shutil.rmtree, own, ignore_errors=True)
        self._rest_folder = own
        self._rest = RestProcess(
            settings.rest_listen,
            rest_variables(settings, own),
            tls=bool(settings.rest_tls_cert or settings.tls_cert),
            drain_seconds=settings.drain_seconds,
            clock=self._clock,
        )
        stack.push_async_callback(self._rest.stop, at_once=True)
        self._rest.start()
        return [upstream_listener(own)]

    def _make_parts(self, folder: Path, stack: AsyncExitStack) -> None:
        """Everything below the wire, made and not yet started; the store's listeners subscribed in the order they are told."""
        settings, clock = self.settings, self._clock
        self._authentication = ConfiguredAuthentication(
            tokens_file=settings.tokens_file,
            auth_token=settings.auth_token,
            client_certificates=bool(settings.tls_client_ca),
        )
        self._quotas = Quotas(self._authentication.credentials.quotas, clock)
        self._metrics = Metrics()
        self._store = create_store(
            settings.store,
            folder,
            ageing_us=int(settings.priority_ageing_seconds * MICROSECONDS_PER_SECOND),
            on_lost=lambda: self._lifecycle.fail(store_lost()),
            **store_limits(settings),
        )
        self._hub = EventHub(
            clock, buffer_events_max=settings.watch_buffer_events_max, buffer_bytes_max=settings.watch_buffer_bytes_max
        )
        self._counts = LiveCounts(self._store, self._quotas, JobCounter(self._metrics))
        self._queues = QueueTable(self._store)
        self._store.subscribe(self._hub.on_changes)
        blob_files = FileBlobStore(folder / "blobs", free_bytes_min=settings.disk_free_bytes_min)
        stack.callback(blob_files.close)
        self._blobs = Blobs(blob_files, self._store, clock, blob_limits(settings))
        self._scratch = make_scratch(folder / "scratch")
        stack.callback(shutil.rmtree, self._scratch, ignore_errors=True)
        sources = source_limits(settings)
        self._source_rules = sources.rules()
        self._engine = LocalEngine(
            settings.workers,
            folder / "blobs",
            scratch_directory=self._scratch,
            handler_modules=settings.handlers,
            preload_modules=settings.preload_modules,
            limits=engine_limits(settings),
            sources=sources,
            clock=clock,
            log_level=settings.log_level.upper(),
            operator=operator_settings(settings),
        )
        self._scheduler = Scheduler(
            self._store,
            self._engine,
            clock,
            scheduler_limits(settings),
            statistics=SchedulerStatistics(clock, self._metrics.job_wait_seconds.observe, self._metrics.job_run_seconds.observe),
            read_spec=read_run_policy,
            tenant_quota=self._quotas.quota,
            on_progress=self._hub.on_progress,
            on_failure=self._lifecycle.fail,
        )

        self._callback_rules = callback_rules(settings)
        self._callbacks = callback_sender(settings, self._callback_rules, self._store, clock, self._metrics, self._lifecycle.fail)

    async def _open(self, stack: AsyncExitStack) -> None:
        """Open store and engine side by side: each mostly waits for a process of its own."""
        now_us = self._clock.now_us()
        opening = asyncio.gather(self._store.open(now_us), self._scheduler.open(), return_exceptions=True)
        stack.push_async_callback(self._store.close)
        stack.push_async_callback(self._stop_jobs, 0.0)
        for failure in await opening:
            if failure is not None:
                raise failure
        await asyncio.to_thread(remove_other_scratch, self._scratch)
        groups = await self._store.groups()
        self._hub.learn_groups({number: key for number, (key, _) in groups.items()})
        self._hub.position = (await self._store.span())[1]
        self._quotas.restore(await self._counts.load(groups, now_us))
        self._scheduler.start()
        self._callbacks.start()

    def _use_cases(self, names: BatchNames) -> UseCases:
        settings, store, hub, clock = self.settings, self._store, self._hub, self._clock
        submit_rate = Rate(clock)
        submit = SubmitJobs(
            store,
            self._blobs,
            self._scheduler.dispatcher,
            self._queues,
            self._counts,
            self._quotas,
            submit_rate,
            clock,
            SubmitLimits(lambda: self.settings.queued_jobs_max, settings.inline_bytes_max),
        )
        page_bytes_max = settings.response_bytes_max
        return UseCases(
            submit=submit,
            run=RunJob(store, hub, submit, clock),
            get=GetJob(store, hub, clock),
            list=ListJobs(store, hub, clock, page_bytes_max=page_bytes_max),
            count=CountJobs(store, clock),
            fetch=FetchResults(store, hub, clock, page_bytes_max=page_bytes_max),
            watch=WatchJobs(store, hub, names, clock, WatchLimits(settings.watch_streams_max, settings.watch_age_seconds_max)),
            cancel=CancelJobs(store, self._scheduler, clock),
            retry=RetryJobs(store, submit, clock, read_callbacks),
            delete=DeleteJobs(store, clock),
            deliveries=Deliveries(store, clock, enabled=self._callback_rules.enabled),
            blobs=self._blobs,
            queues=QueueCases(store, clock),
            server=Server(
                store,
                self._engine,
                clock,
                version=ingest_server.__version__,
                limits=lambda: server_limits(self.settings),
                load=lambda: read_load(self._scheduler, submit_rate),
                watch_count=hub.watch_count,
                uri_schemes=self._source_rules.schemes,
                callbacks=self._callback_rules.enabled,
                embedding_models=embed_models(settings).names(),
                stores=bool(settings.store_targets),
            ),
        )

    async def _serve_metrics(self, stack: AsyncExitStack) -> None:
        watch_levels(
            self._metrics,
            live_jobs=self._counts.total,
            running_jobs=self._scheduler.running_count,
            watch_streams=self._hub.watch_count,
            worker_crashes=self._engine.crash_count,
        )
        if self._rest_folder is not None:
            beside = MetricsServer(self._metrics.registry)
            path = self._rest_folder / METRICS_SOCKET
            path.unlink(missing_ok=True)
            await beside.start_unix(str(path))
            stack.push_async_callback(beside.stop)
        if not self.settings.metrics_listen:
            return
        server = MetricsServer(self._metrics.registry)
        address = parse_listen(self.settings.metrics_listen)
        try:
            port = await server.start(address.host, address.port)
        except OSError as error:
            message = f"metrics_listen {address} cannot be listened on (taken, or not of this machine); free it or choose another"
            raise OSError(error.errno, message) from error
        stack.push_async_callback(server.stop)
        log.info("metrics on %s:%d", address.host, port)

    async def _drain(self) -> None:
        """Let short calls and running jobs end, in that order; a second signal, or a part that failed, cuts both short."""
        grace_seconds = self.settings.drain_seconds
        log.info("draining: running jobs have %g s to end", grace_seconds)
        if self._rest is not None:
            self._rest.begin_drain()
        at_once = asyncio.ensure_future(self._lifecycle.until_at_once())
        calls = asyncio.ensure_future(self._wire.drain(grace_seconds))
        await asyncio.wait((at_once, calls), return_when=asyncio.FIRST_COMPLETED)
        calls.cancel()
        self._hub.close("draining")
        jobs = asyncio.ensure_future(self._stop_jobs(0.0 if at_once.done() else grace_seconds))
        await asyncio.wait((at_once, jobs), return_when=asyncio.FIRST_COMPLETED)
        if not jobs.done():
            await self._engine.close(grace_seconds=0.0)
            await self._callbacks.drain(0.0)
        at_once.cancel()
        await asyncio.gather(calls, at_once, return_exceptions=True)
        await jobs
        if self._rest is not None:
            await self._rest.stop(at_once=self._lifecycle.ends_at_once)

    async def _stop_jobs(self, grace_seconds: float) -> None:
        """Drain the scheduler, then the callbacks. After a fault nothing is waited for: perhaps the store is what failed."""
        end = self._clock.monotonic() + grace_seconds
        settle_seconds = SETTLE_SECONDS_MAX if self._lifecycle.fault is None else 0.0
        await self._scheduler.drain(grace_seconds, settle_seconds=settle_seconds)
        await self._callbacks.drain(end - self._clock.monotonic())

    # ---- reload

    def _ask_to_reload(self) -> None:
        task = asyncio.ensure_future(self._reload())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def _reload(self) -> None:
        """Read settings and credentials again; what is live changes at once for all calls, or nothing does."""
        async with self._reloading:
            try:
                settings = self._reread()
                credentials = self._authentication.reload(auth_token=settings.auth_token)
            except ValueError as error:
                log.error("reload refused, nothing was changed: %s", error)
                return

            def change(configuration: LiveConfiguration) -> None:
                self.settings = self.settings.with_live_of(settings)
                configuration.swap(limits=wire_limits(self.settings), defaults=spec_defaults(self.settings))
                self._quotas.replace(credentials.quotas)
                self._callbacks.use_keys(SigningKeys(self.settings.callback_secrets))

            fixed = changed_fields(self.settings, settings)[1]
            if fixed:
                log.warning("changed settings that need a restart were left as they were: %s", ", ".join(fixed))
            await self._wire.reconfigure(change)
            self._scheduler.dispatcher.reconfigure()
            logging.getLogger().setLevel(self.settings.log_level.upper())
            await self._engine.resize(self.settings.workers)
            log.info("reloaded: %d workers", self.settings.workers)
