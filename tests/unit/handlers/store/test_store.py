"""The task store as jobs call it: what is refused, what leads out of the allowed folder, what crashes leave; then the files."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from ingest.v1 import document_pb2
from ingest_server.domain.store_target import StoreFormat, StoreRules
from ingest_server.handlers.inputs import MemoryInput
from ingest_server.handlers.interface import Cancelled, HandlerFailure, Output
from ingest_server.handlers.results import to_result
from ingest_server.handlers.store import StoreOptions, store
from ingest_server.handlers.targets import parquet
from ingest_server.handlers.targets.file_names import file_name
from ingest_server.handlers.targets.folder import PARTS_FOLDER, FolderPlace, opened_folder
from ingest_server.handlers.targets.interface import Writing
from tests.fakes.clock import FakeClock
from tests.unit.handlers.documents.conftest import FakeContext
from tests.unit.handlers.store.conftest import Store, document_of

JOB = "01890000-0000-7000-8000-000000000001"


def files(folder: Path) -> list[str]:
    """Files below a folder, relative."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_without_an_allowed_place_nothing_is_written(stored: Store, operator: Callable[..., None], root: Path) -> None:
    operator(store_targets=())
    with pytest.raises(HandlerFailure) as caught:
        stored(document_of(), f"file://{root}/x")
    assert (caught.value.reason, caught.value.retryable) == ("NOT_SUPPORTED", False)
    assert "store_targets" in caught.value.message


@pytest.mark.parametrize(
    "target", ["file:///etc/x", "sqlite:///tmp/x.db", "nonsense", "file://{root}/../x", "file://{root}/ingest-data/x"]
)
def test_a_target_outside_is_refused(stored: Store, root: Path, target: str) -> None:
    with pytest.raises(HandlerFailure) as caught:
        stored(document_of(), target.format(root=root))
    assert (caught.value.reason, caught.value.retryable) == ("INVALID_OPTIONS", False)
    assert files(root) == []


@pytest.mark.parametrize(
    "target", ["file://{root}/link/x", "file://{root}/link", "sqlite://{root}/link/x.db", "sqlite://{root}/file.db"]
)
def test_a_link_out_of_the_allowed_folder_is_refused(stored: Store, root: Path, tmp_path: Path, target: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "link").symlink_to(outside)
    (root / "file.db").symlink_to(outside / "new.db")
    with pytest.raises(HandlerFailure) as caught:
        stored(document_of(), target.format(root=root))
    assert (caught.value.reason, caught.value.retryable) == ("STORE_TARGET_UNUSABLE", False)
    assert "symbolic link" in caught.value.message
    assert list(outside.iterdir()) == []


def test_a_link_to_the_servers_own_data_is_refused(stored: Store, root: Path) -> None:
    (root / "ingest-data").mkdir()
    (root / "link").symlink_to(root / "ingest-data")
    with pytest.raises(HandlerFailure, match="symbolic link"):
        stored(document_of(), f"file://{root}/link/x")


def test_a_link_that_appears_after_the_path_was_resolved_is_not_followed(root: Path, tmp_path: Path) -> None:
    (root / "late").symlink_to(tmp_path)
    with pytest.raises(OSError) as caught, opened_folder(str(root / "late"), StoreRules((str(root),))):
        pass
    assert caught.value.errno in (errno.ELOOP, errno.ENOTDIR)


def test_links_that_stay_inside_and_an_allowed_folder_that_is_a_link_are_followed(
    stored: Store, operator: Callable[..., None], root: Path, tmp_path: Path
) -> None:
    (root / "real").mkdir()
    (root / "link").symlink_to(root / "real")
    stored(document_of(), f"file://{root}/link/x")
    assert len(files(root / "real" / "x")) == 1
    (tmp_path / "alias").symlink_to(root)
    operator(store_targets=(str(tmp_path / "alias"),))
    stored(document_of("other"), f"file://{tmp_path}/alias/real/x")
    assert len(files(root / "real" / "x")) == 2


def test_a_missing_allowed_folder_is_not_made(stored: Store, operator: Callable[..., None], tmp_path: Path) -> None:
    operator(store_targets=(str(tmp_path / "unmounted"),))
    with pytest.raises(HandlerFailure, match="could not be written: No such file"):
        stored(document_of(), f"file://{tmp_path}/unmounted/x")
    assert not (tmp_path / "unmounted").exists()


def test_a_folder_that_is_a_file_is_refused(stored: Store, root: Path) -> None:
    (root / "x").write_text("here")
    with pytest.raises(HandlerFailure) as caught:
        stored(document_of(), f"file://{root}/x")
    assert (caught.value.reason, caught.value.retryable) == ("STORE_TARGET_UNUSABLE", False)


@pytest.mark.parametrize(
    ("data", "media_type", "reason"),
    [
        (b"plain", "text/plain", "MEDIA_TYPE_NOT_SUPPORTED"),
        (b"plain", "", "MEDIA_TYPE_NOT_SUPPORTED"),
        (b"\xff\xff\xff", "application/vnd.ingest.document+proto", "DOCUMENT_MALFORMED"),
    ],
)
def test_what_is_no_document_is_refused(stored: Store, root: Path, data: bytes, media_type: str, reason: str) -> None:
    with pytest.raises(HandlerFailure) as caught:
        stored(data, f"file://{root}/x", media_type=media_type)
    assert (caught.value.reason, caught.value.retryable) == (reason, False)


def test_a_full_disk_changes_nothing_and_is_tried_again(root: Path, stored: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(document_of(), f"file://{root}/x")
    before = {name: (root / name).read_bytes() for name in files(root)}

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    changed = document_of()
    changed.title = "Changed"
    with pytest.raises(HandlerFailure) as caught:
        stored(changed, f"file://{root}/x")
    assert (caught.value.reason, caught.value.retryable) == ("STORAGE_FULL", True)
    assert {name: (root / name).read_bytes() for name in files(root)} == before


def test_a_cancel_in_the_middle_leaves_nothing(stored: Store, root: Path) -> None:
    for checks in range(1, 4):
        with pytest.raises(Cancelled):
            stored(document_of(chunks=600), f"file://{root}/x.jsonl", cancel_after=checks)
        assert files(root) == []


def test_a_process_killed_while_it_writes_leaves_nothing_that_is_read_and_the_next_attempt_cleans_up(root: Path) -> None:
    place = FolderPlace(str(root / "x"), StoreRules((str(root),)))
    writing = Writing(JOB, lambda: None)

    def half(file: BinaryIO) -> None:
        file.write(b"half")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    def whole(file: BinaryIO) -> None:
        file.write(b"whole")

    pid = os.fork()
    if pid == 0:
        place.put("a.json", "", half, writing)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    left = files(root / "x")
    assert [Path(name).parent.name for name in left] == [PARTS_FOLDER]
    place.put("b.json", "", lambda file: None, Writing("another job", lambda: None))
    assert left[0] in files(root / "x"), "another job's part may be alive"
    place.put("a.json", "", whole, writing)
    assert files(root / "x") == ["a.json", "b.json"]
    assert (root / "x" / "a.json").read_bytes() == b"whole"


def test_what_was_left_behind_goes_after_a_day(root: Path) -> None:
    clock = FakeClock()
    place = FolderPlace(str(root), StoreRules((str(root),)), clock=clock)
    parts = root / PARTS_FOLDER
    parts.mkdir()
    for name, age_seconds in (("gone-1", 86_401), ("kept-1", 86_399)):
        (parts / name).touch()
        moment = clock.now_us() / 1e6 - age_seconds
        os.utime(parts / name, (moment, moment))
    place.put("a.json", "", lambda file: None, Writing(JOB, lambda: None))
    assert files(parts) == ["kept-1"]


def test_without_pyarrow_the_command_that_installs_it_is_told(stored: Store, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    parquet._library.cache_clear()
    with pytest.raises(HandlerFailure) as caught:
        stored(document_of(), f"file://{root}/x.parquet")
    assert (caught.value.reason, caught.value.retryable) == ("NOT_SUPPORTED", False)
    assert caught.value.metadata["install"] == 'pip install "ingest[parquet]"'
    assert files(root) == []
    parquet._library.cache_clear()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../../etc/passwd", "passwd-"),
        ("..", "document-"),
        ("", "document-"),
        ("a\\b\\c d.txt", "c_d.txt-"),
        ("\n\x1b[31m.pdf", "31m.pdf-"),
        ("größe.pdf", "größe.pdf-"),
        (".hidden", "hidden-"),
        ("x" * 300, "x" * 120 + "-"),
        ("\ud800.pdf", "pdf-"),
    ],
)
def test_names_of_files_are_safe_and_told_by_people(name: str, told: str) -> None:
    assert file_name(name, "0123", ".json") == f"{told}0123.json"


def test_a_job_that_runs_twice_leaves_each_document_once(stored: Store, root: Path) -> None:
    for target in ("file://{}/json", "file://{}/lines.jsonl", "file://{}/set.parquet"):
        first = stored(document_of(), target.format(root))
        before = files(root)
        second = stored(document_of(), target.format(root))
        assert files(root) == before
        assert first.metadata == second.metadata


def test_documents_are_told_apart_by_content_and_name_or_by_their_key_alone(stored: Store, root: Path) -> None:
    target = f"file://{root}/x"
    stored(document_of(), target, name="a.pdf")
    stored(document_of(), target, name="b.pdf")
    stored(document_of("other"), target, name="a.pdf")
    assert len(files(root / "x")) == 3
    stored(document_of(), target, name="old.pdf", key="/docs/k.pdf")
    stored(document_of("other"), target, name="new.pdf", key="/docs/k.pdf")
    assert len(files(root / "x")) == 4
    (kept,) = (root / "x").glob("k.pdf-*.json")
    assert json.loads(kept.read_text())["title"] == "On other"


def test_the_document_is_passed_on_unchanged_and_told_of(root: Path, operator: Callable[..., None]) -> None:
    data = document_of().SerializeToString()
    context = FakeContext(MemoryInput(data, "application/vnd.ingest.document+proto", "a.pdf"))
    output = store(context, StoreOptions(f"file://{root}/x.jsonl"))
    assert (output.data, output.name) == (data, "a.pdf")
    assert output.metadata["store.target"] == f"{root}/x.jsonl"
    assert (output.metadata["store.documents"], output.metadata["store.chunks"]) == ("1", "2")
    assert context.reports == [(1, 1, "document")]


@pytest.mark.parametrize(("given", "name"), [("", "job.pdf"), ("own.txt", "own.txt")])
def test_a_result_keeps_the_name_of_the_jobs_input_unless_it_has_one(given: str, name: str) -> None:
    assert to_result(Output(data=b"x", name=given)).as_input("job.pdf").name == name


def test_json_lines_hold_everything(stored: Store, root: Path) -> None:
    stored(document_of(dimensions=3), f"file://{root}/x.jsonl")
    (path,) = (root / "x.jsonl").glob("*.jsonl")
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [record["type"] for record in records] == ["document", "element", "element", "element", "chunk", "chunk"]
    document, heading, table, image, chunk, _ = records
    assert len({record["document_id"] for record in records}) == 1
    assert (document["title"], document["name"]) == ("On harbour", "a b/pilot.pdf")
    assert document["issues"] == [{"page": 2, "reason": "PAGE_UNREADABLE", "message": "damaged"}]
    assert (heading["role"], heading["heading_level"], heading["bounding_box"]) == ("heading", 1, [0, 0, 100.5, 0])
    assert (table["text"], table["table"]["cells"][0]["header"]) == ("Größe\t3", True)
    assert (image["kind"], image["image"]["alt_text"]) == ("image", "a boat")
    assert (chunk["pages"], chunk["headings"], chunk["element_ids"]) == ([1, 2], ["The harbour"], ["e1"])
    assert chunk["embedding"] == [1.0, pytest.approx(1.1), pytest.approx(1.2)]


def test_documents_inside_others_have_records_of_their_own(stored: Store, root: Path) -> None:
    archive = document_of("archive", chunks=1)
    archive.documents.add(name="in/a.txt").chunks.add(id="c1", text="deep")
    for target in ("x.jsonl", "x"):
        assert stored(archive, f"file://{root}/{target}", name="all.zip").metadata["store.documents"] == "2"
        assert len(files(root / target)) == 1
    (path,) = (root / "x.jsonl").glob("*.jsonl")
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    around, inside = (record for record in records if record["type"] == "document")
    assert (around["parent_id"], inside["parent_id"], inside["name"]) == (None, around["document_id"], "in/a.txt")
    assert [record["document_id"] for record in records if record["type"] == "chunk"] == [
        around["document_id"],
        inside["document_id"],
    ]
    (path,) = (root / "x").glob("*.json")
    assert json.loads(path.read_text(encoding="utf-8"))["documents"][0]["name"] == "in/a.txt"


def test_json_is_the_document_in_protobufs_mapping(stored: Store, root: Path) -> None:
    from google.protobuf import json_format

    stored(document_of(dimensions=3), f"file://{root}/x", form=StoreFormat.JSON)
    (path,) = (root / "x").glob("*.json")
    assert json_format.Parse(path.read_text(encoding="utf-8"), document_pb2.Document()) == document_of(dimensions=3)


def test_parquet_is_read_as_one_data_set_each(stored: Store, root: Path) -> None:
    pyarrow_parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    stored(document_of(dimensions=3), f"file://{root}/x.parquet", name="a.pdf")
    stored(document_of("other", chunks=0), f"file://{root}/x.parquet", name="b.pdf")
    chunks = pyarrow_parquet.read_table(root / "x.parquet" / "chunks").to_pylist()
    assert [(row["chunk_id"], row["text"]) for row in chunks] == [("c1", "harbour number 1"), ("c2", "harbour number 2")]
    assert chunks[0]["embedding"] == pytest.approx([1, 1.1, 1.2])
    assert {row["name"] for row in pyarrow_parquet.read_table(root / "x.parquet" / "documents").to_pylist()} == {"a.pdf", "b.pdf"}
    elements = pyarrow_parquet.read_table(root / "x.parquet" / "elements").to_pylist()
    assert len(elements) == 6
    assert json.loads(next(row["content"] for row in elements if row["kind"] == "table"))["columns"] == 2
