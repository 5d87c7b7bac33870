"""How an attempt is brought to an end before it ends by itself: the ladder of flag, interrupt and force.

    cancel              flag ──grace──► interrupt ──grace──► force
    timeout, deadline   flag and interrupt at once ──grace──► force

The flag is seen by `Context.cancelled`, and cancels the task of an async handler. The interrupt raises `Cancelled` in a sync
handler. Force is SIGKILL of the worker: the attempt gets the outcome that was meant for it, its neighbours are LOST.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from operator import itemgetter

from ingest_server.domain.clock import Clock
from ingest_server.engines.interface import AttemptRow, Outcome, OutcomeCode
from ingest_server.engines.local.ending import Cause, Ending
from ingest_server.engines.local.frames import FrameError, Key, Kind
from ingest_server.engines.local.worker_link import WorkerLink

_TIMEOUT_US, _DEADLINE_US = itemgetter(6), itemgetter(7)
SILENCE_SECONDS_MAX = 10.0
"""A worker with nothing in hand answers within milliseconds, unless the machine is badly overloaded."""
LOOK_SECONDS_MIN = 0.001
"""Least time between two looks at a worker's page: the shortest attempt_timeout."""


class Ladder:
    """Ends attempts.

    Args:
        clock: for deadlines and run times.
        grace_seconds: between two rungs.
        kill: has a worker killed.
    """

    def __init__(self, clock: Clock, grace_seconds: float, kill: Callable[[WorkerLink], None]) -> None:
        self._clock = clock
        self._grace_seconds = grace_seconds
        self._kill = kill
        self._loop = asyncio.get_running_loop()

    def cancel(self, worker: WorkerLink, key: Key) -> None:
        """Begin to end an attempt in the worker's hands because its job was cancelled. Again: no effect."""
        if key not in worker.endings:
            self._begin(worker, key, Ending(Cause.CANCEL))

    def watch(self, worker: WorkerLink, rows: list[AttemptRow]) -> None:
        """See to it that rows just sent end in time. One timer per worker, which is moved only to an earlier time."""
        timeout_us = min(map(_TIMEOUT_US, rows))
        if timeout_us <= 0:
            timeout_us = min((row[6] for row in rows if row[6] > 0), default=0)
        wait_seconds = timeout_us / 1e6 if timeout_us else 0.0
        if any(map(_DEADLINE_US, rows)):
            deadline_us = min(row[7] for row in rows if row[7])
            until_seconds = max((deadline_us - self._clock.now_us()) / 1e6, LOOK_SECONDS_MIN)
            wait_seconds = min(wait_seconds, until_seconds) if wait_seconds else until_seconds
        if wait_seconds:
            self._look_in(worker, wait_seconds)

    def _look_in(self, worker: WorkerLink, seconds: float) -> None:
        seconds = max(seconds, LOOK_SECONDS_MIN)
        at = self._loop.time() + seconds
        if worker.watch_timer is not None:
            if worker.watch_at <= at:
                return
            worker.watch_timer.cancel()
        worker.watch_at = at
        worker.watch_timer = self._loop.call_later(seconds, self._look, worker)

    def _look(self, worker: WorkerLink) -> None:
        """End what is overdue, and come back when the next attempt can be."""
        worker.watch_timer = None
        if worker.gone or not worker.inflight:
            return
        entered = worker.page.entered()
        now, now_us = self._clock.monotonic(), self._clock.now_us()
        rest_seconds = []
        for key, row in worker.inflight.items():
            if key in worker.endings or not (row[6] or row[7]):
                continue
            run_seconds = row[6] / 1e6
            timeout_in = deadline_in = float("inf")
            if row[6]:
                start_ns = entered.get(key)
                timeout_in = run_seconds if start_ns is None else start_ns / 1e9 + run_seconds - now
            if row[7]:
                deadline_in = (row[7] - now_us) / 1e6
                if key not in entered:  # the worker itself refuses to enter it
                    deadline_in = max(deadline_in, LOOK_SECONDS_MIN)
            if min(timeout_in, deadline_in) > 0:
                rest_seconds.append(min(timeout_in, deadline_in))
            else:
                cause = Cause.TIMEOUT if timeout_in <= deadline_in else Cause.DEADLINE
                self._begin(worker, key, Ending(cause))
        if rest_seconds:
            self._look_in(worker, min(rest_seconds))

    def _begin(self, worker: WorkerLink, key: Key, ending: Ending) -> None:
        worker.endings[key] = ending
        worker.order(Kind.CANCEL, [key])
        if ending.cause is Cause.CANCEL:
            ending.timer = self._loop.call_later(self._grace_seconds, self._interrupt, worker, key)
        else:
            self._interrupt(worker, key)

    def _interrupt(self, worker: WorkerLink, key: Key) -> None:
        ending = worker.endings.get(key)
        if ending is None or worker.gone:
            return
        if key in worker.page.entered():
            ending.interrupted = True
            worker.order(Kind.INTERRUPT, [key])
            ending.timer = self._loop.call_later(self._grace_seconds, self._force, worker, key)
        else:
            self._wait_for_turn(worker, key, ending)

    def _force(self, worker: WorkerLink, key: Key) -> None:
        ending = worker.endings.get(key)
        if ending is None or worker.gone:
            return
        if key in worker.page.entered():
            worker.doom[key] = ending.outcome(worker.inflight[key])
            self._kill(worker)
        else:
            self._wait_for_turn(worker, key, ending)

    def _wait_for_turn(self, worker: WorkerLink, key: Key, ending: Ending) -> None:
        """It is not in the handler's hands: it has ended and the outcome is on its way, or it waits behind another and will not
        be entered. Should it have slipped past the flag, it is looked for again. A worker that has nothing in hand and says
        nothing has lost the thread, as when its handler wrote half a frame to the server: it is ended by force."""
        now = self._loop.time()
        if worker.page.entered() or not ending.silent_since:
            ending.silent_since = now
        elif now - ending.silent_since > SILENCE_SECONDS_MAX:
            worker.doom[key] = ending.outcome(worker.inflight[key])
            self._kill(worker)
            return
        worker.order(Kind.NUDGE, 0)
        ending.timer = self._loop.call_later(max(self._grace_seconds, 0.01), self._interrupt, worker, key)


def conclude(worker: WorkerLink, row: AttemptRow, outcome: Outcome) -> Outcome:
    """What to make of a worker's word on an attempt: an attempt on the ladder ends as was meant, unless it was a cancel and the
    attempt ended by itself before the interrupt. Raises FrameError for a word that a worker cannot give."""
    code = outcome[2]
    key = (row[0], row[1])
    ending = worker.endings.pop(key, None) if worker.endings else None
    if ending is None:
        if code in (OutcomeCode.SUCCEEDED, OutcomeCode.FAILED, OutcomeCode.DIVIDED) or (code == OutcomeCode.EXPIRED and row[7]):
            return outcome
        raise FrameError(f"outcome {code} of an attempt that was not asked to stop")
    if ending.timer is not None:
        ending.timer.cancel()
    if code in (OutcomeCode.TIMED_OUT, OutcomeCode.CRASHED, OutcomeCode.LOST):
        raise FrameError(f"outcome {code} is not for a worker to give")
    if ending.cause is Cause.CANCEL:
        by_itself = code in (OutcomeCode.SUCCEEDED, OutcomeCode.EXPIRED)
        if by_itself or (code == OutcomeCode.FAILED and not ending.interrupted):
            return outcome
    final, failure = ending.outcome(row)
    return (*outcome[:2], final, b"", failure, outcome[5], b"", *outcome[7:])
