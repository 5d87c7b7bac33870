"""What became of the jobs that `cancel`, `retry` and `delete` were asked about."""

from __future__ import annotations

from collections.abc import Iterable

from ingest_client.cli.printer import Printer
from ingest_client.models import ActionResult


def tell(results: Iterable[ActionResult], printer: Printer) -> int:
    """Print one line per job; the exit status is 1 if one of them was refused."""
    refused = False
    for result in results:
        if result.error is not None:
            refused = True
            printer.error(f"{result.job_id}: {result.error.message}")
        if result.error is None or printer.as_json:
            printer.item(result, f"{result.job_id}  {result.new_job_id or (result.state.name if result.state else 'done')}")
    return 1 if refused else 0
