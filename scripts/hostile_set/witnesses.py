"""Ordinary documents whose results are known, sent between the hostile ones: none may fail, or come out otherwise."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ingest_client import Client, JobSpec

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("report.pdf", "article.html", "notes.md", "columns_by_row.pdf", "rotated.pdf")
"""Of what scripts/sample_documents makes."""
MAKE_SECONDS_MAX = 120


@dataclass(frozen=True, slots=True)
class Witness:
    """A document, and its result on a server that did nothing else."""

    path: Path
    expected: bytes

    def spec(self) -> JobSpec:
        """A job of it."""
        return JobSpec(self.path)


def make_documents(folder: Path) -> list[Path]:
    """Write them into a folder.

    Raises:
        subprocess.SubprocessError: that failed.
    """
    command = [sys.executable, str(ROOT / "scripts/sample_documents"), str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=MAKE_SECONDS_MAX)
    return [folder / name for name in NAMES]


async def sworn_in(client: Client, folder: Path) -> list[Witness]:
    """Run each document once, alone.

    Raises:
        JobFailed: one cannot be read even so.
    """
    return [Witness(path, await (await client.run(JobSpec(path))).read()) for path in make_documents(folder)]
