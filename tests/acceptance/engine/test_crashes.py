"""Workers that die: nothing is lost, the culprit is named, neighbours run, the worker is replaced."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import msgspec
import pytest

from ingest_server.domain.errors import Code
from ingest_server.engines.interface import OutcomeCode
from ingest_server.engines.local.frames import HEADER, Kind
from ingest_server.engines.local.processes import process_table
from tests.acceptance.engine.rig import Rig, failure, value


def alive(pid: int) -> bool:
    return any(pid == found for found, _, _ in process_table())


@pytest.mark.parametrize(
    ("way", "metadata", "words"),
    [
        ("_exit", {"exit_code": "7"}, "exited with code 7"),
        ("exit0", {"exit_code": "0"}, "exited with code 0"),
        ("segfault", {"signal": "SIGSEGV"}, "SIGSEGV"),
        ("kill", {"signal": "SIGKILL"}, "SIGKILL (out of memory?)"),
        ("abort", {"signal": "SIGABRT"}, "SIGABRT"),
        ("group", {"signal": "SIGKILL"}, "SIGKILL"),
    ],
)
async def test_a_job_that_kills_its_worker_is_told_how(tmp_path: Path, way: str, metadata: dict[str, str], words: str) -> None:
    async with Rig(tmp_path) as rig:
        outcome = await rig.run("die", options={"value": way})
        assert outcome[2] == OutcomeCode.CRASHED
        told = failure(outcome)
        assert (told.reason, told.code, told.retryable) == ("WORKER_CRASHED", Code.ABORTED, True)
        assert told.metadata == metadata
        assert words in told.message
        assert 0 < outcome[8] <= outcome[9]
        assert value(await rig.run("describe"))["attempt"] == 1
        assert rig.engine.crash_count() == 1
        assert len(rig.engine.workers()) == 1


@pytest.mark.parametrize("way", ["close", "close-sockets"])
async def test_a_job_that_cuts_its_worker_off_has_crashed_it(tmp_path: Path, way: str) -> None:
    """Were it merely lost it would be run again for ever."""
    async with Rig(tmp_path) as rig:
        outcome = await rig.run("die", options={"value": way})
        assert outcome[2] == OutcomeCode.CRASHED
        assert failure(outcome).reason == "WORKER_CRASHED"
        assert (await rig.run("noop"))[2] == OutcomeCode.SUCCEEDED


async def test_neighbours_in_the_frame_are_lost_or_done_never_crashed(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        for _ in range(100):  # so that their run time is known and they travel in one frame
            await rig.run("obey")
        rows = [rig.row("obey", payload=b"idie" if position == 20 else b"") for position in range(41)]
        rig.start(*rows)
        codes = await rig.codes(*rows)
        assert codes[20] == OutcomeCode.CRASHED
        # Ended before: reported, or lost with the report. Behind it: never begun.
        assert set(codes[:20]) <= {OutcomeCode.SUCCEEDED, OutcomeCode.LOST}
        assert OutcomeCode.LOST in codes[21:]
        assert set(codes[21:]) <= {OutcomeCode.SUCCEEDED, OutcomeCode.LOST}
        assert rig.engine.crash_count() == 1
        again = [rig.row("noop") for _ in range(50)]
        rig.start(*again)
        assert set(await rig.codes(*again)) == {OutcomeCode.SUCCEEDED}


async def test_what_a_handler_has_started_ends_with_its_worker(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        note = tmp_path / "pids"
        outcome = await rig.run("leave-child", payload=b"i" + str(note).encode())
        assert outcome[2] == OutcomeCode.CRASHED
        await rig.run("noop")
        pids = [int(word) for word in note.read_text().split()]
        await rig.until(lambda: not any(alive(pid) for pid in pids))


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff\x02",
        HEADER.pack(3, Kind.OUTCOMES) + b"\xc1\xc1\xc1",
        HEADER.pack(1, 99) + b"\x90",
        HEADER.pack(1, Kind.CANCEL) + b"\x90",
        HEADER.pack(2, Kind.READY) + b"\xcc\x07",
        *(
            HEADER.pack(len(body), kind) + body
            for kind, body in (
                (Kind.OUTCOMES, msgspec.msgpack.encode([(999, 1, 0, b"", b"", b"", b"", "local/1", 0, 0)])),
                (Kind.OUTCOMES, msgspec.msgpack.encode([(1, 1, 2, b"", b"", b"", b"", "local/1", 0, 0)])),
                (Kind.OUTCOMES, msgspec.msgpack.encode([(1, 1, 0, b"", b"", b"", b"", "local/2", 0, 0)])),
                (Kind.OUTCOMES, msgspec.msgpack.encode([(1, 1, 9, b"", b"", b"", b"", "local/1", 0, 0)])),
                (Kind.OUTCOMES, msgspec.msgpack.encode([(1, 1, 0, "", b"", b"", b"", "local/1", 0, 0)])),
                (Kind.RETURNED, msgspec.msgpack.encode([(999, 1)])),
                (Kind.RETURNED, b"\x91" * 100_000),
            )
        ),
    ],
)
async def test_a_worker_that_speaks_nonsense_is_killed(tmp_path: Path, data: bytes) -> None:
    async with Rig(tmp_path) as rig:
        outcome = await rig.run("speak", options={"value": data.hex()})
        assert outcome[2] == OutcomeCode.CRASHED
        assert "cannot understand" in failure(outcome).message
        assert value(await rig.run("describe"))["attempt"] == 1
        assert rig.engine.crash_count() == 1


@pytest.mark.parametrize("data", [b"\x00", HEADER.pack(1_000_000, Kind.OUTCOMES), HEADER.pack(9, Kind.OUTCOMES) + b"\x91"])
async def test_a_worker_that_stops_within_a_frame_is_killed(tmp_path: Path, data: bytes) -> None:
    async with Rig(tmp_path, frame_seconds_max=0.1) as rig:
        outcome = await rig.run("speak", options={"value": data.hex()})
        assert outcome[2] == OutcomeCode.CRASHED
        assert "nothing more for 0.1 s" in failure(outcome).message
        assert (await rig.run("noop"))[2] == OutcomeCode.SUCCEEDED


async def test_a_zygote_that_dies_is_started_again(tmp_path: Path) -> None:
    async with Rig(tmp_path, workers=2, backoff_seconds_min=0.01) as rig:
        old = {worker.pid for worker in rig.engine.workers()}
        outcome = await rig.run("die", options={"value": "zygote"})
        assert outcome[2] == OutcomeCode.CRASHED
        await rig.workers_are(2)
        assert old.isdisjoint(worker.pid for worker in rig.engine.workers())
        assert (await rig.run("noop"))[2] == OutcomeCode.SUCCEEDED
        await rig.until(lambda: not any(alive(pid) for pid in old))


async def test_workers_that_die_at_birth_are_held_back(tmp_path: Path) -> None:
    module = tmp_path / "deadly.py"
    module.write_text(
        "import os\n"
        "from pathlib import Path\n"
        "from ingest_server.handlers import handler\n"
        "births = Path(__file__).with_name('births')\n"
        "def at_birth():\n"
        "    births.open('a').write('x')\n"
        "    if Path(__file__).with_name('deadly').exists(): os._exit(9)\n"
        "os.register_at_fork(after_in_child=at_birth)\n"
        "@handler('noop')\n"
        "def noop(context): pass\n"
    )
    async with Rig(tmp_path, modules=[str(module)], backoff_seconds_min=0.05, backoff_seconds_max=0.2) as rig:
        (tmp_path / "deadly").touch()
        row = rig.row("noop")
        os.kill(rig.engine.workers()[0].pid, signal.SIGKILL)
        await rig.until(lambda: rig.engine.crash_count() >= 5)
        rig.start(row)
        # Waits of 50, 100, 200, 200 ms lie between the births: without them there would be hundreds.
        assert len((tmp_path / "births").read_text()) <= 8
        (tmp_path / "deadly").unlink()
        assert await rig.codes(row) == [OutcomeCode.SUCCEEDED]
