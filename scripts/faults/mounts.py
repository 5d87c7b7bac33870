"""Small file systems and networks of a scenario's own; they need root, and are gone when the scenario ends."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def root_is_missing() -> str:
    """Why mounts and networks cannot be made here; "" if they can."""
    if os.geteuid() != 0:
        return "needs root, to mount and to make a network"
    return ""


def run(*command: str) -> None:
    """Run a command of the system.

    Raises:
        OSError: it failed; with what it said.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")


@contextmanager
def small_disk(at: Path, bytes_max: int) -> Iterator[Path]:
    """A tmpfs of that size, mounted at a folder that is made for it. Raises OSError where that is not permitted."""
    at.mkdir(parents=True)
    run("mount", "-t", "tmpfs", "-o", f"size={bytes_max}", "ingest-chaos", str(at))
    try:
        yield at
    finally:
        run("umount", "--lazy", str(at))
