"""`ingest info`: what the server is, its limits and handlers."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from ingest_client.cli.options import connected
from ingest_client.cli.printer import Printer


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "info", help="version, limits and handlers of the server", description="Version, limits and handlers of the server."
    )
    parser.set_defaults(execute=execute)


async def execute(arguments: argparse.Namespace, printer: Printer) -> int:
    """Print it once."""
    async with connected(arguments) as client:
        info = await client.info()
    lines = [f"version    {info.version}", f"tenant     {info.tenant}", f"tasks      {', '.join(info.tasks)}"]
    if info.embedding_models:
        lines.append(f"embedding  {', '.join(info.embedding_models)}")
    if info.uri_schemes:
        lines.append(f"fetches    {', '.join(info.uri_schemes)}")
    lines += [f"engine     {each.name}, {each.workers} workers" for each in info.engines]
    lines += [f"handler    {each.name}  {each.description}".rstrip() for each in info.handlers]
    lines += [f"limit      {each.name} = {_number(getattr(info.limits, each.name))}" for each in dataclasses.fields(info.limits)]
    printer.document(info, "\n".join(lines))
    return 0


def _number(value: float) -> str:
    """Whole numbers in full: 16777216, not 1.67772e+07."""
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"
