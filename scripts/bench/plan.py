"""What all benchmarks of one run are told: how many rounds, how large, and where data goes."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Plan:
    """How to measure.

    Attributes:
        data_dir: a folder of this run alone, on the disk to measure.
        rounds: of each figure.
        quick: sizes small enough to see that everything works; the figures mean little.
        pdf_folders: where to look for PDFs.
    """

    data_dir: Path
    rounds: int
    quick: bool
    pdf_folders: tuple[Path, ...] = ()
    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)

    def size(self, full: int, quick: int) -> int:
        """One of two sizes."""
        return quick if self.quick else full

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A fresh folder below `data_dir`, removed afterwards."""
        path = self.data_dir / str(next(self._numbers))
        path.mkdir(parents=True)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
