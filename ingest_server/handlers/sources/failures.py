"""The ways in which an input by reference cannot be had, each made in one place."""

from __future__ import annotations

from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.interface import HandlerFailure

SHOWN_CHARACTERS_MAX = 200


def shown(uri: str) -> str:
    """A URI for messages: without its query, which may hold a secret, and cut if long."""
    text = uri.partition("?")[0]
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[: SHOWN_CHARACTERS_MAX - 1]}…"


def not_found(message: str, **metadata: str) -> HandlerFailure:
    """Nothing is there."""
    return _failure(message, Reason.SOURCE_NOT_FOUND, Code.NOT_FOUND, metadata)


def forbidden(message: str, **metadata: str) -> HandlerFailure:
    """The source refuses, or the rules of this server do."""
    return _failure(message, Reason.SOURCE_FORBIDDEN, Code.PERMISSION_DENIED, metadata)


def unusable(message: str, **metadata: str) -> HandlerFailure:
    """Something is there that cannot be taken as an input, however often it is asked for."""
    return _failure(message, Reason.SOURCE_UNUSABLE, Code.FAILED_PRECONDITION, metadata)


def unavailable(message: str, **metadata: str) -> HandlerFailure:
    """It could not be had now."""
    return _failure(message, Reason.SOURCE_UNAVAILABLE, Code.UNAVAILABLE, metadata, retryable=True)


def too_large(uri: str, size_bytes: int | None, limit_bytes: int) -> HandlerFailure:
    """It has more bytes than are fetched; `size_bytes` None where nobody knows how many."""
    has = f"has {size_bytes:,} bytes" if size_bytes is not None else "has more bytes"
    message = f"{shown(uri)} {has}; this server fetches at most {limit_bytes:,} (source_bytes_max)"
    return _failure(message, Reason.SOURCE_TOO_LARGE, Code.OUT_OF_RANGE, {"limit_bytes": str(limit_bytes)})


def timed_out(uri: str, limit_seconds: float) -> HandlerFailure:
    """It did not come in time."""
    message = f"{shown(uri)} was not fetched within {limit_seconds:g} s (source_seconds_max)"
    metadata = {"limit_seconds": f"{limit_seconds:g}"}
    return _failure(message, Reason.SOURCE_TIMEOUT, Code.DEADLINE_EXCEEDED, metadata, retryable=True)


def _failure(message: str, reason: Reason, code: Code, metadata: dict[str, str], *, retryable: bool = False) -> HandlerFailure:
    return HandlerFailure(message, reason=reason, code=code, retryable=retryable, metadata=metadata)
