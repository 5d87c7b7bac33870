"""The leak checks of conftest.py find what they are there to find. Each case runs in a pytest of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.lib.generate_protos import ROOT

CLEAN = """
import asyncio, subprocess, sys
async def test_it():
    task = asyncio.create_task(asyncio.sleep(3600))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    subprocess.run([sys.executable, "-c", ""], check=True)
    with open(__file__):
        pass
def test_sync():
    pass
"""
TASK = """
import asyncio
async def test_it():
    globals()["task"] = asyncio.create_task(asyncio.sleep(3600), name="forgotten")
"""
CHILD = """
import subprocess, sys
def test_it():
    globals()["child"] = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
"""
ZOMBIE = """
import os
def test_it():
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
"""
FILE = """
import os
def test_it():
    globals()["file"] = os.open(__file__, os.O_RDONLY)
"""


def run(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_case.py").write_text(source)
    (folder / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    arguments = ["-o", "asyncio_mode=auto", "-p", "no:cacheprovider", "-q", f"--rootdir={folder}", str(folder)]
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], capture_output=True, text=True, cwd=folder, check=False)


@pytest.mark.slow
def test_a_clean_test_passes(tmp_path: Path) -> None:
    done = run(tmp_path, CLEAN)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="processes and files are seen through /proc")
@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        (TASK, "left tasks behind: <Task pending name='forgotten'"),
        (CHILD, "left child processes behind"),
        (ZOMBIE, "a zombie nobody waited for"),
        (FILE, "left files open"),
    ],
    ids=["task", "child process", "zombie", "file"],
)
def test_a_leak_fails_the_test(tmp_path: Path, source: str, wanted: str) -> None:
    done = run(tmp_path, source)
    assert done.returncode == 1, done.stdout
    assert wanted in done.stdout
