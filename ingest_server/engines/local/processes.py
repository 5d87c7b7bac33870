"""What the engine asks of Linux about processes: death signals, adoption of orphans, the table of /proc, memory and CPU time."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterator

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
"""Numbers of linux/prctl.h."""

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends. If it has ended already, end now.

    The kernel takes the end of the *thread* that forked for the end of the parent, so only threads that live as long as the
    process may start one that calls this.
    """
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(0)


def adopt_orphans() -> None:
    """Become the parent of descendants whose parents end, so that they can be found and reaped."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def process_table() -> Iterator[tuple[int, int, int]]:
    """All processes: (pid, parent's pid, session)."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    # The name in parentheses may hold anything; what follows its last ")" is regular.
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue  # it has ended
            yield int(name), int(fields[1]), int(fields[3])


def private_bytes(pid: int) -> int:
    """Memory that this process has in RAM apart from files: anonymous and shared-memory pages. 0 if it has ended."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            text = file.read()
    except OSError:
        return 0
    total = 0
    for label in (b"RssAnon:", b"RssShmem:"):
        start = text.find(label)
        if start >= 0:
            total += int(text[start + len(label) : text.index(b"\n", start)].split()[0]) * 1_024
    return total


def cpu_seconds(pid: int) -> float:
    """Processor time used so far, user and system, in seconds. 0 if it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def status_text(status: int) -> tuple[str, dict[str, str]]:
    """A wait status in words, and as metadata of a failure."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exited with code {code}", {"exit_code": str(code)}
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = " (out of memory?)" if -code == signal.SIGKILL else ""
    return f"was killed by {name}{hint}", {"signal": name}


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}, {value}): {os.strerror(number)}")
