"""From settings to what each part is given: one function per part, no decisions."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from ingest_server.configuration.rest_fields import RestFields
from ingest_server.configuration.rest_settings import REST_SOURCES, RestSettings
from ingest_server.domain.address import UNIX_SOCKET_PATH_BYTES_MAX
from ingest_server.domain.callback_rules import CallbackRules
from ingest_server.domain.clock import MICROSECONDS_PER_SECOND, Clock
from ingest_server.domain.delivery_policy import DeliveryPolicy
from ingest_server.domain.embed_rules import EmbedModels
from ingest_server.domain.reader_limits import ReaderLimits
from ingest_server.domain.source_rules import SourceRules
from ingest_server.domain.store_target import StoreRules
from ingest_server.domain.webhook import SigningKeys
from ingest_server.engines.local.limits import LocalEngineLimits
from ingest_server.handlers.operator import OperatorSettings
from ingest_server.handlers.sources.limits import SourceLimits
from ingest_server.jobs.blobs import BlobLimits
from ingest_server.jobs.handler_table import HandlerTable
from ingest_server.jobs.server import ServerLimits
from ingest_server.observability.metrics import Metrics
from ingest_server.scheduler.callbacks import CallbackLimits, CallbackSender, NoTransport, Transport
from ingest_server.scheduler.scheduler import SchedulerLimits
from ingest_server.settings import Settings
from ingest_server.store.interface import JobStore
from ingest_server.wire.limits import LiveConfiguration, SpecDefaults, WireLimits
from ingest_server.wire.transport import Listener, TlsMaterial, TransportOptions


def make_data_folder(settings: Settings) -> Path:
    """The data folder; made if it is missing. Raises OSError, which names the setting."""
    folder = Path(settings.data_dir).absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # other users of the machine have no business in it
    except OSError as error:
        raise OSError(error.errno, f"data_dir {folder} cannot be made: {error.strerror}") from error
    return folder


def embed_models(settings: Settings) -> EmbedModels:
    """Which models embed tasks may name."""
    return EmbedModels.read(settings.embed_model, settings.embed_endpoints, settings.embed_local_models)


def store_limits(settings: Settings) -> dict[str, Any]:
    """Bounds of the store."""
    return {
        "pending_bytes_max": settings.store_pending_bytes_max,
        "pending_commands_max": settings.store_pending_calls_max,
        "pending_reads_max": settings.store_pending_reads_max,
        "reader_threads": settings.store_readers,
    }


def blob_limits(settings: Settings) -> BlobLimits:
    """Bounds of blobs and their uploads."""
    return BlobLimits(
        settings.blob_bytes_max,
        settings.blob_uploads_max,
        settings.blob_ttl_seconds,
        settings.blob_upload_idle_seconds,
    )


def engine_limits(settings: Settings) -> LocalEngineLimits:
    """Bounds of the local engine."""
    return LocalEngineLimits(
        inline_bytes_max=settings.inline_bytes_max,
        result_bytes_max=settings.result_bytes_max,
        cancel_grace_seconds=settings.cancel_grace_seconds,
        attempt_memory_bytes_max=settings.attempt_memory_bytes_max,
        attempt_cpu_seconds_max=settings.attempt_cpu_seconds_max,
        async_concurrency=settings.async_concurrency,
        max_jobs_per_worker=settings.jobs_per_worker_max,
        frame_jobs_max=settings.frame_jobs_max,
        frame_run_us=int(settings.frame_target_seconds * 1_000_000),
        frame_bytes=settings.frame_bytes_max,
        progress_interval_seconds=settings.progress_interval_seconds,
        start_timeout_seconds=settings.worker_start_seconds,
    )


def operator_settings(settings: Settings) -> OperatorSettings:
    """What built-in handlers are told: each setting of the same name."""
    return OperatorSettings(
        store_targets=tuple(entry if "://" in entry else os.path.abspath(entry) for entry in settings.store_targets),
        store_busy_seconds=settings.store_busy_seconds,
        data_dir=os.path.abspath(settings.data_dir),
        s3_endpoint=settings.s3_endpoint,
        s3_region=settings.s3_region,
        s3_idle_seconds=settings.s3_idle_seconds,
        embed_model=settings.embed_model,
        embed_endpoints=settings.embed_endpoints,
        embed_local_models=settings.embed_local_models,
        embed_keys=settings.embed_keys,
        embed_batch_chunks_max=settings.embed_batch_chunks_max,
        embed_batch_bytes_max=settings.embed_batch_bytes_max,
        embed_attempts_max=settings.embed_attempts_max,
        embed_retry_wait_seconds_max=settings.embed_retry_wait_seconds_max,
        embed_request_seconds=settings.embed_request_seconds,
        embed_response_bytes_max=settings.embed_response_bytes_max,
        readers=reader_limits(settings),
    )


def reader_limits(settings: Settings) -> ReaderLimits:
    """Bounds of the readers of documents."""
    return ReaderLimits(
        ocr=settings.ocr,
        ocr_page_seconds_max=settings.ocr_page_seconds_max,
        read_image_pixels_max=settings.read_image_pixels_max,
        read_wrappers_max=settings.read_wrappers_max,
        read_unpacked_bytes_max=settings.read_unpacked_bytes_max,
        read_unpacked_ratio_max=settings.read_unpacked_ratio_max,
        read_members_max=settings.read_members_max,
        read_members_depth_max=settings.read_members_depth_max,
        read_member_bytes_max=settings.read_member_bytes_max,
        read_members_bytes_max=settings.read_members_bytes_max,
        read_office_parts_max=settings.read_office_parts_max,
        read_office_part_bytes_max=settings.read_office_part_bytes_max,
        read_office_bytes_max=settings.read_office_bytes_max,
        read_office_ratio_max=settings.read_office_ratio_max,
        read_table_cells_max=settings.read_table_cells_max,
        read_text_bytes_max=settings.read_text_bytes_max,
        read_child_memory_bytes_max=settings.read_child_memory_bytes_max,
        read_child_cpu_seconds_max=settings.read_child_cpu_seconds_max,
    )


def source_limits(settings: Settings) -> SourceLimits:
    """Which inputs by reference are fetched, and their bounds."""
    return SourceLimits(
        roots=settings.source_roots,
        hosts=settings.source_hosts,
        networks=settings.source_networks,
        buckets=settings.source_buckets,
        bytes_max=settings.source_bytes_max,
        seconds_max=settings.source_seconds_max,
        connect_seconds=settings.source_connect_seconds,
        redirects_max=settings.source_redirects_max,
        free_bytes_min=settings.disk_free_bytes_min,
    )


def store_rules(settings: Settings) -> StoreRules:
    """Where the task store may write."""
    return StoreRules(settings.store_targets, closed=(settings.data_dir,))


def scheduler_limits(settings: Settings) -> SchedulerLimits:
    """Spans of time of the scheduler."""
    return SchedulerLimits(
        lease_seconds=settings.lease_seconds,
        promote_interval_seconds=settings.promote_interval_seconds,
        retention_interval_seconds=settings.retention_interval_seconds,
        event_ttl_seconds=settings.event_ttl_seconds,
    )


CALLBACKS_EXTRA = "ingest[callbacks]"
"""pyproject.toml: what brings aiohttp."""


def callback_rules(settings: Settings) -> CallbackRules:
    """Where callbacks may go."""
    return CallbackRules(settings.callback_hosts, settings.callback_networks)


def callback_sender(
    settings: Settings,
    rules: CallbackRules,
    store: JobStore,
    clock: Clock,
    metrics: Metrics,
    on_failure: Callable[[BaseException], None],
) -> CallbackSender:
    """What delivers callbacks."""
    policy = DeliveryPolicy(
        attempts_max=settings.callback_attempts_max,
        total_us=int(settings.callback_total_seconds * MICROSECONDS_PER_SECOND),
        backoff_initial_us=int(settings.callback_backoff_initial_seconds * MICROSECONDS_PER_SECOND),
        backoff_max_us=int(settings.callback_backoff_max_seconds * MICROSECONDS_PER_SECOND),
    )
    limits = CallbackLimits(settings.callback_concurrent_max, settings.callback_concurrent_per_host_max, policy)
    keys, transport = SigningKeys(settings.callback_secrets), _callback_transport(settings, rules, clock)
    sender = CallbackSender(store, rules, keys, transport, clock, limits, observer=metrics, on_failure=on_failure)
    metrics.watch_level("callbacks_running", "Calls of receivers under way.", sender.running_count)
    return sender


def _callback_transport(settings: Settings, rules: CallbackRules, clock: Clock) -> Transport:
    """The HTTP library is loaded only where callbacks are on, and is an extra. Raises ValueError where it is missing."""
    if not rules.enabled:
        return NoTransport()
    try:
        from ingest_server.scheduler.callback_http import HttpLimits, HttpTransport
    except ImportError as error:
        raise ValueError(
            f"callback_hosts is set, but the HTTP client is not installed: pip install '{CALLBACKS_EXTRA}'"
        ) from error

    limits = HttpLimits(
        connect_seconds=settings.callback_connect_seconds,
        attempt_seconds=settings.callback_attempt_seconds,
        response_bytes_max=settings.callback_response_bytes_max,
        connections_max=settings.callback_concurrent_max,
        connections_per_host_max=settings.callback_concurrent_per_host_max,
    )
    return HttpTransport(rules, clock, limits)


def wire_limits(settings: Settings) -> WireLimits:
    """Bounds of calls."""
    return WireLimits(
        message_bytes_max=settings.message_bytes_max,
        submit_items_max=settings.submit_items_max,
        fetch_items_max=settings.fetch_items_max,
        inline_bytes_max=settings.inline_bytes_max,
        blob_bytes_max=settings.blob_bytes_max,
        response_bytes_max=settings.response_bytes_max,
        watch_events_max=settings.watch_message_events_max,
        wait_seconds_max=settings.wait_seconds_max,
        concurrent_calls_max=settings.concurrent_calls_max,
        concurrent_calls_per_tenant_max=settings.concurrent_calls_per_tenant_max,
        streams_max=settings.watch_streams_max,
        call_seconds_max=settings.call_seconds_max,
    )


def spec_defaults(settings: Settings) -> SpecDefaults:
    """What jobs get that name nothing."""
    return SpecDefaults(
        attempt_timeout_seconds=settings.attempt_timeout_seconds,
        result_ttl_seconds=settings.result_ttl_seconds,
        retry_attempts_max=settings.retry_attempts_max,
        retry_backoff_initial_seconds=settings.retry_backoff_initial_seconds,
        retry_backoff_max_seconds=settings.retry_backoff_max_seconds,
        retry_backoff_multiplier=settings.retry_backoff_multiplier,
        retry_crashes_max=settings.retry_crashes_max,
    )


def live_configuration(
    settings: Settings, handlers: HandlerTable, callbacks: CallbackRules, sources: SourceRules
) -> LiveConfiguration:
    """What every call reads."""
    return LiveConfiguration(
        wire_limits(settings),
        spec_defaults(settings),
        handlers,
        callbacks,
        sources,
        embed_models(settings),
        store_rules(settings),
    )


def server_limits(settings: Settings) -> ServerLimits:
    """What clients are told."""
    return ServerLimits(
        message_bytes_max=settings.message_bytes_max,
        submit_items_max=settings.submit_items_max,
        fetch_items_max=settings.fetch_items_max,
        inline_bytes_max=settings.inline_bytes_max,
        blob_bytes_max=settings.blob_bytes_max,
        result_bytes_max=settings.result_bytes_max,
        response_bytes_max=settings.response_bytes_max,
        wait_max_seconds=settings.wait_seconds_max,
        blob_ttl_seconds=settings.blob_ttl_seconds,
        result_ttl_seconds=settings.result_ttl_seconds,
        event_ttl_seconds=settings.event_ttl_seconds,
        cancel_grace_seconds=settings.cancel_grace_seconds,
        priority_ageing_seconds=settings.priority_ageing_seconds,
    )


def transport_options(settings: Settings) -> TransportOptions:
    """Bounds of connections."""
    return TransportOptions(message_bytes_max=settings.message_bytes_max, keepalive_seconds=settings.keepalive_seconds)


def listener(settings: Settings) -> Listener:
    """Where to listen, with TLS if there is a certificate. Raises OSError, which names the setting, if a file cannot be read."""
    if not settings.tls_cert:
        return Listener(settings.listen)
    material = TlsMaterial(
        _content("tls_cert", settings.tls_cert),
        _content("tls_key", settings.tls_key),
        _content("tls_client_ca", settings.tls_client_ca),
    )
    return Listener(settings.listen, material)


UPSTREAM_SOCKET = "grpc"
METRICS_SOCKET = "metrics"


def fits_sockets(folder: Path) -> bool:
    """Whether the paths of the shim's sockets in `folder` are short enough for the system."""
    return all(len(bytes(folder / name)) <= UNIX_SOCKET_PATH_BYTES_MAX for name in (UPSTREAM_SOCKET, METRICS_SOCKET))


def upstream_listener(folder: Path) -> Listener:
    """Where the server listens for its own shim. Callers there are authenticated as everywhere."""
    return Listener(f"unix:{folder / UPSTREAM_SOCKET}")


def rest_variables(settings: Settings, folder: Path) -> dict[str, str]:
    """What the shim beside the server is told, as its environment."""
    shared = {item.name: getattr(settings, item.name) for item in fields(RestFields)}
    shared["rest_spool_dir"] = settings.rest_spool_dir or str(folder)
    if not settings.rest_tls_cert:
        shared |= {"rest_tls_cert": settings.tls_cert, "rest_tls_key": settings.tls_key}
    shim = RestSettings(
        **shared,
        rest_upstream=f"unix:{folder / UPSTREAM_SOCKET}",
        rest_upstream_metrics=f"unix:{folder / METRICS_SOCKET}",
        rest_insecure_listen_anywhere=True,  # decided for the server already, by the same rule
        rest_drain_seconds=settings.drain_seconds,
        rest_log_level=settings.log_level,
        rest_log_format=settings.log_format,
    )
    return REST_SOURCES.to_environment(shim)


def _content(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes() if path else b""
    except OSError as error:
        raise OSError(error.errno, f"{name} {path} cannot be read: {error.strerror}") from error
