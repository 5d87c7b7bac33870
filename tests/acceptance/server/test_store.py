"""The task store through a real server: refused where nothing is allowed, and each document once whatever happens."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from ingest_client import Client, Input, JobSpec, extract, split, store
from ingest_client.search import SearchDatabase
from tests.acceptance.server.server_process import ServerProcess, environment

StartServer = Callable[..., ServerProcess]
DOCUMENTS = 60


def ingest(address: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-m", "ingest_client.cli", "--server", address, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), check=False)


async def test_a_server_that_allows_no_place_refuses_and_says_what_to_do(
    server: ServerProcess, client: Client, tmp_path: Path
) -> None:
    assert "store" not in (await client.info()).tasks
    (tmp_path / "a.txt").write_text("words")
    ran = ingest(server.address, "run", tmp_path / "a.txt", "--store", tmp_path / "out.sqlite")
    assert ran.returncode == 1
    assert "task 'store': its operator has allowed no place in store_targets" in ran.stderr
    assert "ingest-server --store-targets FOLDER" in ran.stderr
    assert not (tmp_path / "out.sqlite").exists()


@pytest.mark.slow
async def test_what_is_stored_is_found_and_a_file_that_changed_replaces_itself(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server("--store-targets", str(tmp_path / "out"))
    (tmp_path / "out").mkdir()
    database, documents = tmp_path / "out" / "x.sqlite", tmp_path / "documents"
    documents.mkdir()
    for number in range(8):
        (documents / f"{number}.md").write_text(f"# Tides of port {number}\n\nHigh water at {number} o'clock.")
    async with Client(server.address) as client:
        assert "store" in (await client.info()).tasks
    ran = ingest(server.address, "run", documents, "--recursive", "--store", database)
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
    found = ingest(server.address, "search", "port 3", "--db", database)
    assert (found.returncode, found.stdout.count("3.md")) == (0, 1)
    (documents / "3.md").write_text("# Moved\n\nNo water at all.")
    assert ingest(server.address, "run", documents, "--recursive", "--store", database).returncode == 0
    assert ingest(server.address, "search", "port 3", "--db", database, "--quiet").returncode in (0, 1)
    with SearchDatabase(database) as opened:
        assert opened.counts() == (8, 8)
        assert [hit.name for hit in opened.search("moved")] == ["3.md"]
    outside = ingest(server.address, "run", documents / "1.md", "--store", tmp_path / "elsewhere")
    assert outside.returncode == 1
    assert "store_targets" in outside.stderr
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.slow
async def test_hybrid_search_asks_the_server_for_the_vector_of_the_query(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server("--store-targets", str(tmp_path))
    database, documents = tmp_path / "x.sqlite", tmp_path / "documents"
    documents.mkdir()
    for name, text in (("fog", "Signals in fog."), ("rope", "A rope of forty feet."), ("tide", "The tide turns twice a day.")):
        (documents / f"{name}.txt").write_text(text)
    stored = ingest(server.address, "run", documents, "--embed", "hashing-1", "--store", database)
    assert stored.returncode == 0, stored.stderr
    words = ingest(server.address, "search", "fog", "--db", database, "--json")
    assert [json.loads(line)["name"] for line in words.stdout.splitlines()] == ["fog.txt"]
    both = ingest(server.address, "search", "fog", "--db", database, "--json", "--hybrid")
    assert both.returncode == 0, both.stderr
    names = [json.loads(line)["name"] for line in both.stdout.splitlines()]
    assert names[0] == "fog.txt"
    assert sorted(names) == ["fog.txt", "rope.txt", "tide.txt"]
    nobody = ingest("127.0.0.1:1", "search", "fog", "--db", database, "--hybrid")
    assert nobody.returncode == 3
    assert "no server answers" in nobody.stderr


@pytest.mark.slow
async def test_a_server_killed_in_the_middle_stores_every_document_once(start_server: StartServer, tmp_path: Path) -> None:
    allowed = tmp_path / "out"
    allowed.mkdir()
    server = start_server("--store-targets", str(allowed))
    database = allowed / "x.sqlite"
    tasks = [extract(), split("sentences", 1), store(database)]
    specs = [
        JobSpec(Input(name=f"{number}.txt", media_type="text/plain", data=f"Document {number}. And more.".encode()), tasks)
        for number in range(DOCUMENTS)
    ]
    async with Client(server.address) as client:
        batch = await client.submit(specs)
        seen = 0
        async for _ in client.as_completed(batch):
            seen += 1
            if seen == 5:
                break
    server.kill()
    server.start()
    async with Client(server.address) as client:
        results = [result async for result in client.as_completed(batch)]
    assert [result.state.name for result in results if result.state] == ["SUCCEEDED"] * DOCUMENTS
    with SearchDatabase(database) as opened:
        assert opened.counts() == (DOCUMENTS, 2 * DOCUMENTS)
    with apsw.Connection(str(database)) as connection:
        assert connection.execute("SELECT count(DISTINCT name) FROM documents").get == DOCUMENTS
        assert connection.execute("PRAGMA integrity_check").get == "ok"
