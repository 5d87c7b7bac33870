"""An attempt that is to end before it ends by itself: why, how far that has got, and what to say of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum

from ingest_server.engines.interface import AttemptRow, OutcomeCode
from ingest_server.engines.local import failures


class Cause(Enum):
    """Why an attempt is to end."""

    CANCEL = "cancel"
    TIMEOUT = "timeout"
    DEADLINE = "deadline"


@dataclass(slots=True)
class Ending:
    """An attempt on the ladder.

    Attributes:
        cause: why.
        interrupted: the interrupt has been sent.
        timer: of the next rung.
        silent_since: loop time since which the worker has had no attempt in hand and not told of this one; 0 before that is seen.
    """

    cause: Cause
    interrupted: bool = False
    timer: asyncio.TimerHandle | None = None
    silent_since: float = 0.0

    def outcome(self, row: AttemptRow) -> tuple[OutcomeCode, bytes]:
        """What to say of an attempt that was ended: code and failure."""
        if self.cause is Cause.CANCEL:
            return OutcomeCode.CANCELLED, b""
        if self.cause is Cause.TIMEOUT:
            return OutcomeCode.TIMED_OUT, failures.timed_out(row[6])
        return OutcomeCode.EXPIRED, failures.expired()
