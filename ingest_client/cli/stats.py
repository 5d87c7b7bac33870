"""`ingest stats`: what the server does now."""

from __future__ import annotations

import argparse
from typing import Any

from ingest_client.cli.options import connected
from ingest_client.cli.printer import Printer
from ingest_client.models import LatencyQuantiles


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("stats", help="load and speed of the server", description="Load and speed of the server now.")
    parser.set_defaults(execute=execute)


async def execute(arguments: argparse.Namespace, printer: Printer) -> int:
    """Print them once."""
    async with connected(arguments) as client:
        stats = await client.stats()
    ended = ", ".join(f"{count} {state.lower()}" for state, count in sorted(stats.ended_counts.items())) or "none"
    lines = [
        f"jobs       {stats.queued_count} queued, {stats.scheduled_count} scheduled, {stats.running_count} running",
        f"ended      {ended}",
        f"rates      {stats.submit_rate_per_second:.1f} submitted/s, {stats.end_rate_per_second:.1f} ended/s",
        f"wait       {_quantiles(stats.wait_latency)}",
        f"run        {_quantiles(stats.run_latency)}",
        f"watches    {stats.watch_count}",
        f"uptime     {stats.uptime_seconds:.0f} s, {stats.worker_crash_count} worker crashes",
    ]
    lines += [
        f"worker     {each.name}  pid {each.pid}  {each.running_count} running  {each.ended_count} ended"
        for each in stats.workers
    ]
    printer.document(stats, "\n".join(lines))
    return 0


def _quantiles(latency: LatencyQuantiles) -> str:
    values = (latency.p50_seconds, latency.p90_seconds, latency.p99_seconds)
    return "p50 {:.1f} ms, p90 {:.1f} ms, p99 {:.1f} ms".format(*(1000 * each for each in values)) + f" of {latency.count} jobs"
