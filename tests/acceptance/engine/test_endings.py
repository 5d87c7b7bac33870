"""Cancels, timeouts, deadlines and limits: each ends the attempt meant, and no other."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from ingest_server.engines.interface import AttemptRow, OutcomeCode
from tests.acceptance.engine.rig import Rig, failure, payload, value

MIB = 1_024 * 1_024


async def cancel_running(rig: Rig, row: AttemptRow) -> OutcomeCode:
    rig.start(row)
    await rig.running(row)
    rig.engine.cancel(row[0], row[1])
    rig.engine.cancel(row[0], row[1])  # again: no effect
    return (await rig.codes(row))[0]


@pytest.mark.parametrize("handler", ["polite", "deaf", "spin", "await-forever", "await"])
async def test_cancel_without_force(tmp_path: Path, handler: str) -> None:
    async with Rig(tmp_path) as rig:
        row = rig.fifo_row("await")[0] if handler == "await" else rig.row(handler)
        pid = rig.engine.workers()[0].pid
        assert await cancel_running(rig, row) == OutcomeCode.CANCELLED
        if handler == "await":  # its thread waits for the FIFO still; the worker is whole
            (tmp_path / "fifo-1").write_bytes(b"x")
        assert value(await rig.run("describe"))["pid"] == pid
        assert rig.outcomes[(row[0], 1)][8] > 0


@pytest.mark.parametrize("handler", ["stubborn", "native", "spin-stubborn-told", "await-stubborn"])
async def test_cancel_by_force(tmp_path: Path, handler: str) -> None:
    async with Rig(tmp_path) as rig:
        pid = rig.engine.workers()[0].pid
        assert await cancel_running(rig, rig.row(handler)) == OutcomeCode.CANCELLED
        assert value(await rig.run("describe"))["pid"] != pid
        assert rig.engine.crash_count() == 0, "a worker killed on purpose has not died unasked"


async def test_an_attempt_that_sees_the_flag_may_finish(tmp_path: Path) -> None:
    async with Rig(tmp_path, cancel_grace_seconds=20) as rig:
        row = rig.row("ends-by-itself")
        assert await cancel_running(rig, row) == OutcomeCode.SUCCEEDED
        assert payload(rig.outcomes[(row[0], 1)]).data == b"finished"


async def test_cancel_of_an_attempt_that_waits_inside(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        first, fifo = rig.fifo_row("wait")
        waiting = [rig.row("noop") for _ in range(3)]
        rig.start(first, *waiting)
        await rig.running(first)
        rig.engine.cancel(waiting[1][0], 1)
        rig.engine.cancel(waiting[1][0], 2)  # another lease: unknown
        rig.engine.cancel(12_345, 1)
        outcome = (await rig.ended(waiting[1]))[0]
        assert (outcome[2], outcome[8]) == (OutcomeCode.CANCELLED, 0)
        fifo.write_bytes(b"x")
        assert await rig.codes(first, waiting[0], waiting[2]) == [OutcomeCode.SUCCEEDED] * 3


async def test_cancel_of_an_attempt_behind_another_in_its_frame(tmp_path: Path) -> None:
    async with Rig(tmp_path, stall_us=3_600_000_000) as rig:
        for _ in range(100):
            await rig.run("obey")
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        rows = [rig.row("obey", payload=b"iwait " + str(fifo).encode()), *(rig.row("obey") for _ in range(5))]
        rig.start(*rows)
        await rig.running(rows[0])
        assert rig.engine.workers()[0].running_count == 6, "they do not travel in one frame"
        rig.engine.cancel(rows[3][0], 1)
        # It comes back while the one before it still runs, and so do the others, which go to whoever is free.
        outcome = (await rig.ended(rows[3]))[0]
        assert (outcome[2], outcome[8]) == (OutcomeCode.CANCELLED, 0)
        fifo.write_bytes(b"x")
        assert await rig.codes(*rows[:3], *rows[4:]) == [OutcomeCode.SUCCEEDED] * 5


async def test_force_ends_only_the_one_meant(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        neighbours = [rig.row("await-forever") for _ in range(3)]
        culprit = rig.row("await-stubborn")
        rig.start(*neighbours, culprit)
        for row in (*neighbours, culprit):
            await rig.running(row)
        rig.engine.cancel(culprit[0], 1)
        assert await rig.codes(culprit, *neighbours) == [OutcomeCode.CANCELLED] + [OutcomeCode.LOST] * 3


async def test_interrupts_never_hit_another_attempt(tmp_path: Path) -> None:
    async with Rig(tmp_path, cancel_grace_seconds=0.0001) as rig:
        for _ in range(100):
            await rig.run("noop")
        rows = [rig.row("noop") for _ in range(20_000)]
        rig.start(*rows)
        cancelled = set()
        for row in rows[::7]:
            rig.engine.cancel(row[0], 1)
            cancelled.add(row[0])
            if len(cancelled) % 20 == 0:
                await asyncio.sleep(0)
        outcomes = await rig.ended(*rows)
        for outcome in outcomes:
            assert outcome[2] == OutcomeCode.SUCCEEDED or (outcome[0] in cancelled and outcome[2] == OutcomeCode.CANCELLED), (
                outcome
            )


@pytest.mark.parametrize("handler", ["polite", "deaf", "stubborn", "await-forever", "await-stubborn", "ends-by-itself"])
async def test_an_attempt_past_its_timeout_is_timed_out(tmp_path: Path, handler: str) -> None:
    async with Rig(tmp_path) as rig:
        outcome = await rig.run(handler, timeout_us=50_000)
        told = failure(outcome)
        assert (outcome[2], outcome[3]) == (OutcomeCode.TIMED_OUT, b"")
        assert (told.reason, told.retryable) == ("ATTEMPT_TIMEOUT", True)
        assert "0.05 s" in told.message
        assert outcome[9] - outcome[8] >= 50_000
        assert (await rig.run("noop"))[2] == OutcomeCode.SUCCEEDED
        assert rig.engine.crash_count() == 0


async def test_the_timeout_counts_from_the_entry_not_from_the_start(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        first, fifo = rig.fifo_row("wait")
        second = rig.row("noop", timeout_us=1_000)
        rig.start(first, second)
        await rig.running(first)
        # Longer than its timeout: the engine is busy with other things a hundred times over.
        until = time.monotonic() + 0.01
        for _ in iter(lambda: time.monotonic() < until, False):
            await asyncio.sleep(0)
        fifo.write_bytes(b"x")
        assert await rig.codes(first, second) == [OutcomeCode.SUCCEEDED] * 2


async def test_a_job_past_its_deadline_expires(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        past = rig.row("noop", deadline_us=1)
        running = rig.row("deaf", deadline_us=time.time_ns() // 1_000 + 50_000)
        rig.start(past, running)
        outcomes = await rig.ended(past, running)
        assert [outcome[2] for outcome in outcomes] == [OutcomeCode.EXPIRED] * 2
        assert [failure(outcome).reason for outcome in outcomes] == ["TOTAL_TIMEOUT"] * 2
        assert not failure(outcomes[0]).retryable
        assert (outcomes[0][8], outcomes[1][8] > 0) == (0, True)


async def test_memory_limit_by_the_worker_itself(tmp_path: Path) -> None:
    async with Rig(tmp_path, attempt_memory_bytes_max=64 * MIB) as rig:
        pid = rig.engine.workers()[0].pid
        for _ in range(2):
            told = failure(await rig.run("eat", options={"value": 100 * MIB}))
            assert (told.reason, told.metadata) == ("MEMORY_LIMIT", {"limit_bytes": str(64 * MIB)})
            assert value(await rig.run("eat", options={"value": 32 * MIB})) == 32 * MIB
        assert value(await rig.run("describe"))["pid"] == pid


async def test_memory_limit_by_the_server(tmp_path: Path) -> None:
    async with Rig(tmp_path, attempt_memory_bytes_max=32 * MIB, sample_interval_seconds=0.01) as rig:
        outcome = await rig.run("eat-shared", options={"value": 100 * MIB})
        assert (outcome[2], failure(outcome).reason) == (OutcomeCode.FAILED, "MEMORY_LIMIT")
        assert (await rig.run("noop"))[2] == OutcomeCode.SUCCEEDED


async def test_no_limit_is_no_limit(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        assert value(await rig.run("eat", options={"value": 300 * MIB})) == 300 * MIB


@pytest.mark.slow
@pytest.mark.parametrize("handler", ["spin", "spin-stubborn"])
async def test_cpu_limit(tmp_path: Path, handler: str) -> None:
    async with Rig(tmp_path, attempt_cpu_seconds_max=1) as rig:
        outcome = await rig.run(handler)
        told = failure(outcome)
        assert (outcome[2], told.reason, told.metadata) == (OutcomeCode.FAILED, "CPU_LIMIT", {"limit_seconds": "1"})
        assert (await rig.run("noop"))[2] == OutcomeCode.SUCCEEDED
