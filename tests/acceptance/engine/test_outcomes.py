"""What comes of attempts whose worker lives on."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

import pytest

from ingest.v1 import job_pb2
from ingest_server.domain.errors import Code, Failure
from ingest_server.engines.interface import OutcomeCode
from tests.acceptance.engine.rig import Rig, failure, payload, value

KIB = 1_024


def left_by_workers(directory: Path) -> list[Path]:
    return list(directory.glob("ingest-engine-*/worker-*/*"))


@pytest.mark.parametrize(
    ("name", "media_type", "data"),
    [
        ("none", "", b""),
        ("bytes", "application/octet-stream", b"\x00\xff"),
        ("text", "text/plain; charset=utf-8", "grüße".encode()),
        ("json", "application/json", b'{"pages":[1,2]}'),
        ("output", "text/csv", b"x,y"),
    ],
)
async def test_what_a_handler_returns_becomes_the_output(tmp_path: Path, name: str, media_type: str, data: bytes) -> None:
    async with Rig(tmp_path) as rig:
        outcome = await rig.run("give", options={"value": name})
        output = payload(outcome)
        assert (output.media_type, output.data) == (media_type, data)
        assert outcome[7] == "local/1"
        assert 0 < outcome[8] <= outcome[9]
        if name == "output":
            assert (output.name, dict(output.metadata)) == ("t.csv", {"k": "v"})


@pytest.mark.parametrize("name", ["rubbish", "surrogate", "class"])
async def test_rubbish_is_an_invalid_result_and_is_not_tried_again(tmp_path: Path, name: str) -> None:
    async with Rig(tmp_path) as rig:
        told = failure(await rig.run("give", options={"value": name}))
        assert (told.reason, told.code, told.retryable) == ("INVALID_RESULT", Code.INTERNAL, False)
        assert told.metadata["type"]
        assert payload(await rig.run("give", options={"value": "text"})).data


async def test_each_task_gets_the_output_of_the_one_before(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        assert payload(await rig.run("give", "upper", "echo", options={"value": "text"})).data == "GRÜSSE".encode()


async def test_a_handler_sees_its_job_and_its_input(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        row = rig.row("describe", payload=b"ihello", media_type="text/plain", name="../../a b.txt", metadata={"k": "v"})
        rig.start(row)
        seen = value((await rig.ended(row))[0])
        assert seen["job_id"] == "00000000-0000-0000-0000-000000000001"
        assert (seen["attempt"], seen["size_bytes"], seen["same"]) == (1, 5, True)
        assert (seen["media_type"], seen["name"], seen["metadata"]) == ("text/plain", "../../a b.txt", {"k": "v"})
        assert seen["path"].endswith(".txt")
        assert seen["path"].startswith(str(tmp_path))
        assert left_by_workers(tmp_path) == []
        assert 3_500 < seen["remaining"] <= 3_600
        assert seen["stdin"] == "/dev/null"
        assert seen["python_path"] == os.environ.get("PYTHONPATH")


async def test_workers_load_no_grpc_and_hold_only_their_own_descriptors(tmp_path: Path) -> None:
    async with Rig(tmp_path, workers=4) as rig:
        rows = [rig.row("describe") for _ in range(8)]
        rig.start(*rows)
        for seen in map(value, await rig.ended(*rows)):
            assert seen["grpc"] == []
            # 0-2, two sockets, event fd, own directory, listing itself, and room for what Python opens in passing.
            assert len(seen["fds"]) <= 10, seen["fds"]


async def test_large_output_becomes_a_blob_on_disk(tmp_path: Path) -> None:
    async with Rig(tmp_path, inline_bytes_max=KIB) as rig:
        for handler, letter in (("size", b"z"), ("file", b"f")):
            content = letter * (KIB + 1)
            outcome = await rig.run(handler, options={"value": len(content)})
            output, digest = payload(outcome), hashlib.sha256(content)
            assert (output.blob.sha256, output.blob.size_bytes) == (digest.hexdigest(), len(content))
            assert outcome[6] == digest.digest()
            text = digest.hexdigest()
            assert (tmp_path / "blobs" / text[:2] / text[2:4] / text).read_bytes() == content
        assert list((tmp_path / "blobs").glob("tmp/*")) == []
        assert left_by_workers(tmp_path) == [], "the file of an Output was left"
        outcome = await rig.run("size", options={"value": KIB})
        assert (payload(outcome).data, outcome[6]) == (b"z" * KIB, b"")


async def test_a_blob_is_read_where_it_lies(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        content = os.urandom(3 * 1_024 * KIB)
        digest = hashlib.sha256(content)
        text = digest.hexdigest()
        path = tmp_path / "blobs" / text[:2] / text[2:4] / text
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        reference = b"b" + digest.digest() + len(content).to_bytes(8, "little")
        seen = value(await rig.run("describe", payload=reference))
        assert (seen["size_bytes"], seen["same"], seen["path"]) == (len(content), True, str(path))
        output = payload(await rig.run("echo", payload=reference))
        assert output.blob.sha256 == text
        assert path.read_bytes() == content
        path.unlink()
        assert failure(await rig.run("describe", payload=reference)).reason == "BLOB_NOT_FOUND"


async def test_too_large_a_result_is_refused_with_limit_and_size(tmp_path: Path) -> None:
    async with Rig(tmp_path, result_bytes_max=10 * KIB) as rig:
        for handler in ("size", "file"):
            told = failure(await rig.run(handler, options={"value": 10 * KIB + 1}))
            assert (told.reason, told.code, told.retryable) == ("RESULT_TOO_LARGE", Code.OUT_OF_RANGE, False)
            assert told.metadata == {"size_bytes": "10241", "limit_bytes": "10240"}


async def told_of(rig: Rig, way: str) -> Failure:
    outcome = await rig.run("fail", options={"value": way})
    assert outcome[2] == OutcomeCode.FAILED
    return failure(outcome)


async def test_whatever_is_raised_is_told_and_bounded(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        told = await told_of(rig, "value")
        assert told.message.startswith("the handler raised ValueError: bad xxx")
        assert (told.reason, told.retryable, told.metadata["exception"]) == ("HANDLER_ERROR", True, "ValueError")
        assert "in fail" in told.metadata["traceback"] or told.metadata["traceback"].startswith("…")
        assert max(len(told.message.encode()), len(told.metadata["traceback"].encode())) <= 8 * KIB
        told = await told_of(rig, "known")
        assert (told.reason, told.message, told.retryable) == ("PAGE_TORN", "page 3 is torn", False)
        assert told.metadata == {"page": "3"}
        for way, name in (
            ("exit", "SystemExit"),
            ("interrupt", "KeyboardInterrupt"),
            ("cancelled", "Cancelled"),
            ("recursion", "RecursionError"),
            ("unprintable", "Unprintable"),
            ("group", "ExceptionGroup"),
        ):
            told = await told_of(rig, way)
            assert told.reason == "HANDLER_ERROR"
            assert name in told.metadata["exception"]
        assert rig.engine.crash_count() == 0


async def test_wrong_options_and_unknown_handlers_fail_for_good(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        for handler, options, word in (
            ("size", {"value": "x"}, "value"),
            ("size", {"valeu": 1}, "valeu"),
            ("size", {"value": 1.5}, "int"),
            ("give", None, "value"),
            ("noop", {"value": 1}, "no options"),
        ):
            told = failure(await rig.run(handler, options=options))
            assert (told.reason, told.code, told.retryable) == ("INVALID_OPTIONS", Code.INVALID_ARGUMENT, False)
            assert word in told.message
        told = failure(await rig.run("nobody"))
        assert (told.reason, told.metadata["handler"], told.retryable) == ("UNKNOWN_HANDLER", "nobody", False)
        told = failure(await rig.run(spec=b"\xff\xff"))
        assert (told.reason, told.retryable) == ("INTERNAL", False)


async def test_progress_leaves_rarely_and_the_newest_stays(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        outcome = await rig.run("report")
        assert payload(outcome).data == b"done"
        assert len(rig.progress.get(1, [])) <= 10 * (outcome[9] - outcome[8]) / 1e6 + 2
        last = job_pb2.Progress.FromString(outcome[5])
        assert (last.completed_units, last.total_units, last.unit, last.message) == (10_000, 10_000, "page", "page 10000")


async def test_mischief_disturbs_no_neighbour(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with Rig(tmp_path) as rig:
        before = value(await rig.run("describe"))
        for _ in range(3):  # so that its run time is known, and it travels with others
            await rig.run("mischief")
        rows = [rig.row(name) for name in ("noop", "mischief", "describe", "mischief", "describe")]
        rig.start(*rows)
        outcomes = await rig.ended(*rows)
        assert {outcome[2] for outcome in outcomes} == {OutcomeCode.SUCCEEDED}
        for seen in (value(outcomes[2]), value(outcomes[4])):
            assert [seen[name] for name in ("cwd", "umask", "pid")] == [before[name] for name in ("cwd", "umask", "pid")]
        # The signals are back as well: an interrupt still works.
        deaf = rig.row("deaf")
        rig.start(deaf)
        await rig.running(deaf)
        rig.engine.cancel(deaf[0], deaf[1])
        assert await rig.codes(deaf) == [OutcomeCode.CANCELLED]
        assert rig.engine.crash_count() == 0
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "printed by a handler" in printed.err
    assert "written by a handler" in printed.err


async def test_log_lines_name_job_and_attempt(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with Rig(tmp_path) as rig:
        await rig.run("log")
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    line = next(line for line in lines if line["event"] == "a line of the handler")
    assert line["job_id"] == "00000000-0000-0000-0000-000000000001"
    assert (line["attempt"], line["worker"], line["level"]) == (1, "local/1", "warning")


async def test_a_copy_that_a_handler_forks_does_not_speak_for_the_worker(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        assert value(await rig.run("fork")) > 0
        assert payload(await rig.run("give", options={"value": "text"})).data
        assert rig.engine.crash_count() == 0


async def test_workers_draw_different_random_numbers(tmp_path: Path) -> None:
    async with Rig(tmp_path, workers=2) as rig:
        rows = [rig.row("random") for _ in range(2)]
        rig.start(*rows)
        (first, second) = map(value, await rig.ended(*rows))
        assert first[0] != second[0]
        assert first[1] != second[1]


async def test_nothing_is_left_where_temporary_files_go(tmp_path: Path) -> None:
    before = set(os.listdir(tempfile.gettempdir()))
    async with Rig(tmp_path) as rig:
        await rig.run("file", options={"value": 3})
    assert {name for name in set(os.listdir(tempfile.gettempdir())) - before if name.startswith("ingest-")} == set()
