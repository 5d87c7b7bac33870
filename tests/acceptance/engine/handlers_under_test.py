"""Handlers that behave in every way a handler can. Loaded by path into real workers.

They tell the test where they are by progress, and wait on a FIFO that the test opens: no test depends on time.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ingest_server.handlers import Cancelled, Context, HandlerFailure, Output, handler

SHARED: dict[str, Any] = {}


def load_shared() -> None:
    """What all workers share: 64 MiB."""
    SHARED["numbers"] = np.ones(8 * 1_024 * 1_024)


@dataclass
class Number:
    value: int = 0


@dataclass
class Text:
    value: str


@handler("noop")
def noop(context: Context) -> None:
    """Do nothing."""


@handler("give")
def give(context: Context, options: Text) -> Any:
    """Return a value by name."""
    return {
        "none": None,
        "bytes": b"\x00\xff",
        "text": "grüße",
        "json": {"pages": [1, 2]},
        "output": Output(b"x,y", media_type="text/csv", name="t.csv", metadata={"k": "v"}),
        "rubbish": object(),
        "surrogate": "\ud800",
        "class": Number,
    }[options.value]


@handler("upper")
def upper(context: Context) -> str:
    """Raise the case of a text."""
    return context.input.read().decode().upper()


@handler("size")
def size(context: Context, options: Number) -> bytes:
    """Return so many bytes."""
    return b"z" * options.value


@handler("file")
def file(context: Context, options: Number) -> Output:
    """Return so many bytes in a file."""
    import tempfile

    with tempfile.NamedTemporaryFile(delete=False) as made:
        made.write(b"f" * options.value)
    return Output(path=Path(made.name), media_type="text/plain")


@handler("describe")
def describe(context: Context) -> dict[str, object]:
    """Tell what a handler sees."""
    given = context.input
    path = given.path()
    return {
        "job_id": context.job_id,
        "attempt": context.attempt,
        "media_type": given.media_type,
        "name": given.name,
        "metadata": dict(given.metadata),
        "size_bytes": given.size_bytes,
        "same": given.read() == bytes(given.view()) == path.read_bytes(),
        "path": str(path),
        "remaining": context.remaining_seconds(),
        "cwd": os.getcwd(),
        "umask": os.umask(0o022),
        "pid": os.getpid(),
        "preload": os.environ.get("LD_PRELOAD", ""),
        "grpc": sorted(name for name in sys.modules if name == "grpc" or name.startswith("grpc.")),
        "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd")),
        "python_path": os.environ.get("PYTHONPATH"),
        "stdin": os.readlink("/proc/self/fd/0"),
    }


@handler("fail")
def fail(context: Context, options: Text) -> None:
    """Raise in some way."""
    match options.value:
        case "value":
            raise ValueError("bad " + "x" * 100_000)
        case "known":
            raise HandlerFailure("page 3 is torn", reason="PAGE_TORN", retryable=False, metadata={"page": "3"})
        case "exit":
            sys.exit(3)
        case "interrupt":
            raise KeyboardInterrupt
        case "cancelled":
            raise Cancelled
        case "recursion":
            _recurse()
        case "unprintable":
            raise Unprintable
        case "group":
            raise ExceptionGroup("several", [ValueError("a"), TypeError("b")])


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def _recurse() -> None:
    _recurse()


@handler("die")
def die(context: Context, options: Text) -> None:
    """End the worker in some way."""
    context.progress(1)
    match options.value:
        case "_exit":
            os._exit(7)
        case "exit0":
            os._exit(0)
        case "segfault":
            ctypes.string_at(0)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "abort":
            os.abort()
        case "group":
            os.killpg(0, signal.SIGKILL)
        case "close":
            os.closerange(3, 4_096)
        case "close-sockets":
            for fd in map(int, os.listdir("/proc/self/fd")):
                try:
                    if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
                        os.close(fd)
                except OSError:
                    continue
        case "zygote":
            os.kill(os.getppid(), signal.SIGKILL)
            signal.pause()


@handler("obey")
def obey(context: Context) -> None:
    """Do what the input says, so that jobs of one spec do different things."""
    match context.input.read().partition(b" "):
        case (b"die", _, _):
            os.kill(os.getpid(), signal.SIGKILL)
        case (b"wait", _, fifo):
            context.progress(1)
            Path(fifo.decode()).read_bytes()
        case (b"deaf", _, _):
            context.progress(1)
            while True:
                signal.pause()


@handler("speak")
def speak(context: Context, options: Text) -> None:
    """Write on every socket the worker has."""
    for fd in map(int, os.listdir("/proc/self/fd")):
        try:
            if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
                copy = socket.socket(fileno=os.dup(fd))
                copy.sendall(bytes.fromhex(options.value))
                copy.close()
        except OSError:
            continue
    while True:
        signal.pause()


@handler("wait")
def wait(context: Context) -> bytes:
    """Tell that it runs, and wait until the FIFO named by the input has a writer. Gives what is written."""
    context.progress(1)
    with open(context.input.read(), "rb") as fifo:
        return fifo.read()


@handler("await")
async def await_(context: Context) -> bytes:
    """The same, in async."""
    context.progress(1)
    path = context.input.read().decode()
    return await asyncio.to_thread(lambda: Path(path).read_bytes())


@handler("await-forever")
async def await_forever(context: Context) -> None:
    """Wait for nothing."""
    context.progress(1)
    await asyncio.Event().wait()


@handler("await-stubborn")
async def await_stubborn(context: Context) -> None:
    """Do not give way."""
    context.progress(1)
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            context.progress(2)


@handler("await-noop")
async def await_noop(context: Context) -> str:
    """Do nothing, in async."""
    await asyncio.sleep(0)
    return context.job_id


@handler("polite")
def polite(context: Context) -> None:
    """Look at the flag."""
    context.progress(1)
    while True:
        context.check()


@handler("ends-by-itself")
def ends_by_itself(context: Context) -> str:
    """See the flag, and finish properly."""
    context.progress(1)
    while not context.cancelled:
        pass
    return "finished"


@handler("deaf")
def deaf(context: Context) -> None:
    """Look at nothing; only an interrupt helps."""
    context.progress(1)
    while True:
        signal.pause()


@handler("stubborn")
def stubborn(context: Context) -> None:
    """Swallow the interrupt; only force helps."""
    context.progress(1)
    while True:
        try:
            while True:
                signal.pause()
        except Cancelled:
            context.progress(2)


@handler("native")
def native(context: Context) -> None:
    """Be in native code that does not come back to the interpreter for hours."""
    context.progress(1)
    np.broadcast_to(1.0, (10**7, 10**7)).sum()


@handler("spin")
def spin(context: Context) -> None:
    """Use processor time."""
    context.progress(1)
    while True:
        pass


@handler("spin-stubborn")
def spin_stubborn(context: Context) -> None:
    """Use processor time and give way to nothing."""
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue


@handler("spin-stubborn-told")
def spin_stubborn_told(context: Context) -> None:
    """The same, after telling that it runs."""
    context.progress(1)
    spin_stubborn(context)


@handler("eat")
def eat(context: Context, options: Number) -> int:
    """Use memory."""
    return len(bytearray(options.value))


@handler("eat-shared")
def eat_shared(context: Context, options: Number) -> None:
    """Use memory that RLIMIT_DATA does not count, and hold it."""
    import mmap

    context.progress(1)
    mapping = mmap.mmap(-1, options.value)
    for offset in range(0, options.value, 4_096):
        mapping[offset] = 1
    while True:
        signal.pause()


@handler("mischief")
def mischief(context: Context) -> str:
    """Change what belongs to the whole process, print, start a thread, and leave."""
    os.chdir("/")
    os.umask(0o777)
    for number in (signal.SIGTERM, signal.SIGRTMAX - 1, signal.SIGXCPU, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)
    print("printed by a handler " * 1_000, flush=True)
    os.write(1, b"written by a handler\n")
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    return "done"


@handler("fork")
def fork(context: Context) -> int:
    """Fork, and let the copy return too."""
    return os.fork()


@handler("leave-child")
def leave_child(context: Context) -> None:
    """Start processes that outlive the worker, one in its group, one in a session of its own, and die."""
    near = subprocess.Popen(["sleep", "1000"])
    far = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    Path(context.input.read().decode()).write_text(f"{near.pid} {far.pid}")
    os.kill(os.getpid(), signal.SIGKILL)


@handler("report")
def report(context: Context) -> str:
    """Report progress ten thousand times."""
    for number in range(1, 10_001):
        context.progress(number, 10_000, "page", f"page {number}")
    return "done"


@handler("log")
def log(context: Context) -> None:
    """Log."""
    context.log.warning("a line of the handler")


@handler("asyncio-run")
def asyncio_run(context: Context) -> str:
    """A sync handler that uses a loop of its own."""

    async def inner() -> str:
        await asyncio.sleep(0)
        return "ran"

    return asyncio.run(inner())


@handler("shared", preload=load_shared)
def shared(context: Context) -> dict[str, float]:
    """Read all that is shared."""
    return {"sum": float(SHARED["numbers"].sum()), "pid": os.getpid()}


@handler("random")
def draw(context: Context) -> list[float]:
    """Draw numbers."""
    return [random.random(), float(np.random.rand())]
