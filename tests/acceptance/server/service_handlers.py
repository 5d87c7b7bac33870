"""Handlers whose runs a test can count, order and hold, loaded by path into the real server beside those of the engine's tests.

What they leave behind lies in files that the job names: the test reads them after the job's end, so nothing depends on time.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from ingest_server.handlers import Context, Part, PartResult, Split, handler


@dataclass
class Place:
    path: str


@dataclass
class Fails:
    times: int


@dataclass
class Shape:
    """Options with rules, so that a test can break each of them."""

    width_pixels: int
    mode: Literal["fit", "fill"] = "fit"
    names: tuple[str, ...] = ()


def _append(path: str, line: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, (line + "\n").encode())
    finally:
        os.close(file)


@handler("tally")
def tally(context: Context, options: Place) -> str:
    """Write down that the job ran."""
    _append(options.path, context.job_id)
    return context.job_id


@handler("note")
def note(context: Context, options: Place) -> None:
    """Write down the input."""
    _append(options.path, context.input.read().decode())


@handler("flaky")
def flaky(context: Context, options: Fails) -> int:
    """Fail so many times, then succeed with the number of the attempt."""
    if context.attempt <= options.times:
        raise ConnectionError(f"attempt {context.attempt} finds nobody")
    return context.attempt


@handler("alone")
def alone(context: Context, options: Place) -> None:
    """Fail if another job is here at the same time."""
    os.close(os.open(options.path, os.O_CREAT | os.O_EXCL, 0o600))
    os.unlink(options.path)


@handler("shout")
def shout(context: Context) -> str:
    """Print megabytes where a careless protocol would take them for frames."""
    for _ in range(64):
        print("x" * 65_536)
        os.write(1, b"\x00\xff" * 32_768)
    sys.stdout.flush()
    return "said"


@handler("shape", media_types=("image/png",))
def shape(context: Context, options: Shape) -> dict[str, object]:
    """Give the options back."""
    return {"width_pixels": options.width_pixels, "mode": options.mode, "names": list(options.names)}


@handler("async-size")
async def async_size(context: Context) -> int:
    """How many bytes the input has."""
    return context.input.size_bytes


@dataclass
class Pieces:
    """A job in parts: each writes its number down; some wait for the FIFO at `gate`, some kill their worker."""

    path: str
    count: int
    gate: str = ""
    gated: tuple[int, ...] = ()
    deadly: tuple[int, ...] = ()


@dataclass
class Piece:
    pieces: Pieces
    number: int


@handler("piece", internal=True)
def piece(context: Context, options: Piece) -> str:
    """Answer the own number and the input."""
    pieces, number = options.pieces, options.number
    if number in pieces.gated:
        with open(pieces.gate, "rb") as gate:
            gate.read()
    if number in pieces.deadly:
        os.kill(os.getpid(), signal.SIGSEGV)
    _append(pieces.path, str(number))
    return f"{number}:{context.input.read().decode()}"


def _together(context: Context, options: Pieces, state: bytes, results: Sequence[PartResult]) -> dict[str, object]:
    return {
        "state": state.decode(),
        "results": [result.read().decode() if result.failure is None else result.failure.reason for result in results],
        "input": context.input.read().decode(),
    }


@handler("pieces", merge=_together)
def pieces(context: Context, options: Pieces) -> Split:
    """Do the job in parts."""
    parts = [Part({"pieces": asdict(options), "number": number}) for number in range(options.count)]
    return Split("piece", parts, unit="piece", state=b"told before")
