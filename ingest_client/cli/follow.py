"""Follow a batch to its end: progress, results as they come, and what to say when the reader has had enough."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import PurePath

from ingest_client.cli.presenter import Presenter, tell_failure
from ingest_client.cli.printer import Printer
from ingest_client.cli.progress import JobProgress
from ingest_client.client import Client
from ingest_client.models import Batch


async def follow(
    client: Client,
    batch: Batch,
    printer: Printer,
    *,
    names: Mapping[str, str],
    places: Mapping[str, PurePath] | None = None,
    presenter: Presenter | None = None,
) -> bool:
    """Wait until all jobs of `batch` have ended.

    Args:
        client: to the server.
        batch: what was submitted.
        printer: where to tell.
        names: of the inputs, by job id.
        places: of the results below the output folder, by job id.
        presenter: presents each result; None tells only of jobs that did not succeed.

    Returns:
        Whether all succeeded and could be presented.
    """
    failed = 0
    try:
        with JobProgress(printer, "ended", len(batch.job_ids)) as progress:
            async for result in client.as_completed(batch):
                failed += not result.succeeded
                name = names.get(result.job_id, "")
                if presenter is not None:
                    place = (places or {}).get(result.job_id)
                    await presenter.present(result, name, place=place, heading=len(batch.job_ids) > 1)
                elif not result.succeeded:
                    tell_failure(result, printer, name)
                progress.advance(failed=not result.succeeded)
    except asyncio.CancelledError:
        printer.note(f"the jobs go on; to see them end: ingest watch --batch {batch.batch_id}")
        raise
    return not failed and (presenter is None or not presenter.failed)
