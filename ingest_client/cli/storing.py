"""`--store`: documents are written by the server to a database, a folder or S3."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from ingest_client.cli.options import UsageError
from ingest_client.cli.printer import Printer
from ingest_client.inputs import is_uri
from ingest_client.specs import JobSpec
from ingest_client.task import STORE_FORMATS, Task, store

_DATABASES = (".sqlite", ".sqlite3", ".db")
_KEY_BYTES_MAX = 1_024
"""Of StoreTask.document_key."""


def register(parser: argparse.ArgumentParser) -> None:
    """Options that say where documents are stored."""
    parser.add_argument(
        "--store",
        default="",
        metavar="TARGET",
        help="then store: out.sqlite, out.jsonl, out.parquet, a folder, or s3://BUCKET/PREFIX; in chunks of 512 tokens unless "
        "--split says otherwise. The server writes it, where its --store-targets allow it. Implies --recursive",
    )
    parser.add_argument(
        "--store-format", default="", choices=STORE_FORMATS, help="how to store, where the suffix of TARGET does not tell"
    )


def tasks(arguments: argparse.Namespace) -> tuple[Task, ...]:
    """The task that `--store` asks for; none without it. Raises UsageError for a format without a target."""
    if not arguments.store:
        if arguments.store_format:
            raise UsageError("--store-format needs --store, such as --store out --store-format jsonl")
        return ()
    return (store(arguments.store, format=arguments.store_format),)


def keyed(shape: JobSpec, arguments: argparse.Namespace, path: str | os.PathLike[str]) -> JobSpec:
    """The job for one file: stored under its absolute path or its URI, so that a file that has changed replaces itself."""
    if not arguments.store:
        return shape
    place = os.fspath(path)
    key = (
        (place if is_uri(place) else os.path.abspath(place))
        .encode("utf-8", "replace")[-_KEY_BYTES_MAX:]
        .decode("utf-8", "ignore")
    )
    steps = (shape.tasks,) if isinstance(shape.tasks, Task) else tuple(shape.tasks)
    return replace(shape, tasks=(*steps[:-1], store(arguments.store, format=arguments.store_format, document_key=key)))


def alone(arguments: argparse.Namespace) -> bool:
    """Whether storing is all that is wanted of the results: then they are not printed."""
    return bool(arguments.store) and not (arguments.output or arguments.format or arguments.json)


def tell_end(arguments: argparse.Namespace, printer: Printer, *, succeeded: bool) -> None:
    """Say where the documents are, and how to search them."""
    if not arguments.store:
        return
    target = arguments.store
    printer.note(f"stored in {target}" if succeeded else f"what succeeded is stored in {target}")
    if "://" not in target and (arguments.store_format == "sqlite" or Path(target).suffix.lower() in _DATABASES):
        printer.note(f"to search: ingest search WORDS --db {target}")


def hint(refusal: str) -> str:
    """What somebody at a command line can do about a refusal that is about where jobs may write; "" for others."""
    return (
        "to let jobs write there: ingest-server --store-targets FOLDER (or s3://BUCKET/PREFIX)"
        if "store_targets" in refusal
        else ""
    )
