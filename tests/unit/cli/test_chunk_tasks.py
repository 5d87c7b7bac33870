"""Tasks on chunks from the command line: which jobs come of the options, and what is shown of documents with chunks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.v1 import document_pb2
from ingest_client.cli.chunks import chunk_lines, dropped_counts
from tests.fakes.job_service import FakeServer
from tests.unit.cli.conftest import Ran

Ingest = Callable[..., Ran]


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    """A file with a word in it."""
    path = tmp_path / "hello.txt"
    path.write_text("hello")
    return path


def tasks_of(server: FakeServer) -> list[Any]:
    """The tasks of the one job submitted."""
    (spec,) = server.specs.values()
    return list(spec.tasks)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--filter", "tokens_min"], "--filter 'tokens_min': expected RULE=VALUE"),
        (["--filter", "tokens_min="], "expected RULE=VALUE"),
        (["--filter", "colour=red"], "the rule one of tokens_min, tokens_max"),
        (["--filter", "tokens_min=many"], "expected a number, such as tokens_min=20"),
        (["--filter", "tokens_min=1.5"], "expected a number, such as tokens_min=20"),
        (["--filter", "letters_min=half"], "expected a number, such as letters_min=0.5"),
        (["--similarity", "0.9"], "--similarity needs --dedup"),
        (["--dedup", "--similarity", "high"], "invalid float"),
        (["--dimensions", "64"], "need --embed MODEL"),
        (["--embed-headings"], "need --embed MODEL"),
        (["--embed", "hashing-1", "--dimensions", "few"], "invalid int"),
    ],
)
def test_wrong_usage_is_2_and_says_what_to_do(ingest: Ingest, text_file: Path, arguments: list[str], words: str) -> None:
    ran = ingest("run", text_file, *arguments)
    assert ran.status == 2
    assert words in ran.err


def test_a_split_goes_before_what_needs_chunks(server: FakeServer, ingest: Ingest, text_file: Path) -> None:
    assert ingest("run", text_file, "--dedup", "--filter", "tokens-min=3").status == 0
    tasks = tasks_of(server)
    assert [task.WhichOneof("kind") for task in tasks] == ["extract", "split", "filter", "dedup"]
    assert (tasks[1].split.unit, tasks[2].filter.tokens_min, tasks[3].dedup.similarity) == (1, 3, 0.0)


def test_rules_and_similarity_are_passed_on(server: FakeServer, ingest: Ingest, text_file: Path) -> None:
    given = ["letters_min=0.5", "tokens_max=99", "exclude=all rights=reserved", "exclude=spam", "include=ham"]
    rules = [part for rule in given for part in ("--filter", rule)]
    ran = ingest("run", text_file, "--split", "pages", *rules, "--dedup", "--similarity", "0.9")
    assert ran.status == 0
    _, split, filtering, dedup = tasks_of(server)
    assert split.split.unit == 4
    assert (filtering.filter.letters_min, filtering.filter.tokens_max) == (0.5, 99)
    assert list(filtering.filter.exclude_phrases) == ["all rights=reserved", "spam"]
    assert list(filtering.filter.include_phrases) == ["ham"]
    assert dedup.dedup.similarity == 0.9


def test_embedding_comes_last(server: FakeServer, ingest: Ingest, text_file: Path) -> None:
    options = ["--embed", "own/nomic:latest", "--dimensions", "256", "--embed-headings", "--dedup"]
    assert ingest("run", text_file, *options).status == 0
    tasks = tasks_of(server)
    assert [task.WhichOneof("kind") for task in tasks] == ["extract", "split", "dedup", "embed"]
    task = tasks[-1].embed
    assert (task.model, task.dimensions, task.include_headings) == ("own/nomic:latest", 256, True)


def test_the_default_model_is_the_empty_name(server: FakeServer, ingest: Ingest, text_file: Path) -> None:
    assert ingest("run", text_file, "--embed", "default").status == 0
    assert tasks_of(server)[-1].embed.model == ""


def test_vectors_are_shown_by_few_digits() -> None:
    document = document_pb2.Document()
    document.chunks.add(id="c1", embedding=[0.1, -1.0, 3e-9])
    assert '"embedding": [0.1, -1.0, 3e-09]' in chunk_lines(document, "")


def test_dropped_chunks_are_counted_by_rule_most_first() -> None:
    document = document_pb2.Document()
    assert dropped_counts(document) == {}
    for rule in ("tokens_min", "near", "near", "same"):
        document.dropped_chunks.add(rule=rule)
    assert dropped_counts(document) == {"near": 2, "tokens_min": 1, "same": 1}
    assert list(dropped_counts(document)) == ["near", "tokens_min", "same"]


def test_chunks_are_lines_of_json() -> None:
    document = document_pb2.Document()
    document.chunks.add(id="c1", text="a\nb", pages=[1, 2], token_count=2)
    assert json.loads(chunk_lines(document, "n.pdf")) == {
        "name": "n.pdf",
        "id": "c1",
        "pages": [1, 2],
        "element_ids": [],
        "headings": [],
        "token_count": 2,
        "text": "a\nb",
    }
