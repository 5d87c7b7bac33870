"""Runs a program within limits of time and output, and ends it when the attempt is cancelled."""

from __future__ import annotations

import os
import selectors
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.interface import Context, HandlerFailure

POLL_SECONDS = 0.05
"""Between two looks at the cancel flag; a person does not notice it, and it costs a ten-thousandth of a processor."""
_PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended.

    Attributes:
        status: its exit status; negative: the signal that ended it.
        stdout: what it printed.
        stderr: what it complained of, the first `errors_bytes_max`.
    """

    status: int
    stdout: bytes
    stderr: bytes


class TooLong(Exception):
    """The program did not end in time, and was ended."""


class TooMuch(Exception):
    """The program printed more than it may, and was ended."""


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    context: Context,
    clock: Clock,
    *,
    seconds_max: float,
    output_bytes_max: int,
    errors_bytes_max: int = 16 * 1024,
) -> Ended:
    """Run a program to its end. It reads nothing from stdin, and never outlives this call.

    The program stays in the worker's process group, so it also ends with a worker that is killed.

    Args:
        command: program and arguments; no shell.
        environment: all of its environment.
        context: of the attempt.
        clock: measures `seconds_max`.
        seconds_max: how long it may run, if the attempt has so long.
        output_bytes_max: what it may print.
        errors_bytes_max: what is kept of stderr; the rest is read and dropped.

    Raises:
        Cancelled: the attempt was asked to stop.
        HandlerFailure: ATTEMPT_TIMEOUT, retryable.
        TooLong, TooMuch: see there.
        OSError: it cannot be started.
    """
    end = clock.monotonic() + seconds_max
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(environment), bufsize=0
    )
    try:
        out, errors = _printed(process, context, clock, end, output_bytes_max, errors_bytes_max)
        while True:
            # Both pipes are closed, so it has ended, or is about to.
            try:
                return Ended(process.wait(POLL_SECONDS), out, errors)
            except subprocess.TimeoutExpired:
                _look(context, clock, end)
    finally:
        process.kill()  # does nothing to one that has been waited for
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _printed(
    process: subprocess.Popen[bytes], context: Context, clock: Clock, end: float, output_bytes_max: int, errors_bytes_max: int
) -> tuple[bytes, bytes]:
    """What it prints to stdout and stderr until it closes both."""
    assert process.stdout is not None
    assert process.stderr is not None
    kept = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    out, errors = kept.values()
    with selectors.DefaultSelector() as selector:
        for number in kept:
            selector.register(number, selectors.EVENT_READ)
        while selector.get_map():
            _look(context, clock, end)
            for key, _ in selector.select(POLL_SECONDS):
                piece = os.read(key.fd, _PIECE_BYTES)
                if not piece:
                    selector.unregister(key.fd)
                kept[key.fd] += piece
            if len(out) > output_bytes_max:
                raise TooMuch(f"printed more than {output_bytes_max:,} bytes")
            del errors[errors_bytes_max:]
    return bytes(out), bytes(errors)


def _look(context: Context, clock: Clock, end: float) -> None:
    """Whether it may go on."""
    context.check()
    if context.remaining_seconds() <= 0:
        raise HandlerFailure(
            "The attempt's time ended while text was being recognised. Give it a longer attempt_timeout, or fewer pages.",
            reason=Reason.ATTEMPT_TIMEOUT,
            code=Code.DEADLINE_EXCEEDED,
            retryable=True,
        )
    if clock.monotonic() > end:
        raise TooLong
