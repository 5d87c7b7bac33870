"""Which files a round sends: samples as they are, their mutants, and bombs; all of them, a short round, or those of a name."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scripts.hostile_set.bombs import BOMBS
from scripts.hostile_set.hostile_file import HostileFile
from scripts.hostile_set.material import DISTRIBUTIONS, NotDownloaded, Sample, archive_of, samples_of
from scripts.hostile_set.mutants import mutants_of

SHORT_SAMPLE_BYTES_MAX = 96 * 1024
"""In a short round larger samples are left out: they take longer than they show."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What to send.

    Attributes:
        material: folder of the downloaded distributions.
        mutants: of each sample.
        seed: of the mutants.
        every: of the samples of each distribution only each so-manieth.
        short: without what is heavy.
        only: parts of identities or groups; what has none of them is left out. Empty: all.
    """

    material: Path
    mutants: int = 6
    seed: int = 1
    every: int = 1
    short: bool = False
    only: tuple[str, ...] = ()


def samples(selection: Selection) -> Iterator[Sample]:
    """The samples chosen. A distribution that cannot be had is told on stderr and left out."""
    for distribution in DISTRIBUTIONS:
        try:
            archive = archive_of(distribution, selection.material)
        except NotDownloaded as error:
            print(f"left out: the samples of {error}", file=sys.stderr)
            continue
        for number, sample in enumerate(samples_of(archive)):
            if number % selection.every == 0 and not (selection.short and len(sample.data) > SHORT_SAMPLE_BYTES_MAX):
                yield sample


def groups(selection: Selection) -> dict[str, Sequence[HostileFile]]:
    """The files chosen, by row of the table: samples, mutants, bombs."""
    whole: dict[str, list[HostileFile]] = {}
    damaged: dict[str, list[HostileFile]] = {}
    made: dict[str, list[HostileFile]] = {}
    for sample in samples(selection):
        as_it_is = HostileFile(sample.identity, f"{sample.kind}: samples", sample.name, partial(bytes, sample.data))
        whole.setdefault(as_it_is.group, []).append(as_it_is)
        for mutant in mutants_of(sample, selection.mutants, selection.seed):
            damaged.setdefault(mutant.group, []).append(mutant)
    for file in BOMBS:
        if not (selection.short and file.heavy):
            made.setdefault(file.group, []).append(file)
    chosen = {
        group: [file for file in files if _wanted(file, selection.only)] for group, files in (whole | damaged | made).items()
    }
    return {group: files for group, files in chosen.items() if files}


def _wanted(file: HostileFile, only: Sequence[str]) -> bool:
    return not only or any(part in file.identity or part in file.group for part in only)
