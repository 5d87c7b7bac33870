"""What to say of the attempts that a worker had in its hands when it ended."""

from __future__ import annotations

import os

from ingest_server.domain.clock import Clock
from ingest_server.engines.interface import Outcome, OutcomeCode
from ingest_server.engines.local import failures
from ingest_server.engines.local.child_control import EXIT_CUT_OFF
from ingest_server.engines.local.ending import Cause
from ingest_server.engines.local.frames import Key
from ingest_server.engines.local.processes import status_text
from ingest_server.engines.local.worker_link import WorkerLink

EXIT_SOFTWARE = os.EX_SOFTWARE
"""What a worker ends with when its own code fails, as it does when it can no longer send."""


def outcomes_of_gone(worker: WorkerLink, clock: Clock, *, given_up: bool) -> list[Outcome]:
    """One outcome for each attempt still in `inflight`, which is emptied.

    Ended by force because of one attempt: that attempt as was meant, the others LOST. Died otherwise: those in a handler's hands
    CRASHED; if it cut itself off from the server, also those that ended before and could not be reported, because one of them
    may have done it, and would come again for ever if it counted for nothing. Those not begun, or ended but unreported: LOST, or
    CANCELLED if that had been asked for.

    Args:
        worker: that has ended.
        clock: for the end of the attempts.
        given_up: the engine is closing: all are LOST that were not meant.
    """
    entered = worker.page.entered()
    suspects = _suspects(worker, entered)
    now_us, now_ns = clock.now_us(), int(clock.monotonic() * 1e9)
    failure = _crash(worker)
    outcomes: list[Outcome] = []
    for key in worker.inflight:
        start_us = now_us - (now_ns - entered[key]) // 1_000 if key in entered else 0
        ending = worker.endings.get(key)
        code, why = OutcomeCode.LOST, b""
        if key in worker.doom:
            code, why = worker.doom[key]
        elif ending is not None and ending.cause is Cause.CANCEL and (key not in entered or given_up):
            code = OutcomeCode.CANCELLED
        elif key in suspects and not worker.doom and not given_up:
            code, why = OutcomeCode.CRASHED, failure
        outcomes.append((key[0], key[1], code, b"", why, b"", b"", worker.name, start_us, now_us))
    worker.inflight.clear()
    worker.async_keys.clear()
    return outcomes


def _suspects(worker: WorkerLink, entered: dict[Key, int]) -> set[Key]:
    suspects = set(entered)
    exit_code = os.waitstatus_to_exitcode(worker.status) if worker.status is not None else None
    if exit_code in (EXIT_CUT_OFF, EXIT_SOFTWARE) or worker.doom_text:
        # A worker begins its sync attempts in the order in which they were sent.
        before: list[Key] = []
        for key in worker.inflight:
            if key in entered:
                suspects.update(before)
            if key not in worker.async_keys:
                before.append(key)
        if not suspects and worker.inflight:
            # None is in a handler's hands, so one has ended and its outcome is what did not come through: of the sync ones the
            # first. Blamed on nobody, it would come again for ever.
            suspects.add(before[0] if before else next(iter(worker.inflight)))
    return suspects


def _crash(worker: WorkerLink) -> bytes:
    if worker.doom_text:
        return failures.crashed(worker.doom_text, {})
    if worker.status is None:
        return failures.crashed("ended in an unknown way", {})
    text, metadata = status_text(worker.status)
    return failures.crashed(text, metadata)
