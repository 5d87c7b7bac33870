"""The keeper of the shim's process, with shims that die, hang or never get ready; and what the server itself loads of REST."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from ingest_server import rest_process
from ingest_server.domain.clock import SystemClock
from ingest_server.domain.errors import Unavailable
from ingest_server.rest_process import RestProcess, RestProcessLimits
from scripts.lib.generate_protos import ROOT

QUICK = RestProcessLimits(
    start_seconds=20.0, backoff_initial_seconds=0.01, backoff_max_seconds=0.02, stable_seconds=60.0, end_seconds=0.1
)
SOON = 20.0


def shim(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Path:
    """Put a script in the place of the shim's module. Answers the file in which it notes each of its starts."""
    starts = folder / "starts"
    (folder / "fake_shim.py").write_text(f"open({str(starts)!r}, 'a').write('x')\n{body}\n")
    monkeypatch.setattr(rest_process, "SHIM_MODULE", "fake_shim")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return starts


def keeper(limits: RestProcessLimits = QUICK) -> RestProcess:
    return RestProcess("127.0.0.1:0", {}, tls=False, drain_seconds=0.1, clock=SystemClock(), limits=limits)


def test_waits_grow_to_their_bound() -> None:
    limits = RestProcessLimits(backoff_initial_seconds=0.2, backoff_max_seconds=30.0)
    assert [limits.backoff_seconds(failures) for failures in (1, 2, 3, 8, 9, 10_000)] == [0.2, 0.4, 0.8, 25.6, 30.0, 30.0]


@pytest.mark.slow
@pytest.mark.parametrize("body", ["raise SystemExit(3)", "print('something else', flush=True)"])
async def test_a_shim_that_does_not_get_ready_at_first_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    starts = shim(tmp_path, monkeypatch, body)
    kept = keeper()
    kept.start()
    with pytest.raises(Unavailable, match="ended with status"):
        await asyncio.wait_for(kept.until_ready(), SOON)
    await kept.stop()
    assert starts.read_text() == "x", "it is not tried again before the server serves"


@pytest.mark.slow
async def test_a_shim_that_hangs_at_its_start_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim(tmp_path, monkeypatch, "import time; time.sleep(100)")
    kept = keeper(RestProcessLimits(start_seconds=0.5))
    kept.start()
    with pytest.raises(Unavailable, match=r"not ready after 0\.5 s"):
        await asyncio.wait_for(kept.until_ready(), SOON)
    await kept.stop()


@pytest.mark.slow
async def test_a_shim_that_keeps_dying_is_started_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = shim(tmp_path, monkeypatch, "print('ready', flush=True)")
    kept = keeper()
    kept.start()
    await asyncio.wait_for(kept.until_ready(), SOON)
    async with asyncio.timeout(SOON):
        while len(await asyncio.to_thread(starts.read_text)) < 4:
            pass
    await asyncio.wait_for(kept.stop(), SOON)
    number = len(starts.read_text())
    await asyncio.sleep(0.1)
    assert len(starts.read_text()) == number
    assert kept.url == ""


@pytest.mark.slow
async def test_a_shim_that_does_not_end_when_asked_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim(tmp_path, monkeypatch, "print('ready', flush=True)\nimport time; time.sleep(100)")
    kept = keeper()
    kept.start()
    await asyncio.wait_for(kept.until_ready(), SOON)
    await asyncio.wait_for(kept.stop(), SOON)
    await asyncio.wait_for(kept.stop(), SOON)


def test_the_server_loads_nothing_of_the_shim() -> None:
    names = ("ingest_server.rest.", "uvicorn", "httptools")
    script = f"import ingest_server.app, sys; print([n for n in sys.modules if n.startswith({names})])"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60)
    assert ran.stdout.strip() == "[]"
