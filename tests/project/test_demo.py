"""The demonstration shows what it promises, ends with the truth, and leaves nothing behind, even after Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.lib.generate_protos import ROOT

DEMO = [sys.executable, "-m", "scripts.lib.demo"]
DEMO_SECONDS_MAX = 60.0


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A temporary folder of its own, and a caller whose own settings would break the demo if it took them."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "protos")]),
        "TMPDIR": str(tmp_path),
        "INGEST_SERVER": "127.0.0.1:1",
        "INGEST_WORKERS": "none",
    }


@pytest.mark.slow
def test_shows_results_a_failure_and_a_crash_survived(environment: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        DEMO,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEMO_SECONDS_MAX,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "results/report.pdf.txt" in done.stdout
    assert "2.1 Section of the engine" in done.stdout
    assert "DOCUMENT_ENCRYPTED: The PDF is encrypted and needs a password." in done.stderr
    assert "What is written here was sealed." in done.stdout
    assert "1400 of 1400 jobs succeeded" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr  # plain lines in a pipe
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_leaves_nothing_behind(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals, status: int
) -> None:
    with subprocess.Popen(
        DEMO, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "$ ingest submit archive" in line:
                break
        demo.send_signal(number)
        _, errors = demo.communicate(timeout=DEMO_SECONDS_MAX)
    assert demo.returncode == status
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_cannot_start_fails_the_demo_with_its_log(environment: dict[str, str], tmp_path: Path) -> None:
    program = "from scripts.lib import demo; import sys; demo.WORKERS = 0; sys.exit(demo.main())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEMO_SECONDS_MAX,
    )
    assert done.returncode == 1
    assert "workers = 0 must be at least 1" in done.stderr
    assert list(tmp_path.iterdir()) == []
