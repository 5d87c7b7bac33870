"""The clock of the tests: order, exactness, cancel, jump."""

from __future__ import annotations

import asyncio
import math

from tests.fakes.clock import START_US, FakeClock


async def test_nobody_wakes_before_the_time() -> None:
    clock = FakeClock()
    sleeper = asyncio.create_task(clock.sleep(2.0))
    await clock.advance(1.999_999)
    assert not sleeper.done()
    await clock.advance(0.000_001)
    assert sleeper.done()
    assert clock.monotonic() == 2.0
    assert clock.now_us() == START_US + 2_000_000


async def test_sleepers_wake_in_the_order_of_time_then_of_arrival() -> None:
    clock = FakeClock()
    woken: list[tuple[str, float]] = []

    async def sleep(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("late", 3.0), ("first", 1.0), ("second", 1.0)):
            group.create_task(sleep(name, seconds))
        await clock.advance(10.0)
    assert woken == [("first", 1.0), ("second", 1.0), ("late", 3.0)]


async def test_one_who_sleeps_again_wakes_within_the_same_advance() -> None:
    clock = FakeClock()
    times = []

    async def tick() -> None:
        for _ in range(3):
            await clock.sleep(1.0)
            times.append(clock.monotonic())

    task = asyncio.create_task(tick())
    await clock.advance(3.0)
    await task
    assert times == [1.0, 2.0, 3.0]


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = FakeClock()
    task = asyncio.create_task(clock.sleep(1.0))
    await clock.wait_for_sleepers()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert clock.sleeping == 0
    await clock.advance(2.0)
    assert clock.monotonic() == 2.0


async def test_wait_for_sleepers_returns_when_the_last_has_arrived() -> None:
    clock = FakeClock()
    waiter = asyncio.create_task(clock.wait_for_sleepers(2))
    first = asyncio.create_task(clock.sleep(1.0))
    await clock.settle()
    assert not waiter.done()
    second = asyncio.create_task(clock.sleep(1.0))
    await waiter
    await clock.advance(1.0)
    await asyncio.gather(first, second)


async def test_autojump_runs_hours_without_waiting() -> None:
    clock = FakeClock(autojump=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(clock.sleep(3_600.0))
        group.create_task(clock.sleep(7_200.0))
    assert clock.monotonic() == 7_200.0


async def test_autojump_never_ends_an_infinite_sleep() -> None:
    clock = FakeClock(autojump=True)
    task = asyncio.create_task(clock.sleep(math.inf))
    await clock.sleep(1.0)
    await clock.settle()
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_step_of_the_wall_clock_wakes_nobody() -> None:
    clock = FakeClock()
    task = asyncio.create_task(clock.sleep(10.0))
    await clock.wait_for_sleepers()
    clock.step_wall(-3_600.0)
    await clock.settle()
    assert clock.now_us() == START_US - 3_600 * 1_000_000
    assert clock.monotonic() == 0.0
    assert not task.done()
    assert await clock.advance_to_next() == 10.0
    await task


async def test_no_time_is_one_turn_of_the_loop() -> None:
    clock = FakeClock()
    await clock.sleep(0.0)
    await clock.sleep(-1.0)
    assert clock.monotonic() == 0.0
    assert clock.sleeping == 0
