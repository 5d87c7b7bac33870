"""From arguments to jobs: files, folders, patterns, URIs, stdin, and files of job descriptions."""

from __future__ import annotations

import argparse
import glob
import itertools
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from ingest.v1 import job_pb2
from ingest_client.cli import chunk_tasks, extract_options, storing
from ingest_client.cli.options import UsageError, pairs
from ingest_client.inputs import Input, is_uri
from ingest_client.specs import Callback, JobSpec, spec_from_proto
from ingest_client.task import SPLIT_UNITS, Task, custom, split

_PATTERN_LETTERS = frozenset("*?[")


def register(parser: argparse.ArgumentParser) -> None:
    """Options that say what to submit and how it shall run."""
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="files, folders with --recursive, patterns, URIs the server fetches; - is stdin",
    )
    parser.add_argument("--recursive", "-r", action="store_true", help="take all files of folders, hidden ones left out")
    parser.add_argument("--file", type=Path, metavar="JSON", help='jobs as JSON, a list or one a line; "path" names a file')
    parser.add_argument("--name", default="stdin", help="name of what comes from stdin")
    parser.add_argument("--media-type", default="", help="media type of the inputs, where it is not that of their names")
    parser.add_argument("--handler", default="", metavar="NAME", help="run this handler instead of extract")
    parser.add_argument("--option", action="append", default=[], metavar="K=V", help="option of the handler; JSON, or text")
    extract_options.register(parser)
    parser.add_argument(
        "--split", default="", metavar="UNIT[:SIZE]", help=f"then cut into chunks: {', '.join(SPLIT_UNITS)}; tokens:512"
    )
    parser.add_argument("--overlap", type=int, default=None, metavar="N", help="units that a chunk repeats of the one before")
    chunk_tasks.register(parser)
    storing.register(parser)
    parser.add_argument("--label", action="append", default=[], metavar="K=V", help="label to filter by")
    parser.add_argument(
        "--callback", action="append", default=[], metavar="URL", help="POST to this URL when a job ends; may be repeated"
    )
    parser.add_argument("--queue", default="", help="queue to wait in")
    parser.add_argument("--priority", type=int, default=None, help="0 (last) to 9 (first); default 5")


def jobs_from(arguments: argparse.Namespace) -> Iterator[JobSpec]:
    """Check the arguments now, then give one job after the other as they are drawn.

    Raises:
        UsageError: nothing to submit, a path that does not exist, options that cannot be read.
    """
    if not arguments.paths and arguments.file is None:
        raise UsageError("nothing to submit: name files, folders with --recursive, - for stdin, or --file jobs.json")
    shape = JobSpec(
        tasks=(
            _task(arguments),
            *chunk_tasks.with_chunk_tasks(_split(arguments), arguments),
            *storing.tasks(arguments),
        ),
        queue=arguments.queue,
        priority=arguments.priority,
        labels=pairs(arguments.label, "--label"),
        callbacks=tuple(Callback(url) for url in arguments.callback),
    )
    recursive = arguments.recursive or bool(arguments.store)  # who stores a folder wants what is in it
    places = [place for path in arguments.paths for place in _places(path, recursive)]
    described = _described(arguments.file) if arguments.file is not None else []
    return _jobs(places, described, shape, arguments)


def folders(arguments: argparse.Namespace) -> list[Path]:
    """Folders whose files were asked for: named ones, and what stands in a pattern before its first `*`, `?` or `[`."""
    found = []
    for path in arguments.paths:
        if os.path.isdir(path):
            found.append(Path(path))
        elif is_uri(path):
            continue  # may hold a "?"
        elif _PATTERN_LETTERS.intersection(path) and not os.path.exists(path):
            found.append(Path(*itertools.takewhile(lambda part: not _PATTERN_LETTERS.intersection(part), Path(path).parts)))
    return found


def _jobs(places: list[str], described: list[JobSpec], shape: JobSpec, arguments: argparse.Namespace) -> Iterator[JobSpec]:
    yield from described
    for place in places:
        if place == "-":
            data = sys.stdin.buffer.read()
            yield shape.with_input(Input(media_type=arguments.media_type, name=arguments.name, data=data))
        elif is_uri(place):
            yield storing.keyed(shape, arguments, place).with_input(Input(media_type=arguments.media_type, uri=place))
        elif os.path.isdir(place):
            for path in _walk(Path(place)):
                yield storing.keyed(shape, arguments, path).with_input(Input.file(path, media_type=arguments.media_type))
        else:
            yield storing.keyed(shape, arguments, place).with_input(Input.file(place, media_type=arguments.media_type))


def _task(arguments: argparse.Namespace) -> Task:
    given = pairs(arguments.option, "--option")
    if not arguments.handler:
        if given:
            raise UsageError("--option needs --handler; extract has options of its own: --password, --pages, …, see --help")
        return extract_options.extract_task(arguments)
    if for_extract := extract_options.given(arguments):
        raise UsageError(f"{', '.join(for_extract)}: for extract only; another handler takes --option K=V")
    return custom(arguments.handler, **{key: _json_or_text(value) for key, value in given.items()})


def _split(arguments: argparse.Namespace) -> tuple[Task, ...]:
    """The task that `--split` and `--overlap` ask for; none without them.

    Raises:
        UsageError: no such unit, or no such size.
    """
    given: str = arguments.split
    if not given:
        if arguments.overlap is not None:
            raise UsageError("--overlap needs --split, such as --split tokens:512")
        # What is stored is meant to be found, and what is found are chunks.
        return (split(),) if arguments.store and not arguments.handler else ()
    unit, colon, size = given.partition(":")
    if unit not in SPLIT_UNITS or (colon and not re.fullmatch(r"[1-9][0-9]{0,8}", size)):
        raise UsageError(f"--split {given!r}: expected one of {', '.join(SPLIT_UNITS)}, and a size after a colon: tokens:512")
    return (split(unit, int(size or 0), overlap=arguments.overlap or 0),)


def _json_or_text(value: str) -> Any:
    """`3`, `true`, `[1, 2]` are what they look like; all else is text."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def _places(path: str, recursive: bool) -> list[str]:
    """One argument as existing files and folders; the shell may have left a pattern alone, because it was quoted."""
    if path == "-" or is_uri(path) or os.path.isfile(path):
        return [path]
    if os.path.isdir(path):
        if not recursive:
            raise UsageError(f"{path} is a folder; add --recursive to take the files in it")
        return [path]
    if _PATTERN_LETTERS.intersection(path):
        found = [each for each in sorted(glob.glob(path, recursive=True)) if recursive or os.path.isfile(each)]
        if found:
            return found
        raise UsageError(f"no file matches {path!r}")
    if os.path.exists(path):
        return [path]
    raise UsageError(f"{path} does not exist")


def _walk(folder: Path) -> Iterator[Path]:
    """All files below `folder`, sorted, hidden ones and hidden folders left out; one folder is held in memory at a time."""
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(where, name)


def _described(path: Path) -> list[JobSpec]:
    """Jobs of a JSON file: a list of `JobSpec` in protojson, or one per line. `"path"` beside them names the input file.

    Raises:
        UsageError: it cannot be read, with the number of the job at fault.
    """
    try:
        text = path.read_text("utf-8")
        stripped = text.lstrip()
        raw = json.loads(text) if stripped.startswith("[") else [json.loads(line) for line in text.splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read jobs from {path}: {error}") from error
    jobs: list[JobSpec] = []
    for number, each in enumerate(raw, 1):
        try:
            jobs.append(_job_from_json(each, path.parent))
        except (json_format.ParseError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"{path}, job {number}: {error}") from error
    return jobs


def _job_from_json(given: dict[str, Any], folder: Path) -> JobSpec:
    fields = dict(given)
    source = fields.pop("path", None)
    message = json_format.ParseDict(fields, job_pb2.JobSpec())
    spec = spec_from_proto(message)
    payload = message.input
    if source is not None:
        return spec.with_input(Input.file(folder / source, media_type=payload.media_type, name=payload.name))
    if payload.data:
        return spec.with_input(Input(payload.media_type, payload.name, dict(payload.metadata), data=payload.data))
    return spec
