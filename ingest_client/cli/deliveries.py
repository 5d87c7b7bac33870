"""`ingest deliveries`: how the callbacks of a job went, and send them again."""

from __future__ import annotations

import argparse
from typing import Any

from ingest_client.cli.options import connected
from ingest_client.cli.printer import Printer
from ingest_client.delivery import Delivery, DeliveryAttempt


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "deliveries", help="how the callbacks of a job went", description="How the callbacks of a job went, attempt by attempt."
    )
    parser.add_argument("job_id", metavar="JOB_ID", help="the job")
    parser.add_argument(
        "--resend",
        nargs="*",
        metavar="DELIVERY_ID",
        help="send these again; without ids all that failed",
    )
    parser.set_defaults(execute=execute)


async def execute(arguments: argparse.Namespace, printer: Printer) -> int:
    """Print deliveries in the order of the job's changes, or the ids of those that are sent again."""
    async with connected(arguments) as client:
        if arguments.resend is not None:
            again = await client.deliveries.redeliver(arguments.job_id, arguments.resend)
            for delivery_id in again:
                printer.item({"delivery_id": delivery_id}, delivery_id)
            if not again:
                printer.note("nothing to send again")
            return 0
        shown = 0
        async for delivery in client.deliveries.list(arguments.job_id):
            printer.item(delivery, describe(delivery))
            shown += 1
    if not shown:
        printer.note("no deliveries")
    return 0


def describe(delivery: Delivery) -> str:
    """A line about a delivery, and one about each attempt."""
    head = f"{delivery.delivery_id}  {delivery.event.name:<10}  {delivery.state.name:<9}  {delivery.url}"
    if delivery.next_attempt_time is not None:
        head += f"  next {delivery.next_attempt_time.astimezone():%Y-%m-%d %H:%M:%S}"
    return "\n".join([head, *map(_attempt, delivery.attempts)])


def _attempt(attempt: DeliveryAttempt) -> str:
    outcome = attempt.error or f"HTTP {attempt.http_status}"
    return f"    {attempt.start_time.astimezone():%Y-%m-%d %H:%M:%S}  {attempt.duration_seconds:7.3f} s  {outcome}"
