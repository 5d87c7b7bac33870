"""`ingest watch`: changes of jobs as they happen."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from ingest_client.cli.options import UsageError, add_selection, connected, pairs, selection
from ingest_client.cli.printer import Printer
from ingest_client.models import JobEvent, JobFilter, JobState


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "watch",
        help="follow jobs",
        description="Print every change of jobs. Ends with the last of the named jobs; without names it goes on.",
    )
    add_selection(parser, "watch")
    parser.add_argument("--label", action="append", default=[], metavar="K=V", help="jobs with this label, old and new")
    parser.add_argument("--queue", action="append", default=[], help="jobs of this queue, old and new")
    parser.add_argument("--resume", default="", metavar="TOKEN", help="continue after this resume token")
    parser.add_argument("--ends-only", action="store_true", help="tell only of jobs that end")
    parser.set_defaults(execute=execute)


async def execute(arguments: argparse.Namespace, printer: Printer) -> int:
    """Print events until the end; status 1 if a job failed."""
    named = bool(arguments.job_ids or arguments.ids or arguments.batch)
    chosen: str | list[str] | JobFilter | None = None
    if named:
        chosen = selection(arguments)
        if arguments.label or arguments.queue:
            raise UsageError("--label and --queue cannot be combined with ids or --batch")
    elif arguments.label or arguments.queue:
        chosen = JobFilter(queues=tuple(arguments.queue), labels=pairs(arguments.label, "--label"))
    failed = False
    async with connected(arguments) as client:
        watch = client.watch(chosen, resume_token=arguments.resume, stop_when_done=named, terminal_only=arguments.ends_only)
        try:
            async with watch:
                async for event in watch:
                    failed = failed or (event.state.terminal and event.state is not JobState.SUCCEEDED)
                    printer.item(event, describe(event))
        except asyncio.CancelledError:
            printer.note(f"the jobs go on; to continue here: ingest watch … --resume {watch.resume_token}")
            raise
    return 1 if failed else 0


def describe(event: JobEvent) -> str:
    """One line about a change."""
    parts = [event.time.astimezone().strftime("%H:%M:%S.%f")[:-3] if event.time else "", event.job_id, event.state.name]
    if event.progress is not None and not event.state.terminal:
        total = f"/{event.progress.total_units}" if event.progress.total_units else ""
        parts.append(f"{event.progress.completed_units}{total} {event.progress.unit} {event.progress.message}".rstrip())
    if event.error is not None:
        parts.append(f"{event.error.reason}: {event.error.message}")
    return "  ".join(part for part in parts if part)
