"""`ingest submit`: hand jobs in, and go; or stay with --wait."""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Iterator
from typing import Any

from ingest_client.cli import inputs, storing
from ingest_client.cli.follow import follow
from ingest_client.cli.options import connected
from ingest_client.cli.printer import Printer
from ingest_client.cli.progress import JobProgress, plural
from ingest_client.client import Client
from ingest_client.inputs import Input
from ingest_client.models import Batch, SubmitResult
from ingest_client.specs import JobSpec

_HINTS = {
    "UNKNOWN_HANDLER": "to see the handlers of the server: ingest info; to load your own: ingest-server --handlers FILE.py",
    "INVALID_OPTIONS": "to see the options of the handlers: ingest --json info",
    "QUEUE_NOT_FOUND": "to see the queues: ingest queues; to make one: ingest queues update NAME --create",
}
"""What somebody at a command line can do about a refusal, by reason."""


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("submit", help="submit jobs", description="Submit jobs; prints one job id per line.")
    inputs.register(parser)
    parser.add_argument("--wait", action="store_true", help="wait for the jobs to end; status 1 if one failed")
    parser.set_defaults(execute=execute)


async def execute(arguments: argparse.Namespace, printer: Printer) -> int:
    """Submit, then wait if asked to."""
    jobs = inputs.jobs_from(arguments)
    async with connected(arguments) as client:
        batch, names = await submit_all(client, jobs, printer, tell=True)
        succeeded = True
        if arguments.wait and batch.job_ids:
            succeeded = await follow(client, batch, printer, names=names)
        elif batch.job_ids:
            count = len(batch.job_ids)
            printer.note(f"{count} {plural(count)} accepted; to see them end: ingest watch --batch {batch.batch_id}")
    return 0 if succeeded and not batch.refused else 1


async def submit_all(client: Client, jobs: Iterator[JobSpec], printer: Printer, *, tell: bool) -> tuple[Batch, dict[str, str]]:
    """Submit `jobs`; refusals are told on stderr.

    Args:
        client: to the server.
        jobs: drawn on as calls return.
        printer: where to tell.
        tell: each accepted job on stdout.

    Returns:
        The batch, and the names of the inputs by job id.
    """
    batch_id = str(uuid.uuid4())
    names: dict[str, str] = {}
    results: list[SubmitResult] = []
    drawn: list[str] = []

    def named() -> Iterator[JobSpec]:
        for job in jobs:
            drawn.append(_name(job))
            yield job

    hints: set[str] = set()
    with JobProgress(printer, "submitted", None) as progress:
        async for result in client.submit_stream(named(), batch_id=batch_id):
            name = drawn[len(results)]
            results.append(result)
            progress.advance(failed=result.error is not None)
            if result.error is not None:
                printer.error(f"{name or 'job'} refused: {result.error.message}")
                hints.add(_HINTS.get(result.error.reason_name, ""))
                hints.add(storing.hint(result.error.message))
            else:
                names[result.job_id] = name
            if tell and (result.error is None or printer.as_json):
                described = {"name": name, "job_id": result.job_id, "batch_id": batch_id, "created": result.created}
                printer.item({**described, "error": result.error} if result.error else described, result.job_id)
    for hint in sorted(filter(None, hints)):
        printer.note(hint)
    if not results:
        printer.note("no file was found, so nothing was submitted")
    return Batch(batch_id, tuple(results)), names


def _name(job: JobSpec) -> str:
    if isinstance(job.input, Input):
        if job.input.uri:
            return job.input.uri.partition("?")[0]  # what follows may be a secret, and is no part of a name
        return str(job.input.path) if job.input.path is not None else job.input.name
    return ""
