"""How attempts share workers: frames, sending ahead, giving back, sync beside async."""

from __future__ import annotations

import os
from pathlib import Path

from ingest_server.engines.interface import OutcomeCode
from tests.acceptance.engine.rig import Rig, payload


async def warm(rig: Rig, handler: str, count: int = 200) -> None:
    """Let the engine learn that a handler takes microseconds."""
    for _ in range(count):
        await rig.run(handler)


async def test_capacity_grows_with_short_jobs_and_not_with_unknown_ones(tmp_path: Path) -> None:
    async with Rig(tmp_path, workers=2) as rig:
        assert rig.engine.capacity() == 2
        await warm(rig, "noop")
        assert rig.engine.capacity() > 20
        row, fifo = rig.fifo_row("wait")
        rig.start(row)
        await rig.running(row)
        assert rig.engine.capacity() == 1
        fifo.write_bytes(b"x")
        await rig.ended(row)


async def test_thousands_of_short_jobs_all_end_once(tmp_path: Path) -> None:
    async with Rig(tmp_path, workers=2) as rig:
        rows = [rig.row("noop", payload=b"i" + bytes(position % 2_000)) for position in range(20_000)]
        rig.start(*rows)
        assert set(await rig.codes(*rows)) == {OutcomeCode.SUCCEEDED}
        assert len(rig.order) == 20_000


async def test_inputs_larger_than_any_buffer(tmp_path: Path) -> None:
    async with Rig(tmp_path, inline_bytes_max=4 * 1_024 * 1_024) as rig:
        await warm(rig, "echo")
        contents = [os.urandom(3_000_000) for _ in range(8)]
        rows = [rig.row("echo", payload=b"i" + content) for content in contents]
        rig.start(*rows)
        assert [payload(outcome).data for outcome in await rig.ended(*rows)] == contents


async def test_short_jobs_do_not_wait_behind_a_long_one(tmp_path: Path) -> None:
    """All of one kind, so the engine cannot know which is long: it finds out and takes the others back."""
    async with Rig(tmp_path, workers=2) as rig:
        await warm(rig, "obey")
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        rows = [rig.row("obey", payload=b"iwait " + str(fifo).encode() if n == 7 else b"") for n in range(400)]
        rig.start(*rows)
        short = rows[:7] + rows[8:]
        assert set(await rig.codes(*short)) == {OutcomeCode.SUCCEEDED}
        assert (rows[7][0], 1) not in rig.outcomes
        fifo.write_bytes(b"x")
        assert await rig.codes(rows[7]) == [OutcomeCode.SUCCEEDED]


async def test_outcomes_do_not_wait_for_a_long_neighbour(tmp_path: Path) -> None:
    """One worker only: what ended before the long one is told while it runs."""
    async with Rig(tmp_path, workers=1) as rig:
        await warm(rig, "obey")
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        rows = [rig.row("obey", payload=b"iwait " + str(fifo).encode() if n == 10 else b"") for n in range(12)]
        rig.start(*rows)
        assert set(await rig.codes(*rows[:10])) == {OutcomeCode.SUCCEEDED}
        assert (rows[10][0], 1) not in rig.outcomes
        fifo.write_bytes(b"x")
        assert set(await rig.codes(*rows)) == {OutcomeCode.SUCCEEDED}


async def test_async_attempts_run_side_by_side_up_to_their_limit(tmp_path: Path) -> None:
    async with Rig(tmp_path, workers=1, async_concurrency=5) as rig:
        rows = [rig.row("await-forever") for _ in range(8)]
        rig.start(*rows)
        for row in rows[:5]:
            await rig.running(row)
        assert rig.engine.workers()[0].running_count == 5
        assert rig.engine.capacity() == 0
        rig.engine.cancel(rows[0][0], 1)
        await rig.running(rows[5])
        assert not {row[0] for row in rows[6:]} & set(rig.progress)
        for row in rows:
            rig.engine.cancel(row[0], 1)
        assert set(await rig.codes(*rows)) == {OutcomeCode.CANCELLED}


async def test_sync_and_async_share_one_worker(tmp_path: Path) -> None:
    async with Rig(tmp_path, workers=1) as rig:
        forever = [rig.row("await-forever") for _ in range(3)]
        rig.start(*forever)
        for row in forever:
            await rig.running(row)
        # Sync attempts run while async ones live, with a loop of their own if they like ...
        assert payload(await rig.run("asyncio-run")).data == b"ran"
        # ... and async ones make progress between sync ones.
        mixed = [rig.row("noop" if position % 2 else "await-noop") for position in range(200)]
        rig.start(*mixed)
        assert set(await rig.codes(*mixed)) == {OutcomeCode.SUCCEEDED}
        for row in forever:
            rig.engine.cancel(row[0], 1)
        assert await rig.codes(*forever) == [OutcomeCode.CANCELLED] * 3
        assert payload(await rig.run("asyncio-run")).data == b"ran"


async def test_async_attempts_know_their_own_job(tmp_path: Path) -> None:
    async with Rig(tmp_path, workers=1) as rig:
        rows = [rig.row("await-noop") for _ in range(100)]
        rig.start(*rows)
        ids = [payload(outcome).data.decode() for outcome in await rig.ended(*rows)]
        assert ids == [f"00000000-0000-0000-0000-{row[0]:012x}" for row in rows]


async def test_async_attempts_are_not_parked_behind_a_sync_one(tmp_path: Path) -> None:
    async with Rig(tmp_path, workers=2) as rig:
        row, fifo = rig.fifo_row("wait")
        rig.start(row)
        await rig.running(row)
        rows = [rig.row("await-noop") for _ in range(50)]
        rig.start(*rows)
        assert set(await rig.codes(*rows)) == {OutcomeCode.SUCCEEDED}
        fifo.write_bytes(b"x")
        await rig.ended(row)
