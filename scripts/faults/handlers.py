"""Handlers of the scenarios: they die, hang, flood or merely take their time, as their options say."""

from __future__ import annotations

import ctypes
import mmap
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

from ingest_server.handlers import Context, handler


@dataclass
class Spend:
    """How long a job takes."""

    seconds: float


@dataclass
class Death:
    """How a worker ends: kill, segfault, exit, stop, memory, shared-memory. `folder`: where a job notes its life."""

    manner: str
    folder: str = ""
    bytes: int = 0


@handler("spend")
def spend(context: Context, options: Spend) -> None:
    """Take so long, without the processor."""
    time.sleep(options.seconds)


@handler("die-always")
def die_always(context: Context, options: Death) -> None:
    """End the worker, or try to."""
    _die(options)


@handler("die-once")
def die_once(context: Context, options: Death) -> str:
    """End the worker in the first attempt, having noted when; in the next, answer when that began.

    Both times are of the monotonic clock, which all processes of a machine share, in nanoseconds.
    """
    begin_ns = time.monotonic_ns()
    path = os.path.join(options.folder, context.job_id)
    try:
        note = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        with open(path, encoding="ascii") as died:
            return f"{died.read()} {begin_ns}"
    os.write(note, str(time.monotonic_ns()).encode())
    os.close(note)
    _die(options)
    return "survived"


def _die(options: Death) -> None:
    match options.manner:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "exit":
            os._exit(7)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "memory":
            bytearray(options.bytes)
        case "shared-memory":
            held = mmap.mmap(-1, options.bytes)
            for offset in range(0, options.bytes, mmap.PAGESIZE):
                held[offset] = 1
            signal.pause()
        case _:
            raise ValueError(f"manner is {options.manner!r}")


@handler("litter")
def litter(context: Context) -> str:
    """Flood stdout and stderr, start processes and leave them, open files and keep them, leave files behind."""
    for number in (1, 2):
        for _ in range(16):
            os.write(number, b"\x00\xff" * 32_768)
    print("x" * (1 << 20), file=sys.stdout, flush=True)
    subprocess.Popen(["sleep", "1000"])
    subprocess.Popen(["sleep", "1000"], start_new_session=True)
    for _ in range(20):
        os.open("/dev/null", os.O_RDONLY)
    tempfile.mkstemp()
    return "done"


@handler("linger")
def linger(context: Context, options: Spend) -> None:
    """Take so long as `spend` does, by poll(2): libfaketime breaks the call that `time.sleep` makes."""
    select.poll().poll(options.seconds * 1_000)
