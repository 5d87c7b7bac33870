"""`ingest list`: jobs, newest first."""

from __future__ import annotations

import argparse
from typing import Any

from ingest_client.cli.options import UsageError, connected, pairs
from ingest_client.cli.printer import Printer
from ingest_client.models import Job, JobFilter, JobState


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("list", help="list jobs", description="List jobs, newest first.")
    parser.add_argument("--state", action="append", default=[], metavar="STATE", help="only jobs in this state; may be repeated")
    parser.add_argument("--queue", action="append", default=[], help="only jobs of this queue; may be repeated")
    parser.add_argument("--label", action="append", default=[], metavar="K=V", help="only jobs with this label")
    parser.add_argument("--batch", default="", metavar="BATCH_ID", help="only jobs of this batch")
    parser.add_argument("--limit", "-n", type=int, default=50, help="at most so many; 0 for all (default 50)")
    parser.set_defaults(execute=execute)


async def execute(arguments: argparse.Namespace, printer: Printer) -> int:
    """Print jobs as pages come."""
    wanted = JobFilter(
        states=tuple(_state(each) for each in arguments.state),
        queues=tuple(arguments.queue),
        labels=pairs(arguments.label, "--label"),
        batch_id=arguments.batch,
    )
    shown = 0
    async with connected(arguments) as client:
        async for job in client.list(wanted, page_size=min(arguments.limit or 1000, 1000)):
            printer.item(job, describe(job))
            shown += 1
            if shown == arguments.limit:
                break
    if not shown:
        printer.note("no jobs")
    return 0


def describe(job: Job) -> str:
    """One line about a job."""
    created = job.create_time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if job.create_time else ""
    labels = " ".join(f"{key}={value}" for key, value in sorted(job.labels.items()))
    error = f"{job.error.reason}: {job.error.message}" if job.error is not None else ""
    return "  ".join(part for part in (created, job.job_id, f"{job.state.name:<10}", job.queue, labels, error) if part).rstrip()


def _state(name: str) -> JobState:
    try:
        return JobState[name.upper()]
    except KeyError:
        raise UsageError(f"--state {name!r}: expected one of {', '.join(state.name for state in JobState if state)}") from None
