"""The wheel in a fresh environment without extras: how large it is, that it works, what it says where an extra is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.lib.generate_protos import ROOT
from scripts.lib.install_size import MEGABYTE, Installation, NotInstalled, install

BASE_BYTES_MAX = 120 * MEGABYTE
PROGRAM_SECONDS_MAX = 60
SILENT = {"allocator": "an accelerator: without it workers use the system's allocator and take longer, and nothing fails"}
"""Extra → why its absence says nothing."""
PROBES = {
    "zstd": """
from ingest_server.handlers.extract import ExtractOptions, extract
from ingest_server.handlers.inputs import MemoryInput
from ingest_server.handlers.interface import HandlerFailure
class Context:
    input = MemoryInput(bytes.fromhex("28b52ffd2001090000") + b"a", "", "a.txt.zst")
    crash_count, attempt = 0, 1
    def check(self): pass
try:
    extract(Context(), ExtractOptions())
except HandlerFailure as failure:
    print(failure.message, "retryable" if failure.retryable else "")
""",
    "embed": """
from ingest_server.handlers.embedding.local_model import load_model
from ingest_server.handlers.interface import HandlerFailure
try:
    load_model("small", "./model")
except HandlerFailure as failure:
    print(failure.message, "retryable" if failure.retryable else "")
""",
    "parquet": """
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.targets import parquet
try:
    parquet._library()
except HandlerFailure as failure:
    print(failure.message, "retryable" if failure.retryable else "")
""",
    "callbacks": """
import sys
from ingest_server.__main__ import main
sys.argv = ["ingest-server", "--listen", "127.0.0.1:0", "--data-dir", "data", "--callback-hosts", "example.org"]
sys.exit(main())
""",
}
"""Extra → a program that needs it; what it writes must hold the line that installs it."""
ADDED_FROM = {"zstd": (3, 14)}
"""Extra → version of Python from which on the standard library has what it brings."""
WORKS = """
from ingest_server.handlers.reader import load_all, supported_media_types
from ingest_client import Client
load_all()
print(len(supported_media_types()))
"""


def run(installed: Installation, program: str, folder: Path) -> str:
    """Run a program in the environment, in a folder of its own, and give back all it writes."""
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    variables["INGEST_CALLBACK_SECRETS"] = "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
    ended = subprocess.run(
        [installed.python, "-c", program],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PROGRAM_SECONDS_MAX,
        check=False,
    )
    return ended.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The environment, made once. Skips where the package index cannot be reached."""
    try:
        yield install(tmp_path_factory.mktemp("install"))
    except NotInstalled as error:
        if re.search(r"No matching distribution|Connection|Temporary failure|Network|Max retries", str(error)):
            pytest.skip(f"the package index cannot be reached: {error}")
        raise


def extras() -> list[str]:
    """Those that are for users."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    return [name for name in declared if name != "dev"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_installation_without_extras_is_small(installed: Installation) -> None:
    sizes = installed.sizes()
    print(sizes.table())
    assert 20 * MEGABYTE < sizes.total_bytes <= BASE_BYTES_MAX, f"the base install has grown:\n{sizes.table()}"
    assert {"grpc", "ingest_server", "pypdfium2_raw"} <= sizes.by_package.keys()
    assert "pip" not in sizes.by_package


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_installation_without_extras_works(installed: Installation, tmp_path: Path) -> None:
    """Every reader loads, and so the server starts: without extras nothing that it imports at once is missing."""
    assert int(run(installed, WORKS, tmp_path)) > 10


@pytest.mark.parametrize("extra", extras())
def test_every_extra_has_a_probe_or_a_reason(extra: str) -> None:
    assert (extra in PROBES) != (extra in SILENT), f"what is said where {extra!r} is missing? Add it to PROBES or SILENT"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("extra", [extra for extra in extras() if extra in PROBES])
def test_a_missing_extra_names_the_line_that_installs_it(extra: str, installed: Installation, tmp_path: Path) -> None:
    if sys.version_info >= ADDED_FROM.get(extra, (9,)):
        pytest.skip(f"this Python has what {extra} brings")
    said = run(installed, PROBES[extra], tmp_path)
    assert re.search(rf"""pip install (['"])ingest\[{extra}\]\1""", said), said
    assert "retryable" not in said
    assert "Traceback" not in said


def test_files_are_counted_once_and_by_package(tmp_path: Path) -> None:
    for name, size in (("one/a.py", 1_000), ("one-1.0.dist-info/RECORD", 10), ("two.cpython-311.so", 5_000), ("pip/x.py", 9_999)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(bytes(size))
    os.link(tmp_path / "one/a.py", tmp_path / "one/b.py")
    sizes = Installation(Path("python"), tmp_path).sizes()
    assert sizes.by_package == {"one": 1_010, "two": 5_000}
    assert sizes.total_bytes == 6_010
    assert sizes.allocated_bytes > 0
