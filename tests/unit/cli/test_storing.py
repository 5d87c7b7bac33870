"""`--store` and `ingest search`: wrong usage, refusals with what to do, then what is asked of the server and what is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.v1 import job_pb2
from ingest_client.cli import search
from ingest_client.search.hit import MARK_BEGIN, MARK_END, Hit
from ingest_client.task import store
from tests.fakes.job_service import FakeServer
from tests.unit.cli.conftest import Ran
from tests.unit.handlers.store.conftest import Store, document_of, operator, root, stored

__all__ = ["operator", "root", "stored"]

Ingest = Callable[..., Ran]


@pytest.fixture
def database(stored: Store, root: Path) -> Path:
    """A database with a document that came from a file, and one inside another."""
    stored(document_of("harbour"), f"sqlite://{root}/x.db", name="pilot.pdf", key=f"{root}/docs/pilot.pdf")
    post = document_of("post", chunks=0)
    post.documents.add(name="a/letter.txt").chunks.add(id="c1", text="evil \x1b[31m letter\x07\nabout tides " + "word " * 60)
    stored(post, f"sqlite://{root}/x.db", name="post.eml", key="/elsewhere/post.eml")
    stored(document_of("web", chunks=1), f"sqlite://{root}/x.db", name="a.pdf", key="https://host.test/a.pdf")
    return root / "x.db"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "-", "--store-format", "jsonl"], "--store-format needs --store"),
        (["run", "-", "--store", "out", "--store-format", "word"], "invalid choice"),
        (["search", "a"], "required: --db"),
        (["search", "--db", "x.db"], "nothing to look for"),
        (["search", "a", "--db", "missing.db"], "no such file; ingest run FILES --store missing.db"),
        (["search", "a", "--db", "x.db", "--limit", "0"], "--limit 0: expected 1 to 1,000"),
        (["search", "a", "--db", "x.db", "--hybrid"], "x.db has no vectors: ingest run FILES --embed MODEL --store x.db"),
        (["search", "--db", "x.db", "--vector", "numbers.json", "--hybrid"], "--hybrid takes words"),
        (["search", "a", "--db", "x.db", "--vector", "missing.json"], "--vector missing.json: expected a JSON list"),
        (["search", "--db", "x.db", "--vector", "words.json"], "--vector words.json: expected a JSON list"),
        (["search", "--db", "x.db", "--vector", "numbers.json"], "has no vectors"),
    ],
)
def test_wrong_usage_is_2_and_says_what_to_do(
    ingest: Ingest, database: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(database.parent)
    Path("words.json").write_text('["a"]')
    Path("numbers.json").write_text("[1, 2.5]")
    ran = ingest(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert words in ran.err


def test_documents_are_split_and_stored_under_their_paths(
    server: FakeServer, ingest: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a b.txt").write_text("a")
    ran = ingest("run", "a b.txt", "--store", "out ü.sqlite")
    assert (ran.status, ran.out) == (0, "")
    assert "to search: ingest search WORDS --db out ü.sqlite" in ran.err
    (spec,) = server.specs.values()
    assert [task.WhichOneof("kind") for task in spec.tasks] == ["extract", "split", "store"]
    task = spec.tasks[2].store
    assert task.target_uri == (tmp_path / "out ü.sqlite").as_uri()
    assert (task.document_key, task.format) == (str(tmp_path / "a b.txt"), job_pb2.STORE_FORMAT_UNSPECIFIED)


def test_a_folder_is_stored_with_all_that_is_in_it(server: FakeServer, ingest: Ingest, tmp_path: Path) -> None:
    (tmp_path / "docs" / "deep").mkdir(parents=True)
    (tmp_path / "docs" / "a.txt").write_text("a")
    (tmp_path / "docs" / "deep" / "b.txt").write_text("b")
    assert ingest("run", tmp_path / "docs").status == 2
    assert ingest("run", tmp_path / "docs", "https://host.test/a.pdf", "--store", "out.sqlite").status == 0
    keys = {spec.tasks[2].store.document_key for spec in server.specs.values()}
    files = {str(tmp_path / "docs" / "a.txt"), str(tmp_path / "docs" / "deep" / "b.txt")}
    assert keys == {*files, "https://host.test/a.pdf"}


def test_what_is_asked_for_besides_is_done_too(server: FakeServer, ingest: Ingest, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    ran = ingest(
        "run", tmp_path / "a.txt", "--split", "pages", "--store", "s3://bucket/out", "--store-format", "parquet", "--json"
    )
    (spec,) = server.specs.values()
    assert spec.tasks[1].split.unit == job_pb2.SPLIT_UNIT_PAGES
    assert (spec.tasks[2].store.target_uri, spec.tasks[2].store.format) == ("s3://bucket/out", job_pb2.STORE_FORMAT_PARQUET)
    assert ran.status == 0
    assert json.loads(ran.out)["state"] == "SUCCEEDED"
    assert "to search" not in ran.err


def test_the_constructor_refuses_an_unknown_format() -> None:
    with pytest.raises(ValueError, match="format must be one of sqlite, jsonl"):
        store("out", format="word")


def test_nothing_found_is_1(ingest: Ingest, database: Path) -> None:
    ran = ingest("search", "absent", "--db", database)
    assert (ran.status, ran.out) == (1, "")
    assert "nothing found" in ran.err


def test_documents_without_chunks_are_named_as_the_cause(ingest: Ingest, stored: Store, root: Path) -> None:
    stored(document_of(chunks=0), f"sqlite://{root}/bare.db")
    ran = ingest("search", "harbour", "--db", root / "bare.db")
    assert ran.status == 1
    assert "its 1 documents were stored without chunks: add --split" in ran.err


def test_hits_show_file_pages_headings_and_the_place(ingest: Ingest, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(database.parent)
    ran = ingest("search", "harbour", "1", "--db", "x.db")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == "docs/pilot.pdf, pages 1–2  The harbour\n    harbour number 1\n\n"


def test_what_steers_a_terminal_is_left_out_and_documents_inside_others_are_told(ingest: Ingest, database: Path) -> None:
    ran = ingest("search", "letter", "--db", database)
    assert ran.out.startswith("/elsewhere/post.eml › a/letter.txt\n    evil [31m letter about tides word")
    assert "\x1b" not in ran.out
    assert "\x07" not in ran.out


def test_a_document_that_was_fetched_is_told_by_its_uri(ingest: Ingest, database: Path) -> None:
    assert ingest("search", "web", "--db", database).out.startswith("https://host.test/a.pdf, pages 1–2  The web\n")


def test_hits_as_json_are_whole(ingest: Ingest, database: Path) -> None:
    ran = ingest("search", "harbour", "--db", database, "--json", "--limit", "1")
    (hit,) = map(json.loads, ran.out.splitlines())
    assert (hit["name"], hit["pages"], hit["headings"], hit["inside"]) == ("pilot.pdf", [1, 2], ["The harbour"], False)
    assert hit["score"] > 0


def test_found_words_are_coloured_on_a_terminal_only() -> None:
    snippet = f"…the {MARK_BEGIN}harbour{MARK_END} number, {MARK_BEGIN}two{MARK_END} {MARK_BEGIN}boats{MARK_END}"
    hit = Hit(1.0, "a.txt", "", "", "1", False, "c1", (3,), ("A", "B"), "", snippet)
    assert search._shown(hit, False) == "a.txt, page 3  A › B\n    …the harbour number, two boats"
    coloured = search._shown(hit, True)
    assert "…the \x1b[1;33mharbour\x1b[0m number, \x1b[1;33mtwo\x1b[0m \x1b[1;33mboats\x1b[0m" in coloured
