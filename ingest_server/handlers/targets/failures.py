"""How a target that cannot be written to is told."""

from __future__ import annotations

import errno

from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.s3.errors import S3Error

_FULL = (errno.ENOSPC, errno.EDQUOT)
_PASSING = (errno.EINTR, errno.EAGAIN, errno.EIO, errno.ESTALE, errno.ENFILE, errno.EMFILE, errno.ETIMEDOUT, errno.ENOENT)
"""What another attempt may not meet. ENOENT: somebody removed the folder between two steps; the next attempt makes it again."""


def unusable(message: str, *, code: Code = Code.FAILED_PRECONDITION) -> HandlerFailure:
    """The target is none that can be written to; trying again does not help."""
    return HandlerFailure(message, reason=Reason.STORE_TARGET_UNUSABLE, code=code, retryable=False)


def unavailable(message: str) -> HandlerFailure:
    """The target cannot be written to now."""
    return HandlerFailure(message, reason=Reason.STORE_TARGET_UNAVAILABLE, code=Code.UNAVAILABLE, retryable=True)


def storage_full(target: str) -> HandlerFailure:
    """No room where the target is."""
    message = (
        f"The disk of {target} is full; nothing was left half written. Make room: the job is tried again by its retry policy."
    )
    return HandlerFailure(message, reason=Reason.STORAGE_FULL, code=Code.RESOURCE_EXHAUSTED, retryable=True)


def failure_of(error: OSError | S3Error, target: str) -> HandlerFailure:
    """What an error of the file system or of S3 means to the job's owner."""
    if isinstance(error, S3Error):
        message = f"The target {target} could not be written: {error.message}"
        return unavailable(message) if error.retryable else unusable(message)
    if error.errno in _FULL:
        return storage_full(target)
    message = f"The target {target} could not be written: {error.strerror or error}"
    return unavailable(message) if error.errno in _PASSING else unusable(message)
