"""The scheduler's figures as the use case `Server.stats` wants them."""

from __future__ import annotations

from ingest_server.domain.job import FIRST_TERMINAL_STATE, JobState
from ingest_server.jobs.server import LatencySummary, Load
from ingest_server.scheduler.scheduler import Scheduler
from ingest_server.scheduler.statistics import LatencyWindow, Rate


def read_load(scheduler: Scheduler, submit_rate: Rate) -> Load:
    """Load and speed over the last minute."""
    statistics = scheduler.statistics
    return Load(
        submit_rate_per_second=submit_rate.per_second(),
        end_rate_per_second=statistics.end_rate.per_second(),
        wait_latency=_summary(statistics.wait),
        run_latency=_summary(statistics.run),
        running=scheduler.running_count(),
        ended_counts={JobState(FIRST_TERMINAL_STATE + verdict).name: n for verdict, n in statistics.ended.items()},
    )


def _summary(window: LatencyWindow) -> LatencySummary:
    found = window.quantiles()
    return LatencySummary(found.p50, found.p90, found.p99, found.count)
