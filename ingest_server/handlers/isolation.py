"""Runs work on hostile bytes in a forked child, so that a library that aborts, crashes or grows takes only the child along.

A native library may answer a failed allocation by ending its process: a table that claims a billion cells would take the worker
and the other jobs in it along. The child has bounds of memory and processor time of its own, and no descriptor but those it
answers through; it dies with its parent. Its fork costs a few milliseconds.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import select
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.operator import reader_limits
from ingest_server.handlers.source import Source

CHECK_MILLISECONDS = 100
"""How often the waiting parent looks whether the attempt was cancelled."""
_RESULT, _FAILURE, _MEMORY, _ERROR = 0, 3, 4, 5
"""How the child ended: exit statuses."""
_PR_SET_PDEATHSIG = 1
"""prctl(2): the signal a child gets when its parent ends."""
_TRACEBACK_CHARACTERS_MAX = 8_192
_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class IsolationLimits:
    """Bounds of a child: memory it may add to what it was forked with, in bytes; processor time, in whole seconds."""

    memory_bytes_max: int
    cpu_seconds_max: int


def child_limits() -> IsolationLimits:
    """Those that the operator has set for readers of documents."""
    limits = reader_limits()
    return IsolationLimits(limits.read_child_memory_bytes_max, limits.read_child_cpu_seconds_max)


class IsolatedError(RuntimeError):
    """The work raised what nobody expected; the text is the child's traceback."""


Report = Callable[[int, int], None]
"""Tells the parent how far the work is: (completed, total)."""


def read_apart_if_large(source: Source, read: Callable[[Source, Callable[[], None]], bytes], context: Context) -> bytes:
    """Read a document here if it is in memory, and in a child, within `child_limits`, if it is so large that it lies in a file.

    Args:
        source: the document.
        read: makes the result; is given the document and what it calls now and then, to hear of a cancel.
        context: see `run_isolated`.

    Raises:
        HandlerFailure, IsolatedError, Cancelled: see `run_isolated`.
    """
    if source.in_memory:
        return read(source, context.check)
    return run_isolated(lambda _: read(source, lambda: None), child_limits(), context, "")


def run_isolated(work: Callable[[Report], bytes], limits: IsolationLimits, context: Context, unit: str) -> bytes:
    """Run work in a child and wait for its result.

    Args:
        work: is given a function that reports progress. Runs in the child: what it changes is lost, what it opened is closed.
        limits: of the child.
        context: its cancel flag is looked at ten times a second; progress goes to it.
        unit: of progress.

    Returns:
        What the work returned.

    Raises:
        HandlerFailure: as the work raised it; or DOCUMENT_MALFORMED, not retryable: the child died, or broke a limit.
        IsolatedError: the work raised something else.
        Cancelled: the attempt was asked to stop; the child is gone.
    """
    result = os.memfd_create("ingest-result")
    try:
        reader, writer = os.pipe()
        try:
            pid = os.fork()
            if pid == 0:
                _child(work, limits, result, writer)
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        status = _wait(pid, reader, context, unit)
        size = os.fstat(result).st_size
        os.lseek(result, 0, os.SEEK_SET)
        with open(result, "rb", closefd=False) as file:
            data = file.read(size)
    finally:
        os.close(result)
    return _judge(status, data, limits)


def _wait(pid: int, reader: int, context: Context, unit: str) -> int:
    """Pass progress on until the child closes its end; its wait status. Kills the child if anything is raised."""
    ended = False
    try:
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        while True:
            context.check()
            if not poll.poll(CHECK_MILLISECONDS):
                continue
            data = os.read(reader, 65_536)
            if not data:
                break
            completed, _, total = data.splitlines()[-1].partition(b" ")
            # A line is shorter than PIPE_BUF, so it arrives whole (pipe(7)); a dying child may still leave half of one.
            if completed.isdigit() and total.isdigit():
                context.progress(int(completed), int(total), unit)
        ended = True
    finally:
        os.close(reader)
        if not ended:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    return status


def _judge(status: int, data: bytes, limits: IsolationLimits) -> bytes:
    """The result, or why there is none."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number in (signal.SIGXCPU, signal.SIGKILL):
            raise _broken(
                f"Reading the document took more than {limits.cpu_seconds_max} s of processor time, or was killed from outside",
                "read_child_cpu_seconds_max",
            )
        name = signal.Signals(number).name
        raise _broken(
            f"The library that reads the document ended with {name}: it is damaged, or needs more than "
            f"{limits.memory_bytes_max} bytes of memory",
            "read_child_memory_bytes_max",
        )
    code = os.WEXITSTATUS(status)
    if code == _RESULT:
        return data
    if code == _FAILURE:
        told = json.loads(data)
        raise HandlerFailure(
            told["message"],
            reason=told["reason"],
            retryable=told["retryable"],
            code=Code(told["code"]),
            metadata=told["metadata"],
        )
    if code == _MEMORY:
        raise _broken(f"Reading the document needs more than {limits.memory_bytes_max} bytes of memory", "memory_bytes_max")
    raise IsolatedError(data.decode("utf-8", "replace") or f"the child ended with status {code}")


def _broken(message: str, limit: str) -> HandlerFailure:
    return HandlerFailure(
        message + ". Send a smaller or an undamaged document.",
        reason=Reason.DOCUMENT_MALFORMED,
        code=Code.INVALID_ARGUMENT,
        retryable=False,
        metadata={"limit": limit},
    )


def _child(work: Callable[[Report], bytes], limits: IsolationLimits, result: int, writer: int) -> NoReturn:
    """All of the child's life. Never returns, and leaves by `_exit`: what the parent registered to do at its end is not run."""
    status, answer = _ERROR, b""
    try:
        _confine(limits, result, writer)

        def report(completed: int, total: int) -> None:
            os.write(writer, b"%d %d\n" % (completed, total))

        answer = work(report)
        status = _RESULT
    except HandlerFailure as failure:
        told = {
            "message": failure.message,
            "reason": str(failure.reason),
            "retryable": failure.retryable,
            "code": int(failure.code),
            "metadata": failure.metadata,
        }
        status, answer = _FAILURE, json.dumps(told).encode()
    except MemoryError:
        status = _MEMORY
    except BaseException:
        status, answer = _ERROR, traceback.format_exc()[-_TRACEBACK_CHARACTERS_MAX:].encode("utf-8", "replace")
    finally:
        try:
            _write(result, answer)
        except BaseException:
            status = _MEMORY
        os._exit(status)


def _write(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _confine(limits: IsolationLimits, result: int, writer: int) -> None:
    """Give the child its bounds, and take from it what is the parent's."""
    parent = os.getppid()
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        os._exit(_ERROR)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGXCPU):
        signal.signal(number, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    kept = sorted((result, writer))
    for low, high in zip([2, *kept], [*kept, os.sysconf("SC_OPEN_MAX")], strict=True):
        os.closerange(low + 1, high)
    with open("/proc/self/statm", "rb") as file:
        data_bytes = int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    _lower(resource.RLIMIT_DATA, data_bytes + limits.memory_bytes_max)
    _lower(resource.RLIMIT_CPU, limits.cpu_seconds_max)
    _lower(resource.RLIMIT_CORE, 0)
    sys.setswitchinterval(1.0)
    # Bytes and strings make no cycles, and a collection would copy the pages shared with the parent.
    gc.disable()


def _lower(kind: int, value: int) -> None:
    """Set a soft limit, never above what is there."""
    soft, hard = resource.getrlimit(kind)
    for present in (soft, hard):
        if present != resource.RLIM_INFINITY:
            value = min(value, present)
    resource.setrlimit(kind, (value, hard))
