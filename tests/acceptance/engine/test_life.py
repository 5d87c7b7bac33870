"""Start, change of size, replacement and end of the engine."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ingest_server.domain.errors import InvalidRequest
from ingest_server.engines.interface import OutcomeCode
from ingest_server.engines.local import LocalEngine, allocator
from ingest_server.engines.local.processes import process_table
from tests.acceptance.engine.rig import ECHO, Rig, value


def descendants(pid: int) -> set[int]:
    """All processes below one."""
    parents: dict[int, list[int]] = {}
    for child, parent, _ in process_table():
        parents.setdefault(parent, []).append(child)
    found: set[int] = set()
    line = [pid]
    while line:
        for child in parents.get(line.pop(), []):
            found.add(child)
            line.append(child)
    return found


def shared_bytes(pids: list[int]) -> float:
    """Proportional memory of processes, in bytes."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1_024
    return total


async def test_it_tells_its_handlers_and_workers(tmp_path: Path) -> None:
    async with Rig(tmp_path, workers=3) as rig:
        handlers = {handler.name: handler for handler in rig.engine.handlers()}
        assert list(handlers) == sorted(handlers)
        assert handlers["size"].description == "Return so many bytes."
        assert '"value"' in handlers["size"].options_schema
        assert handlers["echo"].options_schema == '{"type":"object","properties":{},"additionalProperties":false}'
        assert [worker.name for worker in rig.engine.workers()] == ["local/1", "local/2", "local/3"]
        assert len({worker.pid for worker in rig.engine.workers()}) == 3
        assert rig.engine.capacity() == 3
        assert rig.engine.crash_count() == 0


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "no_such_module"),
        ("import nothing_like_it", "nothing_like_it"),
        ("1 / 0", "ZeroDivisionError"),
        ("import sys; sys.exit(4)", "SystemExit"),
        ("x = 1", "no handler"),
        ("import os; os._exit(3)", "ended while it did"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended while it did"),
        (
            "from ingest_server.handlers import handler\n@handler('a', preload=lambda: 1 / 0)\ndef a(context): pass\n",
            "preload of handler 'a'",
        ),
        (
            "from ingest_server.handlers import handler\n@handler('echo')\ndef a(context): pass\n",
            "two handlers are named 'echo'",
        ),
    ],
)
async def test_modules_that_cannot_be_loaded(
    tmp_path: Path, source: str | None, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    module = "no_such_module"
    if source is not None:
        path = tmp_path / "module_under_test.py"
        path.write_text(source)
        module = str(path)
    before = descendants(os.getpid())
    rig = Rig(tmp_path, modules=[module])
    with pytest.raises(InvalidRequest) as raised:
        await rig.__aenter__()
    await rig.engine.close(grace_seconds=0)  # no effect, and no hang
    assert words in raised.value.message
    assert "started again" not in caplog.text
    assert descendants(os.getpid()) == before
    assert list(tmp_path.glob("ingest-engine-*")) == []  # noqa: ASYNC240


async def test_handlers_that_take_too_long_to_load(tmp_path: Path) -> None:
    module = tmp_path / "endless.py"
    module.write_text("import signal\nsignal.pause()\n")
    with pytest.raises(InvalidRequest, match=r"start_timeout_seconds"):
        async with Rig(tmp_path, modules=[str(module)], start_timeout_seconds=1, exit_timeout_seconds=0.1):
            pass


async def test_an_impossible_number_of_workers(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="number of workers is 0"):
        LocalEngine(0, tmp_path)
    async with Rig(tmp_path, workers_max=2) as rig:
        with pytest.raises(InvalidRequest, match=r"is 3, must be 1 … 2"):
            await rig.engine.resize(3)


async def test_what_is_preloaded_is_shared(tmp_path: Path) -> None:
    async with Rig(tmp_path, workers=4) as rig:
        rows = [rig.row("shared") for _ in range(16)]
        rig.start(*rows)
        seen = [value(outcome) for outcome in await rig.ended(*rows)]
        assert {each["sum"] for each in seen} == {8 * 1_024 * 1_024}
        pids = sorted(descendants(os.getpid()))
        assert len(pids) == 5
        assert {each["pid"] for each in seen} <= set(pids)
        # 64 MiB once, and less than 20 MiB for each process itself: four copies would be 256.
        assert shared_bytes(pids) < (64 + 5 * 20) * 1_024 * 1_024


async def test_more_and_fewer_workers_while_running(tmp_path: Path) -> None:
    async with Rig(tmp_path, workers=1) as rig:
        row, fifo = rig.fifo_row("wait")
        rig.start(row)
        await rig.running(row)
        await rig.engine.resize(4)
        assert len(rig.engine.workers()) == 4
        assert rig.engine.capacity() >= 3
        await rig.engine.resize(1)
        # The idle ones end; the one that runs stays.
        await rig.workers_are(1)
        assert rig.engine.workers()[0].running_count == 1
        others = [rig.fifo_row("wait") for _ in range(2)]
        await rig.engine.resize(3)
        rig.start(*(other for other, _ in others))
        for other, _ in others:
            await rig.running(other)
        await rig.engine.resize(1)
        assert len(rig.engine.workers()) == 3, "a running attempt was ended"
        for path in (fifo, *(path for _, path in others)):
            path.write_bytes(b"x")
        assert await rig.codes(row, *(other for other, _ in others)) == [OutcomeCode.SUCCEEDED] * 3
        await rig.workers_are(1)
        assert (await rig.run("noop"))[2] == OutcomeCode.SUCCEEDED
        assert rig.engine.crash_count() == 0


async def test_a_worker_is_replaced_after_so_many_jobs(tmp_path: Path) -> None:
    async with Rig(tmp_path, workers=1, max_jobs_per_worker=10) as rig:
        rows = [rig.row("describe") for _ in range(35)]
        rig.start(*rows)
        pids = [value(outcome)["pid"] for outcome in await rig.ended(*rows)]
        assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [10, 10, 10, 5]
        assert rig.engine.crash_count() == 0


async def test_close_lets_running_attempts_end_and_gives_the_others_back(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        row, fifo = rig.fifo_row("wait")
        waiting = [rig.row("noop") for _ in range(3)]
        rig.start(row, *waiting)
        await rig.running(row)
        closing = asyncio.ensure_future(rig.engine.close(grace_seconds=60))
        assert set(await rig.codes(*waiting)) == {OutcomeCode.LOST}
        late = rig.row("noop")
        rig.start(late)
        assert await rig.codes(late) == [OutcomeCode.LOST]
        assert rig.engine.capacity() == 0
        fifo.write_bytes(b"x")
        await closing
        assert await rig.codes(row) == [OutcomeCode.SUCCEEDED]
        assert descendants(os.getpid()) == set()


async def test_close_without_patience(tmp_path: Path) -> None:
    async with Rig(tmp_path, workers=2) as rig:
        rows = [rig.row("deaf"), rig.row("await-forever")]
        rig.start(*rows)
        for row in rows:
            await rig.running(row)
        closing = asyncio.ensure_future(rig.engine.close(grace_seconds=3_600))
        await asyncio.sleep(0)
        await rig.engine.close(grace_seconds=0)  # hurries the first
        await closing
        assert await rig.codes(*rows) == [OutcomeCode.LOST] * 2
        assert descendants(os.getpid()) == set()


async def test_workers_and_zygote_die_with_the_server(tmp_path: Path) -> None:
    program = (
        "import asyncio, os, signal, sys\n"
        "from pathlib import Path\n"
        "from ingest_server.engines.interface import EngineListener\n"
        "from ingest_server.engines.local import LocalEngine\n"
        "async def main():\n"
        f"    engine = LocalEngine(2, Path(sys.argv[1]), builtin_modules=({ECHO!r},), use_entry_points=False,\n"
        "                         scratch_directory=Path(sys.argv[1]))\n"
        "    await engine.open(EngineListener(print, print, lambda: None))\n"
        "    print(*(worker.pid for worker in engine.workers()), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=30,
        check=False,
    )
    pids = {int(word) for word in done.stdout.split()}
    assert len(pids) == 2, done.stderr.decode()
    rig = Rig(tmp_path)
    await rig.until(lambda: pids.isdisjoint(pid for pid, _, _ in process_table()))


async def test_two_engines_in_one_process(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with Rig(tmp_path / "a") as first, Rig(tmp_path / "b") as second:
        rows = first.row("noop"), second.row("noop")
        first.start(rows[0])
        second.start(rows[1])
        assert await first.codes(rows[0]) + await second.codes(rows[1]) == [OutcomeCode.SUCCEEDED] * 2


async def test_under_uvloop(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "import uvloop\n"
        "from tests.acceptance.engine.rig import Rig\n"
        "async def main():\n"
        "    async with Rig(Path(sys.argv[1]), workers=2) as rig:\n"
        "        rows = [rig.row('noop') for _ in range(5_000)]\n"
        "        rig.start(*rows)\n"
        "        print({int(code) for code in await rig.codes(*rows)})\n"
        "        print((await rig.run('die', options={'value': 'kill'}))[2])\n"
        "        print((await rig.run('deaf', timeout_us=10_000))[2])\n"
        "uvloop.run(main())\n"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-W", "error", "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path])},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split(b"\n")[:3] == [b"{0}", b"4", b"2"], done.stderr.decode()


@pytest.mark.skipif(not allocator.library(), reason="mimalloc is not installed: pip install ingest[allocator]")
async def test_workers_run_on_the_installed_allocator_and_do_not_pass_it_on(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        told = value(await rig.run("describe"))
        maps = await asyncio.to_thread(Path(f"/proc/{told['pid']}/maps").read_text, encoding="utf-8")
        assert allocator.library().rpartition("/")[2] in maps
        assert told["preload"] == ""
