"""`ingest delete`: forget ended jobs."""

from __future__ import annotations

import argparse
from typing import Any

from ingest_client.cli.actions import tell
from ingest_client.cli.options import add_selection, connected, selection
from ingest_client.cli.printer import Printer


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("delete", help="forget ended jobs", description="Forget ended jobs.")
    add_selection(parser, "delete")
    parser.set_defaults(execute=execute)


async def execute(arguments: argparse.Namespace, printer: Printer) -> int:
    """Print one line per job."""
    chosen = selection(arguments)
    async with connected(arguments) as client:
        return tell(await client.delete(chosen), printer)
