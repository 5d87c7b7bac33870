"""States of a job and the arrows between them: the one place that says which change is legal.

The picture is drawn in `protos/ingest/v1/job.proto` at `JobState`; numbers here and there are the same, which a test proves.
"""

from __future__ import annotations

from enum import IntEnum

DEFAULT_QUEUE = "default"
DEFAULT_TENANT = "default"
DEFAULT_PRIORITY = 5


class JobState(IntEnum):
    """Where a job stands."""

    SCHEDULED = 1
    QUEUED = 2
    RUNNING = 3
    CANCELLING = 4
    SUCCEEDED = 5
    FAILED = 6
    CANCELLED = 7
    EXPIRED = 8

    @property
    def terminal(self) -> bool:
        """Whether the job has ended for good."""
        return self >= JobState.SUCCEEDED


FIRST_TERMINAL_STATE = JobState.SUCCEEDED
LIVE_STATES = tuple(state for state in JobState if not state.terminal)
TERMINAL_STATES = tuple(state for state in JobState if state.terminal)
RETRYABLE_STATES = (JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED)

_ARROWS: dict[JobState, frozenset[JobState]] = {
    JobState.SCHEDULED: frozenset({JobState.QUEUED, JobState.CANCELLED, JobState.EXPIRED}),
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.EXPIRED}),
    JobState.RUNNING: frozenset(
        {
            JobState.SUCCEEDED,
            JobState.FAILED,
            JobState.EXPIRED,
            JobState.CANCELLING,
            JobState.SCHEDULED,
            JobState.QUEUED,
        }
    ),
    JobState.CANCELLING: frozenset({JobState.CANCELLED, JobState.SUCCEEDED, JobState.FAILED, JobState.EXPIRED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
    JobState.EXPIRED: frozenset(),
}


def may_become(present: JobState, wanted: JobState) -> bool:
    """Tell whether a job in state `present` may change to state `wanted`."""
    return wanted in _ARROWS[present]
