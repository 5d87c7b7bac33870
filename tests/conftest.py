"""For every test: fail it if it leaves asyncio tasks, child processes or open files behind."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

TASK_TURNS_MAX = 20
"""Turns of the loop for tasks that were cancelled and only have to notice."""


def open_files() -> dict[int, str]:
    """File descriptors of this process and what they point at; empty where /proc is not."""
    found = {}
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return {}
    for number in numbers:
        try:
            found[number] = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue  # the descriptor of the listing itself
    return found


def child_processes() -> dict[int, str]:
    """Children of this process, zombies included, and their command lines; empty where /proc does not tell."""
    found = {}
    for children in Path("/proc/self/task").glob("*/children"):
        try:
            numbers = [int(word) for word in children.read_text().split()]
        except OSError:
            continue  # the thread has ended
        for pid in numbers:
            found[pid] = _command_line(pid)
    return found


def _command_line(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return "gone"
    return words or "a zombie nobody waited for"


def _new_files(before: dict[int, str]) -> list[str]:
    return [f"{number} → {target}" for number, target in open_files().items() if before.get(number) != target]


@pytest.fixture(autouse=True)
def _no_process_or_file_left() -> Iterator[None]:
    """Set up before, and torn down after, all other fixtures of the test."""
    files, children = open_files(), child_processes()
    yield
    left_children = [f"{pid}: {words}" for pid, words in child_processes().items() if pid not in children]
    left_files = _new_files(files)
    if left_files:
        # What only a reference cycle holds is closed now; warnings about unclosed files still fail the test.
        gc.collect()
        left_files = _new_files(files)
    assert not left_children, "the test left child processes behind: " + "; ".join(left_children)
    assert not left_files, "the test left files open: " + "; ".join(left_files)


@pytest.fixture(autouse=True)
def _no_task_left(request: pytest.FixtureRequest, _no_process_or_file_left: None) -> None:
    """Watch the tasks of async tests. Sync tests have no loop, and must not be given one."""
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("_tasks_watched")


@pytest.fixture
async def _tasks_watched() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    for _ in range(TASK_TURNS_MAX):
        left = [task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()]
        if not left:
            return
        await asyncio.sleep(0)
    raise AssertionError("the test left tasks behind: " + "; ".join(repr(task) for task in left))
