"""`ingest run`: submit, wait, and print or write what came of it."""

from __future__ import annotations

import argparse
from typing import Any

from ingest_client.cli import inputs, presenter, storing
from ingest_client.cli.follow import follow
from ingest_client.cli.options import connected
from ingest_client.cli.output_folder import places
from ingest_client.cli.presenter import Presenter
from ingest_client.cli.printer import Printer
from ingest_client.cli.submit import submit_all


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "run",
        help="submit jobs, wait, and print their results",
        description="Submit jobs, wait, and print their results, or write them to files that lie as the inputs do.",
    )
    inputs.register(parser)
    presenter.register(parser)
    parser.set_defaults(execute=execute)


async def execute(arguments: argparse.Namespace, printer: Printer) -> int:
    """Submit, follow, show."""
    shown = Presenter(arguments, printer)
    jobs = inputs.jobs_from(arguments)
    folders = inputs.folders(arguments)
    async with connected(arguments) as client:
        batch, names = await submit_all(client, jobs, printer, tell=False)
        succeeded = True
        if batch.job_ids:
            where = places(names, folders)
            wanted = None if storing.alone(arguments) else shown
            succeeded = await follow(client, batch, printer, names=names, places=where, presenter=wanted)
            storing.tell_end(arguments, printer, succeeded=succeeded and not batch.refused)
        shown.tell_end(len(batch.job_ids) + len(batch.refused))
    return 0 if succeeded and not batch.refused else 1
