"""The folder for temporary files of the workers: a fresh one for each server, in the data folder."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path


def make_scratch(folder: Path) -> Path:
    """A fresh folder for temporary files of the workers, in the data folder: on the disk that was chosen for large files."""
    folder.mkdir(exist_ok=True)
    return Path(tempfile.mkdtemp(dir=folder))


def remove_other_scratch(scratch: Path) -> None:
    """Remove what servers before left behind because they were killed. Only for the owner of the data folder."""
    for other in scratch.parent.iterdir():
        if other != scratch:
            shutil.rmtree(other, ignore_errors=True)
