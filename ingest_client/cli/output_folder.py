"""Where results are written: files below one folder, each with a name of its own, none replaced unawares."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from ingest_client.rendering.cleaning import clean

_NUMBERS_MAX = 10_000
_STEM_BYTES_MAX = 200
"""File systems take 255 bytes a name; the rest is for the number, the extension and what a file is called while it is written."""


class OutputFolder:
    """Gives out free names below a folder.

    Attributes:
        root: the folder; made when it is needed.
    """

    def __init__(self, root: Path, *, overwrite: bool) -> None:
        """Args:
        root: where to write.
        overwrite: replace files that were there before. What this folder gave out itself is never given out again.
        """
        self.root = root
        self._overwrite = overwrite
        self._given: set[str] = set()
        self._numbers: dict[str, int] = {}

    def claim(self, place: PurePath, extension: str) -> tuple[Path, bool]:
        """A file for a result, at `place` below the folder; where it exists already, the name gets a number: `a-2.md`.

        Without `overwrite` the file is made, empty, so that nobody else gets it: replace it, or `release` it.

        Args:
            place: relative, as `places` gives it.
            extension: with its dot; not added where the name has it.

        Returns:
            The file, and whether it has another name because one was there before.

        Raises:
            OSError: the file system refuses, or ten thousand names are taken.
        """
        name = _cut(place.name)
        stem = name[: -len(extension)] if name.lower().endswith(extension) else name
        folder = self.root.joinpath(*place.parts[:-1])
        folder.mkdir(parents=True, exist_ok=True)
        key = str(folder / f"{stem}{extension}").casefold()
        found = False
        for number in range(self._numbers.get(key, 1), _NUMBERS_MAX):
            path = folder / (f"{stem}-{number}{extension}" if number > 1 else f"{stem}{extension}")
            if str(path).casefold() in self._given:
                continue
            if not self._overwrite or path.is_dir():
                try:
                    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
                except FileExistsError:
                    found = True
                    continue
            self._given.add(str(path).casefold())
            self._numbers[key] = number + 1
            return path, found
        raise OSError(f"{folder / stem}{extension}: {_NUMBERS_MAX} files with this name are there already")

    def release(self, path: Path) -> None:
        """Take back a claimed file to which nothing was written."""
        if not self._overwrite:
            path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, in UTF-8, with a line break at its end.

    Raises:
        OSError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def places(names: Mapping[str, str], folders: Sequence[Path]) -> dict[str, PurePath]:
    """Where results belong, by job id: below the folder that was named, as the input lies in it; all else by its name alone.

    Args:
        names: of the inputs, by job id, in the order of submission. Not trusted: no place leaves the folder.
        folders: those that were named for their files.

    Returns:
        Relative places, no two alike but for letters' case and extensions: equal ones are numbered in the order of `names`.
    """
    numbers: dict[PurePath, int] = {}
    chosen: dict[str, PurePath] = {}
    for job_id, name in names.items():
        wanted = place = _below(name, folders, job_id)
        while place in numbers:
            numbers[wanted] += 1
            place = wanted.with_name(f"{wanted.stem}-{numbers[wanted]}{wanted.suffix}")
        numbers[place] = 1
        chosen[job_id] = place
    return chosen


def _below(name: str, folders: Sequence[Path], job_id: str) -> PurePath:
    path = PurePath(clean(name).replace("\n", " ").strip())
    inside = [path.relative_to(folder) for folder in folders if path.is_relative_to(folder)]
    place = max(inside, key=lambda each: len(each.parts), default=PurePath(path.name))
    if ".." in place.parts or not place.name:
        place = PurePath(path.name)
    return place if place.name not in ("", "..") else PurePath(job_id)


def _cut(name: str) -> str:
    """A name that fits; bytes of a letter that is cut in two are left out."""
    data = os.fsencode(name)
    return name if len(data) <= _STEM_BYTES_MAX else data[:_STEM_BYTES_MAX].decode("utf-8", "ignore")
