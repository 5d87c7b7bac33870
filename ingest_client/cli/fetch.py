"""`ingest fetch`: results of jobs, printed or written to files."""

from __future__ import annotations

import argparse
from typing import Any

from ingest_client.cli import presenter
from ingest_client.cli.options import add_selection, connected, selection
from ingest_client.cli.presenter import Presenter
from ingest_client.cli.printer import Printer


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("fetch", help="fetch results", description="Fetch results as they stand.")
    add_selection(parser, "fetch")
    presenter.register(parser)
    parser.add_argument("--raw", action="store_true", help="outputs as they are, documents not rendered")
    parser.add_argument("--wait", action="store_true", help="wait for jobs that have not ended")
    parser.set_defaults(execute=execute)


async def execute(arguments: argparse.Namespace, printer: Printer) -> int:
    """Show every result; status 1 if one is not there or no success."""
    chosen = selection(arguments)
    shown = Presenter(arguments, printer)
    total = unfinished = 0
    async with connected(arguments) as client:
        if arguments.wait:
            await client.wait(chosen)
        async for result in client.fetch(chosen):
            total += 1
            if result.error is None and not result.succeeded and not printer.as_json:
                unfinished += 1
                printer.error(f"{result.job_id} is {result.state.name} and has no result yet; --wait waits for it")
            else:
                await shown.present(result)
        shown.tell_end(total)
    return 1 if shown.failed or unfinished else 0
