"""Limits and defaults that the wire layer applies, and the place from which every call reads them."""

from __future__ import annotations

from dataclasses import dataclass

from ingest_server.domain.callback_rules import CallbackRules
from ingest_server.domain.embed_rules import EmbedModels
from ingest_server.domain.source_rules import SourceRules
from ingest_server.domain.store_target import StoreRules
from ingest_server.jobs.handler_table import HandlerTable

KIB = 1024
MIB = 1024 * KIB
DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WireLimits:
    """Limits, each the setting of the same name unless it says otherwise.

    Attributes:
        message_bytes_max: largest request. One that is larger, up to twice as large, is refused by us with TOO_LARGE; beyond
            that by gRPC itself, which can only say RESOURCE_EXHAUSTED.
        submit_items_max: jobs in one SubmitJobs call.
        fetch_items_max: ids in one call.
        list_items_max: jobs in one page of ListJobs; the contract says 1,000.
        inline_bytes_max: of interest to `GetServerInfo` only; the use case moves larger inputs to blobs.
        blob_bytes_max: largest blob.
        response_bytes_max: where a page of results or a message of events is cut.
        watch_events_max: events in one message of a watch (setting `watch_message_events_max`).
        wait_seconds_max: longest wait of RunJob and FetchResults.
        concurrent_calls_max: calls under way at once, streams not counted.
        concurrent_calls_per_tenant_max: the same for one tenant, streams counted.
        streams_max: long-lived streams at once (setting `watch_streams_max`).
        overload_retry_seconds: hint given with a refusal: long enough for a burst of short calls to pass.
        call_seconds_max: end of a unary call whose caller set no deadline, beyond its wait.
        answer_margin_seconds: how long before the caller's deadline a wait ends, so that the answer still reaches it.
    """

    message_bytes_max: int = 16 * MIB
    submit_items_max: int = 1_000
    fetch_items_max: int = 1_000
    list_items_max: int = 1_000
    inline_bytes_max: int = 256 * KIB
    blob_bytes_max: int = 8 * 1024 * MIB
    response_bytes_max: int = 3 * MIB
    watch_events_max: int = 1_000
    wait_seconds_max: float = 3_600.0
    concurrent_calls_max: int = 10_000
    concurrent_calls_per_tenant_max: int = 5_000
    streams_max: int = 5_000
    overload_retry_seconds: float = 0.5
    call_seconds_max: float = 120.0
    answer_margin_seconds: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecDefaults:
    """What a job gets where its spec says nothing. Written into the stored spec, so a later change of the settings does not
    touch jobs that were accepted before."""

    attempt_timeout_seconds: float = 3_600.0
    result_ttl_seconds: float = 7 * DAY_SECONDS
    retry_attempts_max: int = 3
    retry_backoff_initial_seconds: float = 1.0
    retry_backoff_max_seconds: float = 60.0
    retry_backoff_multiplier: float = 2.0
    retry_crashes_max: int = 3


class LiveConfiguration:
    """What every call reads and a reload swaps. Whoever replaces a part holds the writer side of the drain gate, so no call
    sees one part old and another new.

    Attributes:
        limits, defaults, handlers: the present ones.
        callbacks: where callbacks may go; never swapped.
        sources: where inputs may be fetched from; never swapped.
        models: of embed tasks; never swapped.
        store_rules: where the task store may write; never swapped.
        generation: grows with every swap; what was derived from an older generation is stale.
    """

    __slots__ = ("callbacks", "defaults", "generation", "handlers", "limits", "models", "sources", "store_rules")

    def __init__(
        self,
        limits: WireLimits,
        defaults: SpecDefaults,
        handlers: HandlerTable,
        callbacks: CallbackRules | None = None,
        sources: SourceRules | None = None,
        models: EmbedModels | None = None,
        store_rules: StoreRules | None = None,
    ) -> None:
        self.limits = limits
        self.defaults = defaults
        self.handlers = handlers
        self.callbacks = callbacks or CallbackRules()
        self.sources = sources or SourceRules()
        self.models = models or EmbedModels()
        self.store_rules = store_rules or StoreRules()
        self.generation = 0

    def swap(
        self,
        *,
        limits: WireLimits | None = None,
        defaults: SpecDefaults | None = None,
        handlers: HandlerTable | None = None,
    ) -> None:
        """Replace the parts that are given."""
        self.limits = limits or self.limits
        self.defaults = defaults or self.defaults
        self.handlers = handlers if handlers is not None else self.handlers
        self.generation += 1
