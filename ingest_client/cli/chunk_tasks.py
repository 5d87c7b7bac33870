"""What `ingest run` and `submit` can be told to do with chunks: filter them, drop repetitions, embed them."""

from __future__ import annotations

import argparse

from ingest_client.cli.options import UsageError
from ingest_client.task import Task, dedup, embed, filter_chunks, split

_COUNTS = ("tokens_min", "tokens_max", "characters_min", "characters_max")
_SHARES = ("letters_min",)
_PHRASES = ("exclude", "include")
DEFAULT_MODEL = "default"
"""What `--embed` calls the model of the server's choice."""
RULES = (*_COUNTS, *_SHARES, *_PHRASES)
"""Names that `--filter` knows."""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="RULE=VALUE",
        help=f"drop chunks by rules: {', '.join(RULES)}; such as tokens_min=20; may be repeated",
    )
    parser.add_argument("--dedup", action="store_true", help="drop chunks that repeat an earlier one of the document")
    parser.add_argument(
        "--similarity",
        type=float,
        default=None,
        metavar="S",
        help="from which --dedup drops, 0.3 to 1; default 0.8; 1: the same text",
    )
    parser.add_argument(
        "--embed",
        default="",
        metavar="MODEL",
        help="compute vectors of chunks: hashing-1, another that `ingest info` lists, or default for the server's",
    )
    parser.add_argument(
        "--dimensions", type=int, default=0, metavar="N", help="of these vectors, where the model leaves a choice"
    )
    parser.add_argument("--embed-headings", action="store_true", help="embed chunks with the headings that they stand under")


def with_chunk_tasks(cut: tuple[Task, ...], arguments: argparse.Namespace) -> tuple[Task, ...]:
    """The tasks on chunks, in the order in which they are of use.

    Args:
        cut: the split, or nothing: then, if a task needs chunks, the default split goes before it.
        arguments: what `register` read.

    Raises:
        UsageError: a rule or number that cannot be read.
    """
    tasks: list[Task] = []
    if arguments.filter:
        tasks.append(_filter(arguments.filter))
    if arguments.dedup:
        tasks.append(dedup(arguments.similarity or 0.0))
    elif arguments.similarity is not None:
        raise UsageError("--similarity needs --dedup")
    if arguments.embed:
        model = "" if arguments.embed == DEFAULT_MODEL else arguments.embed
        tasks.append(embed(model, dimensions=arguments.dimensions, include_headings=arguments.embed_headings))
    elif arguments.dimensions or arguments.embed_headings:
        raise UsageError("--dimensions and --embed-headings need --embed MODEL; --embed default is the server's own")
    return (*(cut or ((split(),) if tasks else ())), *tasks)


def _filter(given: list[str]) -> Task:
    numbers: dict[str, float] = {}
    phrases: dict[str, list[str]] = {name: [] for name in _PHRASES}
    for each in given:
        name, equals, value = each.partition("=")
        name = name.replace("-", "_")
        if name not in RULES or not equals or not value:
            raise UsageError(f"--filter {each!r}: expected RULE=VALUE, the rule one of {', '.join(RULES)}")
        if name in phrases:
            phrases[name].append(value)
            continue
        try:
            numbers[name] = int(value) if name in _COUNTS else float(value)
        except ValueError:
            raise UsageError(f"--filter {each!r}: expected a number, such as {name}={20 if name in _COUNTS else 0.5}") from None
    counts = {name: int(numbers.get(name, 0)) for name in _COUNTS}
    return filter_chunks(
        **counts,
        letters_min=numbers.get("letters_min", 0.0),
        exclude_phrases=phrases["exclude"],
        include_phrases=phrases["include"],
    )
