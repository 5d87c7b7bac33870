"""From what happens to metrics: jobs from the store's commits, levels from the parts that know them."""

from __future__ import annotations

from collections.abc import Callable

from ingest_server.domain.job import TERMINAL_STATES, JobState
from ingest_server.observability.metrics import Metrics
from ingest_server.store.records import Changes

_STATES = max(JobState) + 1


class JobCounter:
    """Counts jobs and attempts, one pass over the events of a commit."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._newest_seq = 0
        # Looked up once: with labels it takes 1 µs, and there are many commits.
        self._ended = {int(state): metrics.jobs_ended_total.labels(state.name) for state in TERMINAL_STATES}

    def on_changes(self, changes: Changes) -> None:
        """Listener of the store."""
        if not changes.events:
            return
        newest, created = self._newest_seq, 0
        states = [0] * _STATES
        for event in changes.events:
            states[event[5]] += 1
            if event[1] > newest:
                newest = event[1]
                created += 1
        self._newest_seq = newest
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
