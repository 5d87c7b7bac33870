"""The failures that the engine itself gives to an attempt, each made in one place."""

from __future__ import annotations

from collections.abc import Mapping

from ingest_server.domain.errors import Code, Failure, Reason


def timed_out(timeout_us: int) -> bytes:
    """The attempt ran longer than it may."""
    return Failure(
        Code.DEADLINE_EXCEEDED,
        Reason.ATTEMPT_TIMEOUT,
        f"the attempt ran longer than its attempt_timeout of {timeout_us / 1e6:g} s",
        {"timeout_seconds": f"{timeout_us / 1e6:g}"},
    ).to_bytes()


def expired() -> bytes:
    """The job's own deadline came."""
    message = "the job did not end within its total_timeout"
    return Failure(Code.DEADLINE_EXCEEDED, Reason.TOTAL_TIMEOUT, message, retryable=False).to_bytes()


def crashed(what: str, metadata: Mapping[str, str]) -> bytes:
    """The worker died with the attempt in the handler's hands. `what` continues "the worker …"."""
    return Failure(Code.ABORTED, Reason.WORKER_CRASHED, f"the worker {what} while it ran this job", metadata).to_bytes()


def memory_limit(limit_bytes: int) -> bytes:
    """The attempt took more memory than it may. `limit_bytes` 0: the machine had no more."""
    if not limit_bytes:
        return Failure(Code.RESOURCE_EXHAUSTED, Reason.MEMORY_LIMIT, "the attempt found no more memory").to_bytes()
    message = f"the attempt used more than {limit_bytes} bytes of memory (attempt_memory_bytes_max)"
    return Failure(Code.RESOURCE_EXHAUSTED, Reason.MEMORY_LIMIT, message, {"limit_bytes": str(limit_bytes)}).to_bytes()


def cpu_limit(limit_seconds: int) -> bytes:
    """The attempt took more processor time than it may."""
    message = f"the attempt used more than {limit_seconds} s of processor time (attempt_cpu_seconds_max)"
    return Failure(Code.RESOURCE_EXHAUSTED, Reason.CPU_LIMIT, message, {"limit_seconds": str(limit_seconds)}).to_bytes()
