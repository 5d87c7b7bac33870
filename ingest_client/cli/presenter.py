"""Presents results: printed, or written to files, documents rendered as asked for."""

from __future__ import annotations

import argparse
import asyncio
import json
import mimetypes
import sys
from collections.abc import Mapping
from pathlib import Path, PurePath

from google.protobuf.message import DecodeError

from ingest.v1 import document_pb2
from ingest_client.cli.chunks import CHUNKS_EXTENSION, chunk_lines, chunk_records, chunks_kept, dropped_counts, has_chunks
from ingest_client.cli.options import UsageError
from ingest_client.cli.output_folder import OutputFolder, places, write_text
from ingest_client.cli.pictures import write_pictures
from ingest_client.cli.printer import Printer, plain
from ingest_client.document import DOCUMENT_MEDIA_TYPE
from ingest_client.errors import IngestClientError
from ingest_client.rendering import Format, protojson, render
from ingest_client.rendering.cleaning import one_line
from ingest_client.result import JobResult

_ISSUES_TOLD_MAX = 5
_HEADED = (Format.TEXT, Format.MARKDOWN)
"""Formats of which several may stand in one output, each under a heading."""


def register(parser: argparse.ArgumentParser) -> None:
    """Options that say where results go and in what form."""
    parser.add_argument("--output", "-o", type=Path, metavar="DIR", help="write each result to a file in this folder")
    parser.add_argument("--overwrite", action="store_true", help="replace files in DIR; without it new ones are numbered")
    parser.add_argument(
        "--format", choices=[each.value for each in Format], help="documents as Markdown, text (default), JSON or HTML"
    )
    parser.add_argument("--page-marks", action="store_true", help="mark where a page begins")


class Presenter:
    """Presents results one by one.

    Attributes:
        failed: how many could not be presented: they did not succeed, or could not be read or written.
        written: files that were written.
    """

    def __init__(self, arguments: argparse.Namespace, printer: Printer) -> None:
        """Args:
        arguments: with what `register` added.
        printer: where to tell.

        Raises:
            UsageError: options that do not fit together, or an output that is no folder.
        """
        self._raw: bool = getattr(arguments, "raw", False)
        if self._raw and arguments.format:
            raise UsageError(
                "--raw and --format do not go together: the one leaves documents as they are, the other renders them"
            )
        if arguments.output is not None and arguments.output.exists() and not arguments.output.is_dir():
            raise UsageError(f"--output {arguments.output} is a file, not a folder")
        self._printer = printer
        self._asked = arguments.format is not None
        self._format = Format(arguments.format or Format.TEXT)
        self._page_marks: bool = arguments.page_marks
        self._folder = OutputFolder(arguments.output, overwrite=arguments.overwrite) if arguments.output else None
        self.failed = self.written = 0

    async def present(self, result: JobResult, name: str = "", *, place: PurePath | None = None, heading: bool = False) -> None:
        """Write one result to its file, or print it; failures go to stderr.

        Args:
            result: of a job that has ended.
            name: of its input, for people.
            place: of its file below the output folder; None takes it from the name.
            heading: print the name above it.
        """
        if not result.succeeded:
            self.failed += 1
            if self._printer.as_json:
                self._printer.item(_described(result, name), "")
            else:
                tell_failure(result, self._printer, name)
            return
        try:
            document = await result.document() if _is_document(result) and not self._raw else None
            written = await self._written(result, name, place, document) if self._folder is not None else None
            text = await self._text(result, name, document) if written is None else None
        except (OSError, ValueError, DecodeError, IngestClientError) as error:
            self.failed += 1
            self._printer.error(f"{_label(result, name)}: the result cannot be had: {error}")
            return
        described = _described(result, name)
        if document is not None:
            self._tell_issues(document, _label(result, name), described)
            self._tell_dropped(document, _label(result, name), described)
        elif self._asked and _extension(result) != self._format.extension:
            self._printer.note(
                f"{_label(result, name)} is no document and stays as it is, {_media_type(result) or 'unknown type'}"
            )
        if written is not None:
            self._printer.item({**described, "path": str(written)}, str(written))
        else:
            if document is not None and self._shows_chunks(document):
                described["chunks"] = chunk_records(document, "")
            await self._print(result, name, text, described, heading)

    async def _written(
        self, result: JobResult, name: str, place: PurePath | None, document: document_pb2.Document | None
    ) -> Path | None:
        if self._folder is None:
            return None
        where = place or places({result.job_id: name}, ())[result.job_id]
        extension = _extension(result) if document is None else self._extension_of(document)
        path, numbered = self._folder.claim(where, extension)
        try:
            if document is None:
                text = None if self._raw else await _plain(result)
            elif self._shows_chunks(document):
                text = self._rendered(document, name)
            else:
                links = await asyncio.to_thread(write_pictures, document, self._format, where, self._folder)
                text = self._rendered(document, name, links)
            if text is None:
                await result.save(path)
            else:
                await asyncio.to_thread(write_text, path, text)
        except BaseException:
            self._folder.release(path)
            raise
        if numbered:
            self._printer.note(f"{_label(result, name)}: a file of that name was there, so it is {path}; --overwrite replaces")
        self.written += 1
        return path

    async def _text(self, result: JobResult, name: str, document: document_pb2.Document | None) -> str | None:
        """What to print; None for what is no text. JSON is one line, so that several are JSON Lines."""
        if document is None:
            return None if self._raw else await _plain(result)
        return protojson(document, indent=None) if self._format is Format.JSON else self._rendered(document, name)

    def _shows_chunks(self, document: document_pb2.Document) -> bool:
        """Who asked for chunks gets them, unless a format of the whole document was asked for."""
        return has_chunks(document) and not self._asked

    def _extension_of(self, document: document_pb2.Document) -> str:
        return CHUNKS_EXTENSION if self._shows_chunks(document) else self._format.extension

    def _rendered(self, document: document_pb2.Document, name: str, links: Mapping[str, str] | None = None) -> str:
        if self._shows_chunks(document):
            return chunk_lines(document, name)
        return render(document, self._format, page_marks=self._page_marks, image_links=links)

    async def _print(self, result: JobResult, name: str, text: str | None, described: dict[str, object], heading: bool) -> None:
        if self._printer.as_json:
            if text is not None and self._format is Format.JSON and _is_document(result):
                described["document"] = json.loads(text)
            elif text is not None and "chunks" not in described:
                described["text"] = text
            self._printer.item(described, "")
        elif text is not None:
            headed = heading and self._format in _HEADED and "chunks" not in described
            self._printer.item(result, f"==> {name or result.job_id} <==\n{text}\n" if headed else text)
        elif result.output is not None and not self._raw and sys.stdout.isatty():
            size = f"{result.output.size_bytes} bytes of {result.output.media_type or 'unknown type'}"
            self._printer.item(result, f"{name or result.job_id}: {size}; -o DIR writes them to a file")
        else:
            self._printer.raw(await result.read())

    def _tell_issues(self, document: document_pb2.Document, label: str, described: dict[str, object]) -> None:
        """What could not be read of a document that otherwise was."""
        issues = document.issues
        for issue in issues[:_ISSUES_TOLD_MAX]:
            page = f", page {issue.page}" if issue.page else ""
            self._printer.note(f"{label}{page}: {issue.reason}: {one_line(issue.message)}")
        if len(issues) > _ISSUES_TOLD_MAX:
            self._printer.note(f"{label}: {len(issues) - _ISSUES_TOLD_MAX} more; --format json has them all")
        if issues:
            described["issues"] = [{"page": each.page, "reason": each.reason, "message": each.message} for each in issues]

    def _tell_dropped(self, document: document_pb2.Document, label: str, described: dict[str, object]) -> None:
        """How many chunks filter and dedup have dropped, by rule."""
        counts = dropped_counts(document)
        if counts:
            told = ", ".join(f"{count} {rule}" for rule, count in counts.items())
            self._printer.note(f"{label}: {sum(counts.values())} chunks dropped, {chunks_kept(document)} kept: {told}")
            described["dropped"] = counts

    def tell_end(self, total: int) -> None:
        """Say how many of `total` jobs are in files, where there are files."""
        if self._folder is not None and total > 1:
            lost = total - self.written
            end = f", {lost} failed and have none" if lost else ""
            self._printer.note(f"{self.written} of {total} results are in {self._folder.root}{end}")


def tell_failure(result: JobResult, printer: Printer, name: str) -> None:
    """One line about a job that did not succeed."""
    why = f"{result.error.reason or result.error.code}: {result.error.message}" if result.error else "no reason given"
    printer.error(f"{_label(result, name)} {result.state.name if result.state else 'UNKNOWN'}: {why}")


def _label(result: JobResult, name: str) -> str:
    return f"{name} ({result.job_id})" if name else result.job_id


def _described(result: JobResult, name: str) -> dict[str, object]:
    described: dict[str, object] = {"name": name} if name else {}
    described.update(job_id=result.job_id, state=result.state.name, error=plain(result.error))
    if result.output is not None:
        described["output"] = {"media_type": result.output.media_type, "size_bytes": result.output.size_bytes}
    return described


def _media_type(result: JobResult) -> str:
    return (result.output.media_type if result.output else "").partition(";")[0].strip()


def _is_document(result: JobResult) -> bool:
    return _media_type(result) == DOCUMENT_MEDIA_TYPE


def _extension(result: JobResult) -> str:
    """Of the output as it is."""
    media_type = _media_type(result)
    if media_type == DOCUMENT_MEDIA_TYPE:
        return ".document.pb"
    return ".txt" if media_type == "text/plain" else mimetypes.guess_extension(media_type) or ".bin"


async def _plain(result: JobResult) -> str | None:
    """The text of an output that is no document; None if it is no text."""
    return await result.text() if _media_type(result).startswith(("text/", "application/json")) else None
