"""The gRPC server: puts services, interceptors and transport together, starts them, and ends them without a trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import grpc
from google.protobuf import descriptor_pool

from ingest_server.auth.interface import Authenticator
from ingest_server.domain.clock import Clock, SystemClock
from ingest_server.jobs.use_cases import UseCases
from ingest_server.wire import blob_service, health, job_service, queue_service, server_service
from ingest_server.wire.calls import Interceptor
from ingest_server.wire.interceptors.admission import Admission
from ingest_server.wire.interceptors.authentication import Authentication
from ingest_server.wire.interceptors.call_record import CallObserver, CallRecord, NoObserver
from ingest_server.wire.interceptors.call_tasks import CallTasks
from ingest_server.wire.interceptors.crash_barrier import CrashBarrier
from ingest_server.wire.interceptors.deadline import Deadline
from ingest_server.wire.interceptors.drain_gate import DrainGate
from ingest_server.wire.interceptors.tenant_share import TenantShare
from ingest_server.wire.limits import LiveConfiguration
from ingest_server.wire.reflection import VERSIONS, ReflectionService
from ingest_server.wire.reflection_schema import reflection_schema
from ingest_server.wire.registration import Binding, MethodHandlers, bind
from ingest_server.wire.transport import Listener, TransportOptions, bind_listener, remove_socket

LAST_CALLS_SECONDS = 5.0
"""How long a cancelled call may take to end before the server gives up on it. It only has to run its `finally`."""


class WireServer:
    """Serves gRPC.

    Args:
        use_cases: what decides.
        authenticator: who knows callers.
        configuration: limits, defaults and handlers; changed by `reconfigure` only.
        listeners: where to listen; at least one.
        options: of the transport; by default those that follow from the limits.
        clock: for delays, deadlines and durations.
        observer: counts calls.
        batch_id_of: number of a batch → its 16 bytes, b"" if not at hand; for events.
    """

    def __init__(
        self,
        use_cases: UseCases,
        authenticator: Authenticator,
        configuration: LiveConfiguration,
        listeners: Sequence[Listener],
        *,
        options: TransportOptions | None = None,
        clock: Clock | None = None,
        observer: CallObserver | None = None,
        batch_id_of: Callable[[int], bytes] = lambda _: b"",
    ) -> None:
        self._use_cases = use_cases
        self._authenticator = authenticator
        self._configuration = configuration
        self._listeners = listeners
        self._options = options or TransportOptions(message_bytes_max=configuration.limits.message_bytes_max)
        self._clock = clock or SystemClock()
        self._observer = observer or NoObserver()
        self._batch_id_of = batch_id_of
        self._tasks = CallTasks()
        self._gate = DrainGate()
        self._admission = Admission(configuration)
        self._health: health.HealthService | None = None
        self._server: grpc.aio.Server | None = None
        self._addresses: list[str] = []

    @property
    def addresses(self) -> Sequence[str]:
        """Where the server listens, in the order of `listeners`, with the ports that were picked."""
        return tuple(self._addresses)

    @property
    def calls_under_way(self) -> int:
        """Calls, streams included."""
        return len(self._tasks)

    async def start(self) -> str:
        """Listen and serve. Readiness is told by `set_ready`.

        Returns:
            The first address.

        Raises:
            OSError: an address cannot be listened on. Nothing is left running.
        """
        bindings = self._bindings()
        server = grpc.aio.server(options=self._options.channel_arguments())
        server.add_generic_rpc_handlers((MethodHandlers(bindings, self._interceptors()),))
        try:
            for listener in self._listeners:
                self._addresses.append(bind_listener(server, listener))
            await server.start()
        except BaseException:
            await server.stop(None)
            self._forget_addresses()
            raise
        self._server = server
        return self._addresses[0]

    def set_ready(self, ready: bool) -> None:
        """Tell probes and balancers whether to send calls. A server that is started is not ready before it is told so."""
        if self._health is not None:
            self._health.set_ready(ready and not self._gate.draining)

    async def reconfigure(self, change: Callable[[LiveConfiguration], None]) -> None:
        """Change the configuration between calls: none sees half of it. `change` must not wait."""
        await self._gate.exclusively(lambda: change(self._configuration))

    async def drain(self, seconds: float) -> bool:
        """Become unready, refuse new calls, and wait until the short ones under way have ended.

        Calls that wait for jobs, and streams, go on: they end by themselves when the event hub closes, or in `stop`.

        Args:
            seconds: longest wait.

        Returns:
            Whether all short calls had ended by then.
        """
        if self._health is not None:
            self._health.set_ready(False)
        return await self._gate.drain(seconds)

    async def stop(self, grace_seconds: float) -> None:
        """Stop listening; let calls end within `grace_seconds`, cancel the rest, and wait for them. Nothing is left afterwards.
        Stopping twice, or what was never started, is harmless."""
        server, self._server = self._server, None
        if server is None:
            return
        if self._health is not None:
            self._health.set_ready(False)
        await server.stop(grace_seconds)
        await self._tasks.finish(LAST_CALLS_SECONDS)
        self._forget_addresses()

    def _forget_addresses(self) -> None:
        for address in self._addresses:
            remove_socket(address)
        self._addresses.clear()

    def _bindings(self) -> list[Binding]:
        """Every RPC of every service."""
        use_cases, configuration = self._use_cases, self._configuration
        jobs = job_service.JobService(use_cases, configuration, self._clock, self._batch_id_of)
        blobs = blob_service.BlobService(use_cases.blobs, configuration)
        queues = queue_service.QueueService(use_cases.queues)
        servers = server_service.ServerService(use_cases.server)
        bindings = bind(job_service.SERVICE, jobs, configuration, waits=job_service.WAITS, raw=job_service.RAW)
        bindings += bind(blob_service.SERVICE, blobs, configuration)
        bindings += bind(queue_service.SERVICE, queues, configuration)
        bindings += bind(server_service.SERVICE, servers, configuration)
        own = list(dict.fromkeys(binding.method.service for binding in bindings))
        self._health = health.HealthService(own)
        bindings += bind(health.SERVICE, self._health, configuration)
        return bindings + self._reflection([*own, health.SERVICE.full_name])

    def _reflection(self, services: list[str]) -> list[Binding]:
        schemas = [reflection_schema(version) for version in VERSIONS]
        names = services + [schema.service.full_name for schema in schemas]
        pools = [descriptor_pool.Default(), *(schema.pool for schema in schemas)]
        bindings: list[Binding] = []
        for schema in schemas:
            bindings += bind(schema.service, ReflectionService(schema, names, pools), self._configuration)
        return bindings

    def _interceptors(self) -> Sequence[Interceptor]:
        """In the order in which a call meets them."""
        configuration, clock = self._configuration, self._clock
        return (
            # First: a stop must be able to wait for every call, however it fares.
            self._tasks,
            # Around all that may raise: nothing leaves the process but what is meant to.
            CrashBarrier(),
            # Inside the barrier, since it wants to see the error and not the status; outside all others, to see refusals.
            CallRecord(self._observer, clock),
            # Before anything that costs: under overload a refusal must be cheaper than a call.
            self._admission,
            # Before the waits that follow: they count against the caller's time.
            Deadline(configuration, clock),
            # Before everything that asks who calls.
            Authentication(self._authenticator),
            TenantShare(configuration),
            # Innermost: only work holds up a drain, not a call on its way to a refusal.
            self._gate,
        )
