"""The benchmark of office documents reads what it makes, and prints its rates."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from scripts.lib.generate_protos import ROOT


@pytest.mark.slow
def test_each_format_and_size_has_its_line() -> None:
    command = [sys.executable, "-m", "scripts.bench.office_documents", "--pages", "12", "--rounds", "1"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    found = re.findall(
        r"^(DOCX|PPTX) of (\d+) pages, \d+ KB: ([\d,]+) documents/s, ([\d,]+) pages/s$", ended.stdout, re.MULTILINE
    )
    assert [(name, pages) for name, pages, _, _ in found] == [("DOCX", "5"), ("DOCX", "12"), ("PPTX", "5"), ("PPTX", "12")]
    assert all(int(rate.replace(",", "")) > 0 for _, _, *rates in found for rate in rates)
