"""Processes of a measurement: each in a group of its own, with its output in a file, ended together and awaited."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TERM_SECONDS = 3.0
GONE_SECONDS_MAX = 1.0
"""Killed processes are gone within milliseconds; where nobody reaps orphans, their entries stay and are not waited for."""
POLL_SECONDS = 0.02


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int) -> bool:
    """Whether somebody listens on a port of the loopback address."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(what: str, ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, seconds: float = 60.0) -> None:
    """Ask again and again until `ready`.

    Raises:
        RuntimeError: the process ended, or the time did, with the end of its log.
    """
    until = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > until:
            state = "ended" if process.poll() is not None else f"was not ready within {seconds:.0f} s"
            raise RuntimeError(f"{what} {state}: {log.read_text(errors='replace')[-1_500:]}")
        time.sleep(POLL_SECONDS)


@contextmanager
def running(
    command: Sequence[str],
    log: Path,
    variables: dict[str, str] | None = None,
    folder: Path | None = None,
    user: str | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own; the whole group is ended afterwards, first asked, then killed.

    Args:
        command: what to run.
        log: file for what it writes.
        variables: of its environment, beside ours.
        folder: it runs there.
        user: it runs as this user; None: as we do.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(variables or {})},
            cwd=folder,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end_group(process)


def end_group(process: subprocess.Popen[Any]) -> None:
    """End a process and all it started in its group."""
    _signal(process.pid, signal.SIGTERM)
    try:
        process.wait(TERM_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    _signal(process.pid, signal.SIGKILL)  # whoever of the group outlived its leader
    process.wait()
    until = time.monotonic() + GONE_SECONDS_MAX
    while _signal(process.pid, 0) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)


def _signal(group: int, number: int) -> bool:
    """Signal a group. Answers whether anybody is in it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True
