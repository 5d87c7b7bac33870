"""Lint of the protos, and proof that they break no client: buf, run on a folder that needs no network.

The contract that must not be broken is `protos/baseline.binpb`, a compiled image. It is committed, so a check needs no git and no
tags, and a change that breaks clients shows in a review as a changed baseline. `scripts/gen_protos --accept` renews it: at every
release, and before the first release whenever the contract is changed on purpose.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BASELINE = "baseline.binpb"


def buf_program() -> str:
    """Path of buf: beside this Python, else on PATH. Raises FileNotFoundError with what to install."""
    beside = Path(sys.executable).parent / "buf"
    found = str(beside) if beside.exists() else shutil.which("buf")
    if found is None:
        raise FileNotFoundError("buf is not installed: pip install buf-bin")
    return found


@contextmanager
def workspace(protos: Path, google: Path) -> Iterator[Path]:
    """A folder in which buf finds our protos, their rules, and the google protos they import."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        only_protos = shutil.ignore_patterns("*.py", "*.pyi", "__pycache__")
        shutil.copytree(protos / "ingest", folder / "ingest", ignore=only_protos)
        for part in ("api", "rpc"):
            shutil.copytree(google / "google" / part, folder / "google" / part, ignore=only_protos)
        shutil.copyfile(protos / "buf.yaml", folder / "buf.yaml")
        yield folder


def _run(folder: Path, *arguments: str) -> list[str]:
    """Run buf; give what it said if it failed, else nothing."""
    done = subprocess.run([buf_program(), *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode == 0:
        return []
    return (done.stdout + done.stderr).splitlines() or [f"buf {arguments[0]} ended with {done.returncode} and said nothing"]


def lint(protos: Path, google: Path) -> list[str]:
    """Tell what breaks the lint rules, a line each."""
    with workspace(protos, google) as folder:
        return _run(folder, "lint")


def breaking(protos: Path, google: Path) -> list[str]:
    """Tell what breaks clients of the baseline, a line each."""
    with workspace(protos, google) as folder:
        return _run(folder, "breaking", "--path", "ingest", "--against", str(protos.resolve() / BASELINE))


def accept(protos: Path, google: Path) -> None:
    """Write the baseline anew. Raises RuntimeError with what buf said if the protos do not compile."""
    with workspace(protos, google) as folder:
        faults = _run(folder, "build", "--path", "ingest", "--exclude-source-info", "-o", str(protos.resolve() / BASELINE))
    if faults:
        raise RuntimeError("\n".join(faults))
