"""From what happens to metrics: jobs from the store's commits, levels from the parts that know them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ingest_server.domain.job import TERMINAL_STATES, JobState
from ingest_server.observability.metrics import Metrics

STATE_SLOTS = max(JobState) + 1
"""Length of a list of counts by the number of the state."""


class JobCounter:
    """Counts jobs and attempts in the metrics; told of each commit by `LiveCounts`, which looks at its events."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        # Looked up once: with labels it takes 1 µs, and there are many commits.
        self._ended = {int(state): metrics.jobs_ended_total.labels(state.name) for state in TERMINAL_STATES}

    def count(self, states: Sequence[int], created: int) -> None:
        """A commit has brought so many jobs into each state (`STATE_SLOTS`), of them `created` new ones."""
        metrics = self._metrics
        metrics.commits_total.inc()
        metrics.jobs_created_total.inc(created)
        metrics.attempts_total.inc(states[JobState.RUNNING])
        waiting = states[JobState.QUEUED] + states[JobState.SCHEDULED] - created
        metrics.attempts_repeated_total.inc(max(waiting, 0))
        for state, ended in self._ended.items():
            if states[state]:
                ended.inc(states[state])


def watch_levels(
    metrics: Metrics,
    *,
    live_jobs: Callable[[], int],
    running_jobs: Callable[[], int],
    watch_streams: Callable[[], int],
    worker_crashes: Callable[[], int],
) -> None:
    """Add the figures that are asked for when they are wanted."""
    metrics.watch_level("live_jobs", "Jobs that have not ended.", live_jobs)
    metrics.watch_level("running_jobs", "Attempts that are out.", running_jobs)
    metrics.watch_level("watch_streams", "Open watches and waits.", watch_streams)
    metrics.watch_level("worker_crashes", "Workers that died unasked since the start.", worker_crashes)
