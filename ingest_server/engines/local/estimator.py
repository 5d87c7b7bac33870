"""How long jobs run, learned from those that ended: it decides how many travel in one frame.

An exponentially weighted mean per spec, and one per handler for specs never seen. It rises fast and falls slowly: a frame too
small costs a round trip, a frame too large lets a job wait behind a slow one.
"""

from __future__ import annotations

from google.protobuf.message import DecodeError

from ingest.v1 import job_pb2
from ingest_server.handlers.plan import handler_names

RISE = 0.5
FALL = 0.2
OVERHEAD_US = 1.0
"""What a job costs its worker besides its run, so that jobs of 0 µs have a finite rate."""


class RunTime:
    """A mean run time in microseconds; 0 while nothing is known."""

    __slots__ = ("mean_us",)

    def __init__(self) -> None:
        self.mean_us = 0.0

    def learn(self, us: float) -> None:
        """Take the mean run time of some jobs that ended."""
        us += OVERHEAD_US
        if not self.mean_us:
            self.mean_us = us
        else:
            self.mean_us += (us - self.mean_us) * (RISE if us > self.mean_us else FALL)


class JobKind:
    """Jobs of one spec.

    Attributes:
        is_async: whether one of its handlers is async.
        own: of this spec.
        shared: of all specs with the same handlers.
    """

    __slots__ = ("is_async", "own", "shared")

    def __init__(self, is_async: bool, shared: RunTime) -> None:
        self.is_async = is_async
        self.own = RunTime()
        self.shared = shared

    def estimate_us(self) -> float:
        """How long one will run; 0 if unknown."""
        return self.own.mean_us or self.shared.mean_us

    def learn(self, us: float) -> None:
        """Take the mean run time of some jobs that ended."""
        self.own.learn(us)
        self.shared.learn(us)


class Estimator:
    """Knows the kinds of jobs.

    Args:
        frame_run_us: how long the jobs of a frame should run together.
        frame_jobs_max: most jobs in a frame.
        kinds_max: specs remembered; the oldest are forgotten first.
    """

    def __init__(self, frame_run_us: int, frame_jobs_max: int, kinds_max: int = 4_096) -> None:
        self._frame_run_us = frame_run_us
        self._frame_jobs_max = frame_jobs_max
        self._kinds_max = kinds_max
        self._kinds: dict[bytes, JobKind] = {}
        self._shared: dict[tuple[str, ...], RunTime] = {}
        self._async_handlers: frozenset[str] = frozenset()

    def use_handlers(self, async_handlers: frozenset[str]) -> None:
        """Learn which handlers are async; forgets what was known."""
        self._async_handlers = async_handlers
        self._kinds.clear()
        self._shared.clear()

    def kind(self, spec: bytes) -> JobKind:
        """The kind of a serialized JobSpec."""
        kind = self._kinds.get(spec)
        if kind is None:
            if len(self._kinds) >= self._kinds_max:
                del self._kinds[next(iter(self._kinds))]
            kind = self._kinds[spec] = self._make_kind(spec)
        return kind

    def frame_jobs(self, estimate_us: float) -> int:
        """How many jobs of that run time make a frame: 1 if it is unknown (0)."""
        if estimate_us <= 0:
            return 1
        return max(1, min(int(self._frame_run_us / estimate_us), self._frame_jobs_max))

    def _make_kind(self, spec: bytes) -> JobKind:
        try:
            names = handler_names(job_pb2.JobSpec.FromString(spec).tasks)
        except DecodeError:
            names = ()
        shared = self._shared.get(names)
        if shared is None:
            if len(self._shared) >= self._kinds_max:
                del self._shared[next(iter(self._shared))]
            shared = self._shared[names] = RunTime()
        return JobKind(not self._async_handlers.isdisjoint(names), shared)
