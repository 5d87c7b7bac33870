"""Search: files that are none, queries that are none; then words, phrases, vectors, and both."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from ingest_client.search import Hit, NotSearchable, SearchDatabase, database
from ingest_client.search.hit import MARK_BEGIN, MARK_END
from ingest_client.search.words import WORDS_MAX, queries
from ingest_server.handlers.targets.sqlite import schema
from tests.unit.handlers.store.conftest import Store, document_of, operator, root, stored

__all__ = ["operator", "root", "stored"]

Search = Callable[..., list[Hit]]


@pytest.fixture
def path(stored: Store, root: Path) -> Path:
    """A database with three documents."""
    for word in ("harbour", "meadow", "Größe"):
        stored(document_of(word, dimensions=2), f"sqlite://{root}/x.db", name=f"{word}.pdf", key=f"/docs/{word}.pdf")
    return root / "x.db"


@pytest.fixture
def search(path: Path) -> Search:
    """Searches it."""

    def run(words: str = "", **options: object) -> list[Hit]:
        with SearchDatabase(path) as opened:
            return opened.search(words, **options)  # type: ignore[arg-type]

    return run


def test_the_marks_of_the_file_are_those_that_the_server_writes() -> None:
    assert (database.APPLICATION_ID, database.VERSION_MAX) == (schema.APPLICATION_ID, schema.VERSION)


def test_what_is_no_database_of_ours_is_told(tmp_path: Path, path: Path) -> None:
    (tmp_path / "text").write_text("no database" * 100)
    apsw.Connection(str(tmp_path / "other.db")).execute("CREATE TABLE a (b)")
    (tmp_path / "empty").touch()
    for name, told in (
        ("missing", "there is no such file"),
        ("text", "cannot be read as a database"),
        ("other.db", "not written by the task store"),
        ("empty", "not written by the task store"),
        (".", "there is no such file"),
    ):
        with pytest.raises(NotSearchable, match=told):
            SearchDatabase(tmp_path / name)
    with apsw.Connection(str(path)) as connection:
        connection.pragma("user_version", 2)
    with pytest.raises(NotSearchable, match="of version 2; this program reads up to 1"):
        SearchDatabase(path)


@pytest.mark.parametrize(
    "words",
    [
        '"',
        "foo AND",
        "*",
        "(",
        "NEAR(",
        "title:harbour",
        "a^b",
        "-x",
        "C++",
        "what's up?",
        "",
        "   ",
        "\x00",
        "ü" * 10_000,
        "()",
        "OR",
        "AND NOT",
    ],
)
def test_no_query_is_an_error(search: Search, words: str) -> None:
    assert isinstance(search(words), list)


@pytest.mark.parametrize("limit", [0, -1, 1_001])
def test_a_limit_out_of_range_is_refused(search: Search, limit: int) -> None:
    with pytest.raises(ValueError, match="limit must be 1"):
        search("harbour", limit=limit)


@pytest.mark.parametrize("vector", [[1.0], [1.0, 2.0, 3.0], [float("nan"), 1.0], [float("inf"), 1.0]])
def test_a_vector_that_does_not_fit_is_refused(search: Search, vector: list[float]) -> None:
    with pytest.raises(NotSearchable, match="must be 2 finite numbers"):
        search(vector=vector)


def test_a_database_without_vectors_says_so(stored: Store, root: Path) -> None:
    stored(document_of(), f"sqlite://{root}/plain.db")
    with SearchDatabase(root / "plain.db") as opened:
        assert opened.embedding is None
        assert opened.counts() == (1, 2)
        with pytest.raises(NotSearchable, match="has no vectors"):
            opened.search(vector=[1, 2])


def test_a_damaged_database_is_told(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(NotSearchable, match="cannot be"), SearchDatabase(path) as opened:
        opened.search("harbour")


@pytest.mark.parametrize("writable", [True, False])
def test_a_database_is_searched_and_left_alone(
    path: Path, tmp_path: Path, writable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    shutil.copy(path, folder / "x.db")
    monkeypatch.setattr(os, "access", lambda *_: writable)
    with SearchDatabase(folder / "x.db") as opened:
        assert opened.search("harbour")
        with pytest.raises(apsw.ReadOnlyError):
            opened._connection.execute("DELETE FROM chunks")
    assert os.listdir(folder) == ["x.db"]
    assert (folder / "x.db").read_bytes() == path.read_bytes()


def test_words_are_found_wherever_they_stand_and_without_accents(search: Search) -> None:
    (first, second) = search("number HARBOUR")
    assert {first.chunk_id, second.chunk_id} == {"c1", "c2"}
    assert (first.name, first.document_key, first.title) == ("harbour.pdf", "/docs/harbour.pdf", "On harbour")
    assert (first.pages, first.headings) == ((1, 2), ("The harbour",))
    assert first.snippet == f"{MARK_BEGIN}harbour{MARK_END} {MARK_BEGIN}number{MARK_END} 1"
    assert first.score >= second.score > 0
    assert [hit.name for hit in search("grosse große GRÖSSE Größe")] == ["Größe.pdf"] * 2
    assert [hit.name for hit in search("grosze")] == []


def test_all_words_come_before_any_and_any_before_nothing(search: Search) -> None:
    assert {hit.name for hit in search("harbour 2")} == {"harbour.pdf"}
    assert {hit.name for hit in search("harbour meadow")} == {"harbour.pdf", "meadow.pdf"}
    assert search("absent") == []
    assert len(search("number", limit=4)) == 4


def test_the_syntax_of_fts5_works(search: Search) -> None:
    assert len(search('"harbour number"')) == 2
    assert search('"number harbour"') == [] or {hit.name for hit in search('"number harbour"')} == {"harbour.pdf"}
    assert {hit.name for hit in search("mead*")} == {"meadow.pdf"}
    assert {hit.name for hit in search("number NOT harbour")} == {"meadow.pdf", "Größe.pdf"}


def test_a_heading_is_found_too(search: Search) -> None:
    assert {hit.name for hit in search("the meadow")} == {"meadow.pdf"}


def test_the_nearest_vectors_are_found(search: Search) -> None:
    hits = search(vector=[2, 2.1], limit=3)
    assert {hit.chunk_id for hit in hits} == {"c2"}
    assert hits[0].score == pytest.approx(1, abs=1e-3)
    assert hits[0].snippet == hits[0].text


def test_what_words_and_vector_both_find_comes_first(search: Search) -> None:
    hits = search("meadow", vector=[2, 2.1], limit=4)
    assert (hits[0].name, hits[0].chunk_id) == ("meadow.pdf", "c2")
    assert hits[0].score > hits[1].score
    assert len(hits) == 4


def test_the_longest_query_is_bounded() -> None:
    assert max(query.count('"') for query in queries(" ".join(map(str, range(1_000))))) == 2 * WORDS_MAX
