"""`ingest fetch`: results of jobs, printed or written to files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ingest_client.cli.follow import show
from ingest_client.cli.options import add_selection, connected, selection
from ingest_client.cli.printer import Printer


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("fetch", help="fetch results", description="Fetch results as they stand.")
    add_selection(parser, "fetch")
    parser.add_argument("--output", "-o", type=Path, metavar="DIR", help="write each result to a file in this folder")
    parser.add_argument("--raw", action="store_true", help="outputs as they are, documents not turned into text")
    parser.add_argument("--wait", action="store_true", help="wait for jobs that have not ended")
    parser.set_defaults(execute=execute)


async def execute(arguments: argparse.Namespace, printer: Printer) -> int:
    """Show every result; status 1 if one is not there or no success."""
    chosen = selection(arguments)
    failed = False
    async with connected(arguments) as client:
        if arguments.wait:
            await client.wait(chosen)
        async for result in client.fetch(chosen):
            failed = failed or not result.succeeded
            if result.error is None and not result.succeeded and not printer.as_json:
                printer.error(f"{result.job_id} is {result.state.name} and has no result yet; --wait waits for it")
            else:
                await show(result, printer, "", arguments.output, raw=arguments.raw)
    return 1 if failed else 0
