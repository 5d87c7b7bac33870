"""What the operator has decided for the built-in handlers: set once in the zygote, before workers are forked; then only read."""

from __future__ import annotations

import msgspec

from ingest_server.domain.reader_limits import ReaderLimits


class OperatorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings that reach handlers. Each field is the server's setting of the same name; it travels to the zygote as it is, so
    its type is one that msgpack has.

    Attributes:
        store_targets: folders and S3 prefixes below which the task store may write; empty: nowhere.
        store_busy_seconds: longest wait for a database that another process writes to.
        data_dir: the server's own data, to which no target leads.
        s3_endpoint: URL of an S3-compatible server; "": that of AWS for the region.
        s3_region: that requests are signed for.
        s3_idle_seconds: longest silence of an S3 server within a request.
        embed_model, embed_endpoints, embed_local_models: which models embed tasks may use; `EmbedModels` reads them.
        embed_keys: `NAME=KEY`, of endpoints. Never told to anybody but the endpoint.
        embed_batch_chunks_max, embed_batch_bytes_max, embed_attempts_max, embed_retry_wait_seconds_max, embed_request_seconds,
            embed_response_bytes_max: bounds of requests to endpoints.
        readers: those of the readers of documents.
    """

    store_targets: tuple[str, ...] = ()
    store_busy_seconds: float = 30.0
    data_dir: str = ""
    s3_endpoint: str = ""
    s3_region: str = "us-east-1"
    s3_idle_seconds: float = 30.0
    embed_model: str = "hashing-1"
    embed_endpoints: tuple[str, ...] = ()
    embed_local_models: tuple[str, ...] = ()
    embed_keys: tuple[str, ...] = ()
    embed_batch_chunks_max: int = 64
    embed_batch_bytes_max: int = 256 * 1024
    embed_attempts_max: int = 4
    embed_retry_wait_seconds_max: float = 60.0
    embed_request_seconds: float = 60.0
    embed_response_bytes_max: int = 64 * 1024 * 1024
    readers: ReaderLimits = ReaderLimits()

    def __repr__(self) -> str:
        """Without values: keys are among them, and what is printed ends in logs."""
        return "OperatorSettings(…)"


_present = OperatorSettings()


def operator_settings() -> OperatorSettings:
    """Those of this process's server; the defaults where there is none."""
    return _present


def reader_limits() -> ReaderLimits:
    """Those of the readers. They ask at each document, so nothing of a limit is kept."""
    return _present.readers


def use_operator_settings(settings: OperatorSettings) -> None:
    """Take these from now on. Called once by the zygote; and by tests, which set back what they change."""
    global _present
    _present = settings
