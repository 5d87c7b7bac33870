"""`ingest search`: chunks of a database that `--store` wrote, by words, which needs no server, and by vectors."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from ingest_client.cli.options import UsageError
from ingest_client.cli.printer import Printer
from ingest_client.inputs import is_uri
from ingest_client.rendering.cleaning import clean, one_line
from ingest_client.search.hit import MARK_BEGIN, MARK_END, Hit

_BOLD, _FOUND, _DIM, _PLAIN = "\x1b[1m", "\x1b[1;33m", "\x1b[2m", "\x1b[0m"
_MARKED = re.compile(f"{MARK_BEGIN}([^{MARK_BEGIN}{MARK_END}]*){MARK_END}")
_VECTOR_BYTES_MAX = 1_000_000


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "search",
        help="search what --store wrote",
        description="Find chunks of stored documents, the best first. Status 1 if nothing is found.",
        epilog='Words stand for themselves; FTS5\'s syntax works too: "a phrase", prefix*, this OR that, this NOT that.',
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="what to look for")
    parser.add_argument("--db", type=Path, required=True, metavar="FILE", help="database that ingest run --store FILE wrote")
    parser.add_argument("--limit", "-n", type=int, default=10, metavar="N", help="at most so many chunks; default 10")
    parser.add_argument(
        "--vector",
        default="",
        metavar="JSON",
        help="file with the query's vector, a list of numbers; - reads stdin. Beside words: both",
    )
    parser.add_argument(
        "--hybrid",
        action="store_true",
        help="by words and by vectors: the server makes the query's with the model of the database",
    )
    parser.set_defaults(execute=execute)


async def execute(arguments: argparse.Namespace, printer: Printer) -> int:
    """Search and show; status 1 if nothing was found."""
    from ingest_client.search.database import LIMIT_MAX, NotSearchable, SearchDatabase

    words = " ".join(arguments.words).strip()
    vector = _vector(arguments.vector) if arguments.vector else []
    if not words and not vector:
        raise UsageError(f"nothing to look for: ingest search WORDS --db {arguments.db}")
    if not 1 <= arguments.limit <= LIMIT_MAX:
        raise UsageError(f"--limit {arguments.limit}: expected 1 to {LIMIT_MAX:,}")
    if arguments.hybrid and (vector or not words):
        raise UsageError("--hybrid takes words, and makes their vector: leave --vector out")
    try:
        with SearchDatabase(arguments.db) as database:
            if arguments.hybrid:
                vector = await _of_words(arguments, words, database.embedding)
            hits = database.search(words, vector=vector, limit=arguments.limit)
            documents, chunks = (0, 0) if hits else database.counts()
    except NotSearchable as error:
        raise UsageError(str(error)) from error
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for hit in hits:
        printer.item(_described(hit), _shown(hit, coloured) + "\n")
    if not hits:
        why = f"; its {documents} documents were stored without chunks: add --split" if documents and not chunks else ""
        printer.note(f"nothing found in {arguments.db}{why}")
    return 0 if hits else 1


async def _of_words(arguments: argparse.Namespace, words: str, embedding: tuple[str, int] | None) -> list[float]:
    from ingest_client.cli.query_vector import query_vector

    if embedding is None:
        raise UsageError(f"{arguments.db} has no vectors: ingest run FILES --embed MODEL --store {arguments.db} stores them")
    return await query_vector(arguments, words, *embedding)


def _vector(place: str) -> list[float]:
    """The vector of a file of JSON. Raises UsageError if it is none."""
    try:
        if place == "-":
            text = sys.stdin.read(_VECTOR_BYTES_MAX)
        else:
            with open(place, encoding="utf-8") as file:
                text = file.read(_VECTOR_BYTES_MAX)
        found = json.loads(text)
        return [float(number) for number in found]
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"--vector {place}: expected a JSON list of numbers: {error}") from error


def _described(hit: Hit) -> dict[str, object]:
    return {
        "score": hit.score,
        "name": hit.name,
        "document_key": hit.document_key,
        "title": hit.title,
        "document_id": hit.document_id,
        "inside": hit.inside,
        "chunk_id": hit.chunk_id,
        "pages": list(hit.pages),
        "headings": list(hit.headings),
        "text": hit.text,
    }


def _shown(hit: Hit, coloured: bool) -> str:
    """Where it stands, in a line; and what it says, in another."""
    where = _place(hit)
    pages = ""
    if hit.pages:
        last = f"–{hit.pages[-1]}" if len(hit.pages) > 1 else ""
        pages = f", page{'s' if last else ''} {hit.pages[0]}{last}"
    headings = " › ".join(one_line(heading) for heading in hit.headings)
    snippet = _marked(hit.snippet, coloured)
    if not coloured:
        return f"{where}{pages}{f'  {headings}' if headings else ''}\n    {snippet}"
    return f"{_BOLD}{where}{_PLAIN}{pages}{f'  {_DIM}{headings}{_PLAIN}' if headings else ''}\n    {snippet}"


def _place(hit: Hit) -> str:
    """The file, as somebody here would name it, if it was stored from here; or else the document's name."""
    key, name = one_line(hit.document_key), one_line(hit.name)
    if not (os.path.isabs(key) or is_uri(key)):
        return name or key or hit.document_id
    relative = key if is_uri(key) else os.path.relpath(key)
    path = key if relative.startswith("..") else relative
    inside = name if hit.inside else ""
    return f"{path} › {inside}" if inside else path


def _marked(snippet: str, coloured: bool) -> str:
    """The snippet in one line, found words coloured, what steers terminals left out."""
    parts = [" ".join(clean(f"|{part}|").split())[1:-1] for part in _MARKED.split(snippet)]  # bars keep the blanks at the ends
    if coloured:
        parts[1::2] = [f"{_FOUND}{part}{_PLAIN}" for part in parts[1::2]]
    return "".join(parts).strip()
