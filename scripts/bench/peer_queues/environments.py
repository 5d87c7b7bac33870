"""A virtual environment for each peer, so that none holds another to an old version; servers, installed where we are root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.bench.peer_queues.setups import Peer

INSTALL_SECONDS_MAX = 900
SYSTEM_PROGRAMS = {
    "redis-server": ("redis-server", ("/usr/bin",)),
    "rabbitmq-server": ("rabbitmq-server", ("/usr/lib/rabbitmq/bin",)),
    "initdb": ("postgresql", ("/usr/lib/postgresql/*/bin",)),
}
"""By program: the package of Debian that has it, and where that puts it when not on PATH."""


class Missing(Exception):
    """A peer cannot be measured here; says why."""


def environment(peer: Peer, folder: Path) -> Path:
    """The environment of `peer` below `folder`, made and filled at first use. Answers its folder of programs.

    Raises:
        Missing: pip could not.
    """
    place = folder / "environments" / peer.environment
    done = place / "installed.json"
    if done.is_file() and json.loads(done.read_text()) == list(peer.needs):
        return place / "bin"
    shutil.rmtree(place, ignore_errors=True)
    pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    for command in ([sys.executable, "-m", "venv", str(place)], [*pip, *peer.needs]):
        _run(command, f"its packages could not be installed ({', '.join(peer.needs)})")
    done.write_text(json.dumps(list(peer.needs)))
    return place / "bin"


def versions(programs: Path, peer: Peer) -> dict[str, str]:
    """Installed versions of what `peer` needs, without extras."""
    names = [need.partition("[")[0] for need in peer.needs]
    code = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    found = subprocess.run([str(programs / "python"), "-c", code, *names], capture_output=True, text=True, check=True, timeout=60)
    answer: dict[str, str] = json.loads(found.stdout)
    return answer


def system_program(name: str) -> Path:
    """A server program, installed from the distribution where it is missing and we are root.

    Raises:
        Missing: it is not there and cannot be installed.
    """
    package, places = SYSTEM_PROGRAMS[name]
    found = _find(name, places)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        _run(["apt-get", "update", "-qq"], "the list of packages could not be read", quiet)
        # Services are not wanted: servers are started here, on free ports, with folders of their own.
        _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package], f"{package} could not be installed", quiet)
        found = _find(name, places)
    if found is None:
        raise Missing(f"{name} is not installed, and only root can install it here: apt-get install {package}")
    return found


def _find(name: str, places: Sequence[str]) -> Path | None:
    for place in places:
        for folder in sorted(Path("/").glob(place.lstrip("/"))):
            if (folder / name).is_file():
                return folder / name
    found = shutil.which(name)
    return Path(found) if found else None


def _run(command: Sequence[str], otherwise: str, variables: dict[str, str] | None = None) -> None:
    try:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX, env=variables
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{otherwise}: {error}") from error
    if ended.returncode:
        raise Missing(f"{otherwise}: {(ended.stderr or ended.stdout).strip()[-300:]}")
