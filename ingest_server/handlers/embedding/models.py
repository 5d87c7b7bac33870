"""From the operator's settings to a model, ready for one attempt; and what is loaded before workers are forked."""

from __future__ import annotations

from functools import lru_cache

from ingest_server.domain.embed_rules import EmbedModels, EmbedRequest, named
from ingest_server.handlers.embedding.embedder import Embedder
from ingest_server.handlers.embedding.hashing import HashingEmbedder
from ingest_server.handlers.embedding.local_model import LocalEmbedder, load_model
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.operator import OperatorSettings, operator_settings


def offered_models(settings: OperatorSettings) -> EmbedModels:
    """What the operator offers. The settings were checked when the server started."""
    return EmbedModels.read(settings.embed_model, settings.embed_endpoints, settings.embed_local_models)


def embedder_for(request: EmbedRequest) -> tuple[str, Embedder]:
    """The model that is asked for, and its name as documents record it. The caller closes it.

    Args:
        request: without faults.

    Raises:
        HandlerFailure: MODEL_UNAVAILABLE, not retryable.
    """
    settings = operator_settings()
    models = offered_models(settings)
    choice = models.choose(request.model)
    if choice.endpoint:
        # Loaded where it is needed: a worker that calls nobody shall not hold TLS and threads.
        from ingest_server.handlers.embedding.endpoint import Endpoint, EndpointEmbedder, EndpointLimits

        key = named(settings.embed_keys, "KEY").get(choice.endpoint, "")
        endpoint = Endpoint(choice.endpoint, models.endpoints[choice.endpoint], key, choice.model)
        limits = EndpointLimits(
            batch_chunks_max=settings.embed_batch_chunks_max,
            batch_bytes_max=settings.embed_batch_bytes_max,
            attempts_max=settings.embed_attempts_max,
            retry_wait_seconds_max=settings.embed_retry_wait_seconds_max,
            request_seconds=settings.embed_request_seconds,
            response_bytes_max=settings.embed_response_bytes_max,
        )
        return choice.name, EndpointEmbedder(endpoint, request.dimensions, limits)
    if choice.name in models.local:
        return choice.name, LocalEmbedder(choice.name, models.local[choice.name])
    return choice.name, _hashing(request.dimensions)


@lru_cache(maxsize=2)
def _hashing(dimensions: int) -> HashingEmbedder:
    """Kept from job to job with the words it has met. A worker runs one plain handler at a time."""
    return HashingEmbedder(dimensions)


def preload_models() -> None:
    """Load every local model that the operator offers, and with endpoints what calls them. Raises ValueError for one that cannot
    be loaded: a server shall not start with less than it was told to offer."""
    models = offered_models(operator_settings())
    for name, place in models.local.items():
        try:
            load_model(name, place)
        except HandlerFailure as failure:
            raise ValueError(failure.message) from failure
    if models.endpoints:
        import ingest_server.handlers.embedding.endpoint  # noqa: F401  # TLS and its kin, shared by the workers
