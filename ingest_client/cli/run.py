"""`ingest run`: submit, wait, and print or write what came of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ingest_client.cli import inputs
from ingest_client.cli.follow import follow
from ingest_client.cli.options import connected
from ingest_client.cli.printer import Printer
from ingest_client.cli.submit import submit_all


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "run", help="submit jobs, wait, and print their results", description="Submit jobs, wait, and print their results."
    )
    inputs.register(parser)
    parser.add_argument("--output", "-o", type=Path, metavar="DIR", help="write results to files in this folder")
    parser.set_defaults(execute=execute)


async def execute(arguments: argparse.Namespace, printer: Printer) -> int:
    """Submit, follow, show."""
    jobs = inputs.jobs_from(arguments)
    async with connected(arguments) as client:
        batch, names = await submit_all(client, jobs, printer, tell=False)
        succeeded = True
        if batch.job_ids:
            names = distinct(names) if arguments.output is not None else names
            succeeded = await follow(client, batch, printer, names=names, output=arguments.output, print_results=True)
    return 0 if succeeded and not batch.refused else 1


def distinct(names: dict[str, str]) -> dict[str, str]:
    """File names by job id, no two alike: those that would overwrite each other get the job's id in front."""
    seen: set[str] = set()
    chosen: dict[str, str] = {}
    for job_id, name in names.items():
        short = Path(name).name or job_id
        chosen[job_id] = f"{job_id}-{short}" if short in seen else short
        seen.add(short)
    return chosen
