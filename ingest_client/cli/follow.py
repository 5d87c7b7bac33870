"""Follow a batch to its end: progress, results as they come, and what to say when the reader has had enough."""

from __future__ import annotations

import asyncio
import mimetypes
import sys
from collections.abc import Mapping
from pathlib import Path

from ingest_client.cli.printer import Printer, plain
from ingest_client.cli.progress import JobProgress
from ingest_client.client import Client
from ingest_client.document import DOCUMENT_MEDIA_TYPE
from ingest_client.models import Batch
from ingest_client.result import JobResult


async def follow(
    client: Client,
    batch: Batch,
    printer: Printer,
    *,
    names: Mapping[str, str],
    output: Path | None = None,
    print_results: bool,
) -> bool:
    """Wait until all jobs of `batch` have ended.

    Args:
        client: to the server.
        batch: what was submitted.
        printer: where to tell.
        names: of the inputs, by job id.
        output: folder for the results; None prints them if `print_results`.
        print_results: tell of each job on stdout.

    Returns:
        Whether all succeeded.
    """
    failed = 0
    try:
        with JobProgress(printer, "ended", len(batch.job_ids)) as progress:
            async for result in client.as_completed(batch):
                failed += not result.succeeded
                if print_results or output is not None:
                    await show(result, printer, names.get(result.job_id, ""), output, heading=len(batch.job_ids) > 1)
                elif not result.succeeded:
                    tell_failure(result, printer, names.get(result.job_id, ""))
                progress.advance(failed=not result.succeeded)
    except asyncio.CancelledError:
        printer.note(f"the jobs go on; to see them end: ingest watch --batch {batch.batch_id}")
        raise
    return not failed


async def show(
    result: JobResult, printer: Printer, name: str, output: Path | None, *, raw: bool = False, heading: bool = False
) -> None:
    """Write one result to the folder `output`, or print it, under a heading where there are several; failures go to stderr."""
    if not result.succeeded:
        if printer.as_json:
            printer.item(_described(result, name), "")
        else:
            tell_failure(result, printer, name)
        return
    if output is not None:
        path = output / file_name(result, name, raw)
        if raw or not _is_text(result):
            await result.save(path)
        else:
            await asyncio.to_thread(_write_text, path, await result.text())
        printer.item({**_described(result, name), "path": str(path)}, str(path))
    elif printer.as_json:
        described = _described(result, name)
        if _is_text(result):
            described["text"] = await result.text()
        printer.item(described, "")
    elif raw or not _is_text(result):
        if result.output is not None and not raw and sys.stdout.isatty():
            size = f"{result.output.size_bytes} bytes of {result.output.media_type or 'unknown type'}"
            printer.item(result, f"{name or result.job_id}: {size}; -o DIR writes them to a file")
        else:
            printer.raw(await result.read())
    else:
        text = await result.text()
        printer.item(result, f"==> {name or result.job_id} <==\n{text}\n" if heading else text)


def tell_failure(result: JobResult, printer: Printer, name: str) -> None:
    """One line about a job that did not succeed."""
    why = f"{result.error.reason or result.error.code}: {result.error.message}" if result.error else "no reason given"
    label = f"{name} ({result.job_id})" if name else result.job_id
    printer.error(f"{label} {result.state.name if result.state else 'UNKNOWN'}: {why}")


def file_name(result: JobResult, name: str, raw: bool) -> str:
    """A name for the file of a result that stays in its folder: of the input, or the job's id, with a fitting extension."""
    stem = Path(name).name.strip() or result.job_id
    if stem in (".", ".."):
        stem = result.job_id
    media_type = (result.output.media_type if result.output else "").partition(";")[0].strip()
    if media_type == DOCUMENT_MEDIA_TYPE:
        return f"{stem}.document.pb" if raw else f"{stem}.txt"
    extension = ".txt" if media_type == "text/plain" else mimetypes.guess_extension(media_type) or ".bin"
    return stem if stem.lower().endswith(extension) else stem + extension


def _described(result: JobResult, name: str) -> dict[str, object]:
    described: dict[str, object] = {"name": name} if name else {}
    described.update(job_id=result.job_id, state=result.state.name, error=plain(result.error))
    if result.output is not None:
        described["output"] = {"media_type": result.output.media_type, "size_bytes": result.output.size_bytes}
    return described


def _is_text(result: JobResult) -> bool:
    media_type = result.output.media_type if result.output else ""
    return media_type == DOCUMENT_MEDIA_TYPE or media_type.startswith(("text/", "application/json"))


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
