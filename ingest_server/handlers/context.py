"""The context of one attempt, as the worker makes it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Protocol

from ingest.v1 import job_pb2
from ingest_server.handlers.inputs import FileInput, MemoryInput
from ingest_server.handlers.interface import Cancelled, Context

current_attempt: ContextVar[AttemptContext | None] = ContextVar("current_attempt", default=None)
"""The attempt that the running code belongs to; the log's formatter reads it, so that every logger's lines carry job_id."""

PROGRESS_TEXT_MAX = 256
"""Characters of unit and message that are kept."""
COUNT_MAX = 2**63 - 1


class Host(Protocol):
    """Who runs attempts, as their contexts see it."""

    wall_offset_us: int
    """Wall time less monotonic time."""

    def is_cancelled(self, key: tuple[int, int]) -> bool:
        """Whether an attempt was asked to stop."""
        ...

    def tell_progress(self, context: AttemptContext) -> None:
        """Take note that `progress_bytes` has changed. From any thread."""
        ...


class AttemptContext(Context):
    """See `Context`. Made for each attempt, and most handlers ask little of it, so it holds raw values and works out the rest
    when asked: `job_id`, `log` and `input` come into being in `__getattr__`, on their first use.

    Args:
        host: who runs it.
        key: (seq, lease).
        job_id_bytes: 16 bytes.
        attempt: from 1.
        crash_count: how often the job has killed its worker.
        start_ns: `time.monotonic_ns` at which it was entered.
        timeout_us: longest run; 0 for no limit.
        deadline_us: wall time at which the job expires; 0 for never.
    """

    progress_bytes = b""
    _opened: list[MemoryInput | FileInput] | None = None
    input_source: tuple[Callable[[Any, bytes, AttemptContext], MemoryInput | FileInput], Any, bytes] | None = None
    """How to make the job's input when it is asked for: a function, its plan and payload; it is given the context too. Set by the
    executor."""

    def __init__(
        self,
        host: Host,
        key: tuple[int, int],
        job_id_bytes: bytes,
        attempt: int,
        start_ns: int,
        timeout_us: int,
        deadline_us: int,
        crash_count: int = 0,
    ) -> None:
        self.key = key
        self.attempt = attempt
        self.crash_count = crash_count
        self._host = host
        self._job_id_bytes = job_id_bytes
        self._start_ns = start_ns
        self._timeout_us = timeout_us
        self._deadline_us = deadline_us

    def __getattr__(self, name: str) -> Any:
        """Make one of the costly attributes; it is found at once from then on."""
        value: object
        if name == "job_id":
            text = self._job_id_bytes.hex()
            value = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
        elif name == "log":
            value = logging.getLogger("ingest.handler")  # the formatter adds job_id and attempt
        elif name == "input" and self.input_source is not None:
            make, plan, payload = self.input_source
            value = make(plan, payload, self)
        else:
            raise AttributeError(f"a context has no attribute {name!r}")
        setattr(self, name, value)
        return value

    def next_input(self, following: MemoryInput | FileInput) -> None:
        """Go on with the output of the task before. The input before stays open until the end: the output may lie in it."""
        earlier = self.__dict__.get("input")
        if earlier is not None:
            if self._opened is None:
                self._opened = []
            self._opened.append(earlier)
        self.input = following

    def close(self) -> None:
        """Give back what inputs hold: mappings and temporary files."""
        given = self.__dict__.get("input")
        if given is not None:
            given.close()
        for earlier in self._opened or ():
            earlier.close()

    def progress(self, completed_units: int, total_units: int = 0, unit: str = "", message: str = "") -> None:
        """See `Context.progress`. Numbers out of range are brought into it; texts are cut."""
        self.progress_bytes = job_pb2.Progress(
            completed_units=min(max(int(completed_units), 0), COUNT_MAX),
            total_units=min(max(int(total_units), 0), COUNT_MAX),
            unit=_clean(unit),
            message=_clean(message),
        ).SerializeToString()
        self._host.tell_progress(self)

    @property
    def cancelled(self) -> bool:
        """See `Context.cancelled`."""
        return self._host.is_cancelled(self.key)

    def check(self) -> None:
        """See `Context.check`."""
        if self._host.is_cancelled(self.key):
            raise Cancelled("the job was asked to stop")

    def remaining_seconds(self) -> float:
        """See `Context.remaining_seconds`."""
        now_ns = time.monotonic_ns()
        seconds = math.inf
        if self._timeout_us:
            seconds = (self._start_ns + self._timeout_us * 1_000 - now_ns) / 1e9
        if self._deadline_us:
            seconds = min(seconds, (self._deadline_us - self._host.wall_offset_us - now_ns // 1_000) / 1e6)
        return max(seconds, 0.0)


def _clean(text: str) -> str:
    return str(text)[:PROGRESS_TEXT_MAX].encode("utf-8", "backslashreplace").decode()
