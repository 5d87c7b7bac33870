"""Files made to do harm, in a short round against a real server; and the round itself: that it sees what it is there to see."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ingest.v1 import document_pb2
from ingest_client import Job, JobError, JobResult, JobState
from ingest_client.models import Attempt
from scripts.hostile_set import mutants
from scripts.hostile_set.bombs import BOMBS
from scripts.hostile_set.hostile_file import HostileFile
from scripts.hostile_set.leftovers import folders_left, processes_left, temporary_files
from scripts.hostile_set.material import Sample, samples_of
from scripts.hostile_set.processes import MARK, EngineWatch, marked
from scripts.hostile_set.report import verdict
from scripts.hostile_set.verdict import Limits, Row
from scripts.lib.generate_protos import ROOT

ROUND_SECONDS_MAX = 600
LIMITS = Limits(attempt_timeout_seconds=2.0, cancel_grace_seconds=1.0, attempt_memory_bytes_max=1 << 20, result_bytes_max=1_000)
GROWS = """import sys
print(1, flush=True)
sys.stdin.readline()
held = b"x" * (64 << 20)
print(2, flush=True)
sys.stdin.readline()"""
FILE = HostileFile("kind/file", "kind", "file.txt", bytes)


@pytest.mark.slow
@pytest.mark.timeout(ROUND_SECONDS_MAX + 60)
def test_a_short_round_ends_as_promised(tmp_path: Path) -> None:
    """The samples come from the package index; where it cannot be reached, the round is of bombs alone, and says so."""
    told = tmp_path / "told.json"
    command = [sys.executable, "-m", "scripts.hostile_set", "--short", "--strict", "--quiet", "--json", str(told)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=ROUND_SECONDS_MAX)
    print(ended.stdout, ended.stderr)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = json.loads(told.read_text())
    groups = {group["group"]: group for group in found["groups"]}
    assert found["faults"] == []
    assert sum(group["files"] for group in groups.values()) >= 200
    assert all(group["witnesses"] >= 2 for group in groups.values())
    assert groups["bombs: PDF trees"]["succeeded"] > 0
    assert groups["bombs: compression"]["failed"]["DOCUMENT_MALFORMED"] > 0


def job(state: JobState, reason: str = "", message: str = "why", seconds: float = 1.0, crashes: int = 0) -> Job:
    """A job that ended so."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    attempts = (Attempt(1, "worker", begin, begin + timedelta(seconds=seconds), None),)
    error = JobError(2, reason, message) if reason else None
    return cast(Job, SimpleNamespace(job_id="1", state=state, error=error, crash_count=crashes, attempts=attempts))


@pytest.mark.parametrize(
    ("ended", "fault"),
    [
        (job(JobState.FAILED, "INTERNAL"), "INTERNAL"),
        (job(JobState.FAILED, "INVALID_RESULT"), "INVALID_RESULT"),
        (job(JobState.FAILED, "DOCUMENT_MALFORMED", " "), "without a word"),
        (job(JobState.FAILED), "without a word"),
        (job(JobState.EXPIRED, "TOTAL_TIMEOUT"), "ended EXPIRED"),
        (job(JobState.SUCCEEDED, seconds=7.1), "an attempt of 7.1 s"),
        (job(JobState.FAILED, "POISON_JOB", crashes=4), "4 crashes"),
    ],
)
def test_what_was_not_promised_is_a_fault(ended: Job, fault: str) -> None:
    row = Row("kind")
    row.count_ended(FILE, ended, LIMITS)
    (told,) = row.faults
    assert fault in told
    assert "kind/file" in told
    assert not verdict(cast(Any, SimpleNamespace(rows=[row], all_faults=row.faults)), strict=False)


def test_a_clear_failure_is_none_and_an_unforeseen_one_only_where_it_is_strict() -> None:
    row = Row("kind")
    row.count_ended(FILE, job(JobState.FAILED, "DOCUMENT_MALFORMED"), LIMITS)
    row.count_ended(FILE, job(JobState.FAILED, "HANDLER_ERROR"), LIMITS)
    assert (row.files, row.failed, row.faults) == (2, {"DOCUMENT_MALFORMED": 1, "HANDLER_ERROR": 1}, [])
    assert row.unforeseen == ["kind/file: why ()"]
    found = cast(Any, SimpleNamespace(rows=[row], all_faults=[]))
    assert verdict(found, strict=False)
    assert not verdict(found, strict=True)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"\xff", "is no document"),
        (document_pb2.Document(title="x").SerializeToString(), "does not say what was read"),
        (document_pb2.Document(title="secret", media_type="text/plain").SerializeToString(), "a file of the server"),
        (document_pb2.Document(title="x" * 1_000, media_type="text/plain").SerializeToString(), "1000 is the most"),
    ],
)
def test_a_result_is_looked_at(data: bytes, fault: str) -> None:
    row = Row("kind")
    row.check_result(FILE, cast(JobResult, SimpleNamespace(job_id="1")), data, b"secret", LIMITS)
    (told,) = row.faults
    assert fault in told


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    """A process of this test's mark, which takes 64 MB when it is told to."""
    process = subprocess.Popen(
        [sys.executable, "-c", GROWS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, MARK: "this-test"},
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_a_process_that_outgrows_its_limit_is_seen(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    assert child.stdout is not None
    watch = EngineWatch(os.getpid(), 16 << 20, 0)
    watch.look()
    assert 0 < watch.take()[0].bytes < 64 << 20
    child.stdin.write("\n")
    child.stdin.flush()
    child.stdout.readline()
    watch.look()
    peak, found = watch.take()
    assert peak.bytes > 64 << 20
    assert found.above_bytes > 0
    assert found.above_bytes < 64 << 20
    assert "import sys" in found.who


def test_a_process_that_is_left_is_found(child: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.hostile_set.leftovers.PROCESSES_END_SECONDS_MAX", 0.0)
    assert child.pid in marked("this-test")
    (told,) = processes_left("this-test")
    assert told.startswith(f"process left: {child.pid} ")
    assert list(processes_left("another")) == []


def test_files_that_are_left_are_found(tmp_path: Path) -> None:
    for name in ("data/scratch/server/worker-1/page-x.pgm", "data/blobs/tmp/worker-y", "tmp/z"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"x")
    assert len(list(temporary_files(tmp_path / "data", tmp_path / "tmp"))) == 3
    assert list(folders_left(tmp_path / "data", tmp_path / "tmp")) == [
        "left by the server: scratch/server",
        "left by the server: tmp/z",
    ]


def test_mutants_are_others_and_the_same_at_every_run() -> None:
    sample = Sample("a/b.pdf", "PDF", b"%PDF-1.4\n1 0 obj\n<</Length 5>>\nstream\n12345\nendstream\n" * 20)
    first = [mutant.make() for mutant in mutants.mutants_of(sample, 24, 1)]
    assert first == [mutant.make() for mutant in mutants.mutants_of(sample, 24, 1)]
    assert first != [mutant.make() for mutant in mutants.mutants_of(sample, 24, 2)]
    assert sum(mutant != sample.data for mutant in first) >= 20
    assert len({mutant.identity for mutant in mutants.mutants_of(sample, 24, 1)}) == 24


def test_damaged_parts_are_packed_soundly(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("word/document.xml", "<w:document>12 words 34</w:document>" * 9)
    changed = 0
    for mutant in mutants.mutants_of(Sample("a.docx", "DOCX", path.read_bytes()), 20, 1):
        if " part " in mutant.identity:
            (tmp_path / "mutant").write_bytes(mutant.make())
            with zipfile.ZipFile(tmp_path / "mutant") as package:
                assert package.testzip() is None
                changed += package.read("word/document.xml") != b"<w:document>12 words 34</w:document>" * 9
    assert changed >= 8


def test_samples_are_taken_by_their_kind(tmp_path: Path) -> None:
    path = tmp_path / "some-1.0.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a/b.PDF", "a/same.pdf", "a/empty.pdf", "a/code.py", "a/c.docx"):
            archive.writestr(name, b"" if "empty" in name else name[-4:].lower().encode())
    assert [(sample.name, sample.kind) for sample in samples_of(path)] == [("b.PDF", "PDF"), ("c.docx", "DOCX")]


def test_every_bomb_has_its_own_name() -> None:
    assert len({bomb.identity for bomb in BOMBS}) == len(BOMBS) > 200
    small = next(bomb for bomb in BOMBS if bomb.identity == "PDF trees/circle")
    assert small.make().startswith(b"%PDF-")
    assert small.make() == small.make()
