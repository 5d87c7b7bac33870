"""The command line: exit status first, then what is printed, for people and for programs."""

from __future__ import annotations

import io
import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.v1 import job_pb2
from ingest_client._loop_thread import LoopThread
from ingest_client.cli import main
from tests.fakes.job_service import FakeServer, status_of
from tests.unit.cli.conftest import Ran

Ingest = Callable[..., Ran]
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    """A file with a word in it."""
    path = tmp_path / "hello.txt"
    path.write_text("hello")
    return path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "nothing to submit"),
        (["run", "missing.pdf"], "missing.pdf does not exist"),
        (["run", "no-*.pdf"], "no file matches"),
        (["run", "."], "--recursive"),
        (["run", "-", "--option", "a=1"], "needs --handler"),
        (["run", "-", "--handler", "echo", "--pages", "2"], "--option K=V"),
        (["run", "-", "--pages", "5-2"], "--pages '5-2'"),
        (["run", "-", "--pages", "0"], "--pages '0'"),
        (["run", "-", "--pages", "-"], "--pages '-'"),
        (["run", "-", "--overlap", "8"], "--overlap needs --split"),
        (["run", "-", "--split", "pixels"], "--split 'pixels': expected one of tokens, characters"),
        (["run", "-", "--split", "tokens:0"], "--split 'tokens:0'"),
        (["run", "-", "--split", "tokens:"], "--split 'tokens:'"),
        (["run", "-", "--label", "novalue"], "KEY=VALUE"),
        (["fetch"], "--batch"),
        (["fetch", "a", "--batch", "b"], "--batch"),
        (["watch", "a", "--label", "k=v"], "cannot be combined"),
        (["list", "--state", "sleeping"], "SUCCEEDED"),
        (["queues", "pause"], "needs the name"),
        (["run", "-", "--priority", "high"], "invalid int"),
        (["dance"], "invalid choice"),
        ([], "required"),
    ],
)
def test_wrong_usage_is_2_and_says_what_to_do(ingest: Ingest, tmp_path: Path, arguments: list[str], words: str) -> None:
    """Before anything is sent."""
    ran = ingest(*arguments)
    assert ran.status == 2
    assert words in ran.err
    assert ran.out == ""


def test_unreachable_server_is_3_in_two_lines(capfd: pytest.CaptureFixture[str], text_file: Path) -> None:
    """With the address that was tried."""
    assert main(["run", str(text_file), "--server", "127.0.0.1:1"]) == 3
    err = capfd.readouterr().err
    assert "127.0.0.1:1" in err
    assert "--server" in err
    assert len(err.splitlines()) == 2


def test_wrong_token_is_3(server: FakeServer, ingest: Ingest) -> None:
    """And says where a token comes from."""
    server.faults.calls["GetServerInfo"].append(status_of(16, "UNAUTHENTICATED", "no such token"))
    ran = ingest("info")
    assert ran.status == 3
    assert "no such token" in ran.err
    assert "INGEST_TOKEN" in ran.err


def test_token_never_goes_out_in_the_clear(capfd: pytest.CaptureFixture[str]) -> None:
    """Refused as wrong usage."""
    assert main(["info", "--server", "example.org:1", "--token", "t"]) == 2
    assert "plaintext" in capfd.readouterr().err


def test_refused_job_is_1_and_the_others_go_on(server: FakeServer, ingest: Ingest, text_file: Path, tmp_path: Path) -> None:
    """One queue is missing."""
    described = tmp_path / "jobs.json"
    described.write_text(
        json.dumps(
            [
                {"path": "hello.txt", "labels": {"a": "b"}},
                {"input": {"name": "inline", "data": "aGk="}, "queue": "nowhere"},
            ]
        )
    )
    ran = ingest("run", "--file", described)
    assert ran.status == 1
    assert "inline refused: queue 'nowhere' does not exist" in ran.err
    assert ran.out == "hello\n"
    (spec,) = server.specs.values()
    assert (dict(spec.labels), spec.input.name) == ({"a": "b"}, "hello.txt")


@pytest.mark.parametrize("text", ["[{]", '[{"inptu": {}}]', "[3]", '[{"priority": "high"}]'])
def test_bad_job_file_is_2(ingest: Ingest, tmp_path: Path, text: str) -> None:
    """With the file's name."""
    path = tmp_path / "jobs.json"
    path.write_text(text)
    ran = ingest("submit", "--file", path)
    assert ran.status == 2
    assert "jobs.json" in ran.err


def test_failed_job_is_1_with_its_reason(
    server: FakeServer, ingest: Ingest, start_ingest: Start, thread: LoopThread, text_file: Path
) -> None:
    """Told on stderr; nothing on stdout."""
    server.auto_finish = False
    process = start_ingest("run", text_file)
    thread.call(server.until(lambda: server.calls["WatchJobs"] == 1))
    (job_id,) = server.jobs
    thread.call(server.change(job_id, job_pb2.JOB_STATE_FAILED, error=status_of(3, "DOCUMENT_MALFORMED", "no PDF header")))
    out, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert out == b""
    assert b"hello.txt" in err
    assert b"DOCUMENT_MALFORMED: no PDF header" in err
    assert ingest("fetch", job_id).status == 1


def test_ctrl_c_is_130_and_tells_how_to_go_on(
    server: FakeServer, start_ingest: Start, thread: LoopThread, text_file: Path
) -> None:
    """Nothing is cancelled."""
    server.auto_finish = False
    process = start_ingest("run", text_file)
    thread.call(server.until(lambda: server.calls["WatchJobs"] == 1))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    (job,) = server.jobs.values()
    assert f"ingest watch --batch {job.batch_id}".encode() in err
    assert b"Traceback" not in err
    assert server.calls["CancelJobs"] == 0


def test_reader_that_goes_away_ends_it_quietly(server: FakeServer, start_ingest: Start, tmp_path: Path) -> None:
    """As `ingest … | head -1` does."""
    for number in range(30):
        (tmp_path / f"{number}.txt").write_text("x" * 3000)
    process = start_ingest("run", "-r", tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=20) == 141
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()


def test_folder_goes_in_sorted_without_hidden_files(server: FakeServer, ingest: Ingest, tmp_path: Path) -> None:
    """Subfolders included."""
    for name in ("b.txt", "a.md", ".hidden", "sub/c.html", ".git/config"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    ran = ingest("submit", "-r", tmp_path)
    assert ran.status == 0
    assert ran.out.split() == list(server.jobs)
    sent = [(spec.input.name, spec.input.media_type) for spec in server.specs.values()]
    assert sent == [("a.md", "text/markdown"), ("b.txt", "text/plain"), ("c.html", "text/html")]


def test_pattern_stdin_handler_and_labels(
    server: FakeServer, ingest: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quoted pattern, a pipe, a custom task with typed options."""
    (tmp_path / "a.txt").write_text("A")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"piped")))
    ran = ingest(
        "run", tmp_path / "*.txt", "-", "--handler", "resize", "--option", "width=3", "--option", "mode=fit",
        "--label", "k=v", "--priority", "0", "--name", "pipe.txt",
    )  # fmt: skip
    assert ran.status == 0
    assert "A" in ran.out
    assert "piped" in ran.out
    first, second = server.specs.values()
    assert first.tasks[0].custom.handler == "resize"
    assert dict(first.tasks[0].custom.options) == {"width": 3.0, "mode": "fit"}
    assert (first.priority, dict(second.labels), second.input.name) == (0, {"k": "v"}, "pipe.txt")


def test_results_go_to_files_that_never_leave_the_folder(ingest: Ingest, tmp_path: Path) -> None:
    """Equal names are kept apart."""
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.txt").write_text(folder)
    target = tmp_path / "out"
    ran = ingest("run", "-r", tmp_path / "x", tmp_path / "y", "-o", target)
    assert ran.status == 0
    written = sorted(target.iterdir())
    assert len(written) == 2
    assert sorted(path.read_text() for path in written) == ["x\n", "y\n"]
    assert {path.parent for path in written} == {target}


def test_json_is_one_document_or_one_object_a_line(ingest: Ingest, server: FakeServer, text_file: Path) -> None:
    """On every command; stdout holds nothing else."""
    for command in ("info", "stats", "queues"):
        assert json.loads(ingest(command, "--json").out)
    submitted = json.loads(ingest("--json", "submit", text_file).out)
    job_id = submitted["job_id"]
    assert json.loads(ingest("run", text_file, "--json").out)["text"] == "hello"
    assert json.loads(ingest("fetch", "--ids", job_id, "--json").out)["state"] == "SUCCEEDED"
    assert [json.loads(line)["state"] for line in ingest("list", "--json").out.splitlines()] == ["SUCCEEDED"] * 2
    events = [json.loads(line) for line in ingest("watch", job_id, "--json").out.splitlines()]
    assert [(event["job_id"], event["state"], event["snapshot"]) for event in events] == [(job_id, "SUCCEEDED", True)]
    retried = json.loads(ingest("retry", job_id, "--json").out)
    assert retried["new_job_id"] in server.jobs
    assert json.loads(ingest("delete", job_id, "--json").out)["error"] is None
    gone = ingest("delete", job_id, "--json")
    assert (gone.status, json.loads(gone.out)["error"]["reason"]) == (1, "JOB_NOT_FOUND")


def test_cancel_by_batch_and_watch_ends_with_1(server: FakeServer, ingest: Ingest, text_file: Path) -> None:
    """A cancelled job is no success."""
    server.auto_finish = False
    job_id = ingest("submit", text_file, "--quiet").out.strip()
    batch_id = server.jobs[job_id].batch_id
    ran = ingest("cancel", "--batch", batch_id, "--reason", "enough")
    assert (ran.status, ran.out) == (0, f"{job_id}  CANCELLED\n")
    watched = ingest("watch", "--batch", batch_id)
    assert watched.status == 1
    assert "CANCELLED_BY_CALLER" in watched.out


def test_quiet_says_nothing_but_data_and_errors(ingest: Ingest, text_file: Path) -> None:
    """Progress and notes are gone."""
    ran = ingest("run", text_file, "--quiet")
    assert (ran.status, ran.out, ran.err) == (0, "hello\n", "")


def test_unfinished_job_has_no_result_yet(server: FakeServer, ingest: Ingest, text_file: Path) -> None:
    """Status 1, and how to wait."""
    server.auto_finish = False
    job_id = ingest("submit", text_file).out.strip()
    ran = ingest("fetch", job_id)
    assert ran.status == 1
    assert "--wait" in ran.err


def test_options_are_understood_before_and_after_the_command(server: FakeServer, capfd: pytest.CaptureFixture[str]) -> None:
    """What is given before must not be overwritten by a default behind."""
    assert main(["--server", server.address, "--json", "queues", "pause", "default"]) == 0
    assert json.loads(capfd.readouterr().out)["paused"] is True


def test_split_follows_extract_in_the_same_job(server: FakeServer, ingest: Ingest, text_file: Path) -> None:
    """With its unit, size and overlap."""
    ran = ingest("run", text_file, "--split", "sentences:4", "--overlap", "2")
    assert ran.status == 0
    (spec,) = server.specs.values()
    assert [task.WhichOneof("kind") for task in spec.tasks] == ["extract", "split"]
    task = spec.tasks[1].split
    assert (task.unit, task.chunk_size, task.chunk_overlap) == (job_pb2.SPLIT_UNIT_SENTENCES, 4, 2)
