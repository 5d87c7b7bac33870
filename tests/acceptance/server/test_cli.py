"""The command `ingest` against the real server: what it prints, and the status it ends with."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.server.server_process import ServerProcess, environment


@dataclass(frozen=True, slots=True)
class Ran:
    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, object]]:
        """Each line of stdout as JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


class Ingest:
    """Runs the command."""

    def __init__(self, address: str) -> None:
        self.address = address

    def __call__(self, *arguments: str | Path, stdin: str = "") -> Ran:
        ran = subprocess.run(
            self.command(*arguments), input=stdin, capture_output=True, text=True, timeout=30, env=environment(), check=False
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def command(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "ingest_client.cli", "--server", self.address, *map(str, arguments)]


@pytest.fixture
def ingest(server: ServerProcess) -> Ingest:
    return Ingest(server.address)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two text files, one of them deeper, and a broken PDF."""
    root = tmp_path / "documents"
    (root / "deep").mkdir(parents=True)
    (root / "a.txt").write_text("first words")
    (root / "deep" / "b.txt").write_text("second words")
    (root / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing of the kind")
    return root


def test_run_prints_results_and_tells_of_failures(ingest: Ingest, folder: Path) -> None:
    good = ingest("run", folder / "a.txt")
    assert (good.status, good.out.strip()) == (0, "first words")
    mixed = ingest("run", folder, "--recursive", "--json")
    assert mixed.status == 1
    by_name = {Path(str(line["name"])).name: line for line in mixed.lines}
    assert by_name["a.txt"]["text"] == "first words"
    assert by_name["b.txt"]["state"] == "SUCCEEDED"
    assert by_name["broken.pdf"]["state"] == "FAILED"
    assert "DOCUMENT_MALFORMED" in json.dumps(by_name["broken.pdf"]["error"])


def test_submit_watch_fetch_list(ingest: Ingest, folder: Path, tmp_path: Path) -> None:
    label = uuid.uuid4().hex
    submitted = ingest("submit", folder / "a.txt", folder / "deep" / "b.txt", "--label", f"run={label}", "--json")
    assert submitted.status == 0, submitted.err
    job_ids = [str(line["job_id"]) for line in submitted.lines]
    watched = ingest("watch", "--batch", str(submitted.lines[0]["batch_id"]), "--json")
    assert watched.status == 0, watched.err
    fetched = ingest("fetch", "--ids", ",".join(job_ids), "--output", tmp_path / "out")
    assert fetched.status == 0, fetched.err
    assert sorted(path.read_text().strip() for path in (tmp_path / "out").iterdir()) == ["first words", "second words"]
    listed = ingest("list", "--label", f"run={label}", "--json")
    assert [line["job_id"] for line in listed.lines] == job_ids[::-1]
    plain = ingest("submit", folder / "a.txt")
    assert str(uuid.UUID(plain.out.strip())) == plain.out.strip()


def test_stdin_jobs_file_cancel_retry(ingest: Ingest, tmp_path: Path) -> None:
    piped = ingest("run", "-", "--name", "note.txt", stdin="from a pipe")
    assert (piped.status, piped.out.strip()) == (0, "from a pipe")
    jobs = tmp_path / "jobs.json"
    described = [{"tasks": [{"custom": {"handler": "echo"}}], "startDelay": "600s"}]
    jobs.write_text(json.dumps(described))
    job_id = ingest("submit", "--file", jobs).out.strip()
    assert ingest("cancel", job_id).status == 0
    assert ingest("cancel", job_id).status == 1
    retried = ingest("retry", job_id, "--json")
    assert retried.status == 0, retried.err
    new_id = str(retried.lines[0]["new_job_id"])
    assert ingest("watch", new_id).status == 0
    assert ingest("fetch", str(uuid.uuid4())).status == 1


def test_stats_and_info(ingest: Ingest) -> None:
    info = ingest("info", "--json")
    assert (info.status, json.loads(info.out)["tenant"]) == (0, "default")
    stats = ingest("stats", "--json")
    assert stats.status == 0
    assert len(json.loads(stats.out)["workers"]) == 2
    for name in ("info", "stats"):
        assert ingest(name).out


def test_wrong_arguments_and_no_server(ingest: Ingest, tmp_path: Path) -> None:
    assert ingest("submit", tmp_path / "missing.pdf").status == 2
    assert ingest("submit", "--nonsense").status == 2
    unknown = ingest("run", "-", "--handler", "nobody", stdin="x")
    assert unknown.status == 1
    assert "nobody" in unknown.err
    lost = Ingest("unix:/nowhere/at/all")("stats")
    assert lost.status == 3
    assert "no server answers" in lost.err


def test_interrupt_leaves_the_jobs_alone(ingest: Ingest, tmp_path: Path) -> None:
    jobs = tmp_path / "jobs.json"
    jobs.write_text(json.dumps([{"tasks": [{"custom": {"handler": "polite"}}], "labels": {"run": tmp_path.name}}]))
    process = subprocess.Popen(
        ingest.command("submit", "--wait", "--file", jobs), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(),
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        job_id = process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
        assert process.wait(20) == 130, told
    assert "the jobs go on" in told
    assert ingest("list", "--label", f"run={tmp_path.name}", "--json").lines[0]["job_id"] == job_id
    assert ingest("cancel", job_id).status == 0
