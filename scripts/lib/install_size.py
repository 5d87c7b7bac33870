"""Installs the project without extras into a fresh virtual environment and tells how much of the disk that takes.

    python -m scripts.lib.install_size [--folder FOLDER] [--python PYTHON]

Counted are the sizes of all files of site-packages (`du --apparent-size`), the bytecode that the installer compiles included,
without pip and setuptools, which are not installed in it, in megabytes of 1,000,000 bytes. Beside them stands what the blocks of
this file system hold. The Python itself is not counted: it is there before.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSTALL_SECONDS_MAX = 600
BLOCK_BYTES = 512
"""Of `st_blocks`, whatever the file system's own blocks are (stat(2))."""
MEGABYTE = 1_000_000
INSTALLERS = frozenset({"pip", "setuptools", "wheel"})
LARGEST = 12
"""Rows of the table."""


class NotInstalled(Exception):
    """The installation failed; the text is the end of what the installer wrote."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What an installation takes.

    Attributes:
        by_package: sizes of files in bytes, by folder or module of site-packages; metadata belongs to what it is about.
        allocated_bytes: blocks of the file system that hold all of them.
    """

    by_package: Counter[str]
    allocated_bytes: int

    @property
    def total_bytes(self) -> int:
        """Sizes of all files."""
        return self.by_package.total()

    def table(self) -> str:
        """The largest packages, the rest, and the sum."""
        rows = self.by_package.most_common(LARGEST)
        rows.append((f"{max(len(self.by_package) - LARGEST, 0)} others", self.total_bytes - sum(size for _, size in rows)))
        rows += [("all", self.total_bytes), ("blocks on this file system", self.allocated_bytes)]
        return "\n".join(f"{name:<32}{size / MEGABYTE:>9.1f} MB" for name, size in rows)


@dataclass(frozen=True, slots=True)
class Installation:
    """An environment with the project in it.

    Attributes:
        python: its interpreter.
        site_packages: its folder of packages.
    """

    python: Path
    site_packages: Path

    def sizes(self) -> Sizes:
        """Look at every file, at one with several names once."""
        apparent: Counter[str] = Counter()
        allocated_bytes = 0
        seen: set[tuple[int, int]] = set()
        for folder, _, names in os.walk(self.site_packages):
            for name in names:
                status = os.lstat(os.path.join(folder, name))
                package = _package(Path(folder, name).relative_to(self.site_packages))
                if package not in INSTALLERS and (status.st_dev, status.st_ino) not in seen:
                    seen.add((status.st_dev, status.st_ino))
                    apparent[package] += status.st_size
                    allocated_bytes += status.st_blocks * BLOCK_BYTES
        return Sizes(apparent, allocated_bytes)


def _package(path: Path) -> str:
    """Which package a file of site-packages belongs to: the name of its folder, or of the folder of its metadata or libraries."""
    top = re.sub(r"-[^-]+\.(dist-info|data)$|\.libs$|\.py$|\.[^.]+\.so$", "", path.parts[0])
    return top.lower().replace("-", "_")


def wheel(folder: Path, python: str = sys.executable) -> Path:
    """Build the project's wheel.

    Args:
        folder: where it is put.
        python: whose pip builds it.

    Raises:
        NotInstalled: it cannot be built.
    """
    _run(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    return next(folder.glob("ingest-*.whl"))


def install(folder: Path, python: str = sys.executable) -> Installation:
    """Make a virtual environment in a folder and install the project's wheel into it, without any extra.

    Args:
        folder: an empty one.
        python: whose venv and pip do it; the same version as the environment's.

    Raises:
        NotInstalled: the installer failed, for example without a network.
    """
    built = wheel(folder / "wheel", python)
    environment = folder / "environment"
    _run(python, "-m", "venv", "--without-pip", str(environment))
    inside = environment / "bin" / "python"
    _run(python, "-m", "pip", "--python", str(inside), "install", "--quiet", "--no-input", str(built))
    place = subprocess.run(
        [inside, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True, check=True
    )
    return Installation(inside, Path(place.stdout.strip()))


def _run(*command: str) -> None:
    variables = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX, env=variables, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(str(error)) from error
    if ended.returncode:
        raise NotInstalled(f"{' '.join(command[:4])} …: {(ended.stderr or ended.stdout).strip()[-2_000:]}")


def main() -> int:
    """Command line. Answers the exit status."""
    parser = argparse.ArgumentParser(description="How much of the disk an installation without extras takes.")
    parser.add_argument("--folder", type=Path, help="keep the environment there; by default it is removed")
    parser.add_argument("--python", default=sys.executable, help="default: this one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ingest-size-") as temporary:
        try:
            installed = install(given.folder or Path(temporary), given.python)
        except NotInstalled as error:
            print(f"install_size: {error}", file=sys.stderr)
            return 1
        print(installed.sizes().table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
