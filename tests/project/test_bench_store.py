"""The benchmark of stored documents writes to every target, and prints its rates."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from scripts.lib.generate_protos import ROOT


@pytest.mark.slow
def test_each_target_and_search_has_its_line() -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    command = [sys.executable, "-m", "scripts.bench.stored_documents", "--documents", "10"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert re.findall(r"^x\.(\w+) +[\d,]+ documents/s", ended.stdout, re.MULTILINE) == ["sqlite", "jsonl", "json", "parquet"]
    assert re.findall(r"^search by ([a-z ]+) in 200 chunks: \d+\.\d ms$", ended.stdout, re.MULTILINE) == [
        "words",
        "words and vector",
    ]
