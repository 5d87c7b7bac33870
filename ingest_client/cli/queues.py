"""`ingest queues`: list, pause, resume, change and purge queues."""

from __future__ import annotations

import argparse
from typing import Any

from ingest_client.cli.options import UsageError, connected
from ingest_client.cli.printer import Printer
from ingest_client.models import Queue

_VERBS = ("list", "pause", "resume", "purge", "update")


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("queues", help="list and steer queues", description="List and steer queues.")
    parser.add_argument("verb", nargs="?", choices=_VERBS, default="list", help="what to do (default: list)")
    parser.add_argument("name", nargs="?", default="", help="of the queue")
    parser.add_argument("--weight", type=int, help="update: share of the workers, 1 to 1000")
    parser.add_argument("--running-max", type=int, help="update: most jobs running at once; 0 for no limit")
    parser.add_argument("--start-rate", type=float, help="update: most jobs started per second; 0 for no limit")
    parser.add_argument("--create", action="store_true", help="update: make the queue if it does not exist")
    parser.set_defaults(execute=execute)


async def execute(arguments: argparse.Namespace, printer: Printer) -> int:
    """Do it, and print the queues concerned."""
    verb, name = arguments.verb, arguments.name
    if verb != "list" and not name:
        raise UsageError(f"ingest queues {verb} needs the name of a queue")
    async with connected(arguments) as client:
        queues = client.queues
        if verb == "list":
            found = await queues.list()
            printer.document(found, printer.table([_row(each) for each in found]))
            return 0
        if verb == "purge":
            count = await queues.purge(name)
            printer.document({"cancelled_count": count}, f"{count} jobs cancelled")
            return 0
        if verb == "update":
            queue = await queues.update(
                name,
                weight=arguments.weight,
                running_max=arguments.running_max,
                start_rate_per_second=arguments.start_rate,
                create=arguments.create,
            )
        else:
            queue = await (queues.pause(name) if verb == "pause" else queues.resume(name))
    printer.document(queue, printer.table([_row(queue)]))
    return 0


def _row(queue: Queue) -> dict[str, str]:
    return {
        "name": queue.name,
        "state": "paused" if queue.paused else "open",
        "queued": str(queue.queued_count),
        "scheduled": str(queue.scheduled_count),
        "running": str(queue.running_count),
        "weight": str(queue.weight or 1),
        "running_max": str(queue.running_max or "-"),
        "start_rate": f"{queue.start_rate_per_second:g}" if queue.start_rate_per_second else "-",
    }
