"""SQLite's errors as ours, at the border; and our errors as plain tuples, to cross from the store process to the server."""

from __future__ import annotations

from typing import TypeAlias

import apsw

from ingest_server.domain import errors
from ingest_server.domain.errors import Code, Exhausted, IngestError, InternalError, Reason, Unavailable

Fault: TypeAlias = tuple[str, str, str, int, dict[str, str], float | None, str]
"""(class, message, reason, code, metadata, retry_after_seconds, private cause)"""

FULL_RETRY_SECONDS = 30.0
"""A full disk is emptied by people or by retention, in minutes rather than milliseconds."""

_DAMAGED = (apsw.CorruptError, apsw.NotADBError)


def translate(error: BaseException, path: str) -> IngestError:
    """The error of ours that says what an error of SQLite, or of anything else in the store process, means to a caller."""
    if isinstance(error, IngestError):
        return error
    if isinstance(error, apsw.FullError):
        return Exhausted(
            "the disk of the data directory is full: nothing was changed; free space, or shorten the retention of results",
            reason=Reason.STORAGE_FULL,
            retry_after_seconds=FULL_RETRY_SECONDS,
        )
    if isinstance(error, _DAMAGED):
        return Unavailable(
            f"{path} is damaged ({error}): restore it from a backup, or give another data directory; nothing was changed",
            reason=Reason.STORE_UNAVAILABLE,
        )
    if isinstance(error, apsw.Error | OSError):
        return Unavailable(
            f"the store cannot use {path} ({type(error).__name__}: {error}): nothing was changed; check the disk and the rights",
            reason=Reason.STORE_UNAVAILABLE,
        )
    fault = InternalError("the store failed to carry out a command; nothing was changed")
    fault.__cause__ = error
    return fault


def encode(error: IngestError) -> Fault:
    """An error as plain values."""
    cause = "" if error.__cause__ is None else f"{type(error.__cause__).__name__}: {error.__cause__}"
    kind = type(error).__name__
    return kind, error.message, str(error.reason), int(error.code), error.metadata, error.retry_after_seconds, cause


def decode(fault: Fault) -> IngestError:
    """The error that `encode` took apart."""
    kind, message, reason, code, metadata, retry_after_seconds, cause = fault
    error_class: type[IngestError] = getattr(errors, kind)
    error = error_class(
        message, reason=Reason(reason), code=Code(code), metadata=metadata, retry_after_seconds=retry_after_seconds
    )
    if cause:
        error.__cause__ = RuntimeError(cause)
    return error
