"""What README and docs tell the reader to type does what they say: every marked block is run, against real servers."""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.lib import settings_page
from scripts.lib.generate_protos import ROOT
from tests.project.readme_blocks import Block, blocks

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PRINTED_ADDRESS = "127.0.0.1:50051"
PRINTED_METRICS_ADDRESS = "127.0.0.1:9464"
READY_SECONDS_MAX = 30.0
BLOCK_SECONDS_MAX = 30.0

PROGRAM = """#!/bin/sh
exec "{python}" -m {module} "$@"
"""
MODULES = {"ingest": "ingest_client.cli", "ingest-server": "ingest_server"}


class Reader:
    """Types what a page says, in an empty folder that has the project's scripts; the ports are others than those printed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: subprocess.Popen[str] | None = None
        self._address = "127.0.0.1:0"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._metrics_address = f"127.0.0.1:{free.getsockname()[1]}"
        programs = folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        for name, module in MODULES.items():
            (programs / name).write_text(PROGRAM.format(python=sys.executable, module=module))
            (programs / name).chmod(0o755)
        (programs / "activate").write_text("")
        (folder / "scripts").symlink_to(ROOT / "scripts")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("INGEST_")}
        path = [str(programs), str(Path(sys.executable).parent), environment["PATH"]]
        environment.update(PATH=os.pathsep.join(path), PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "protos")]))
        self._environment = environment

    def read(self, block: Block) -> None:
        """Do what the block is marked for."""
        needed = block.options.get("needs", "")
        if not block.deed or (needed and shutil.which(needed, path=self._environment["PATH"]) is None):
            return
        if block.deed == "file":
            (self._folder / block.options["file"]).write_text(block.text, encoding="utf-8")
        elif block.deed == "server":
            self._serve(block.text)
        else:
            self._run(block)

    def _run(self, block: Block) -> None:
        text = self._ported(block.text)
        command = [sys.executable, "-c", text] if block.language == "python" else ["sh", "-euc", text]
        done = subprocess.run(
            command,
            **self._surroundings(),
            capture_output=True,
            check=False,
            timeout=BLOCK_SECONDS_MAX,
        )
        wanted = int(block.options.get("status", "0"))
        assert done.returncode == wanted, f"line {block.line}: {done.returncode}\n{done.stdout}\n{done.stderr}"

    def _serve(self, text: str) -> None:
        self.close()
        self._server = subprocess.Popen(
            ["sh", "-euc", "exec " + self._ported(text)], **self._surroundings(), stdout=subprocess.PIPE
        )
        assert self._server.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._server.stdout, selectors.EVENT_READ)
            assert selector.select(READY_SECONDS_MAX), f"no server after {READY_SECONDS_MAX:g} s: {text}"
        line = self._server.stdout.readline()
        assert line.startswith("listening on 127.0.0.1:"), f"{text}\n{line}"
        self._address = line.split()[-1]

    def _ported(self, text: str) -> str:
        return text.replace(PRINTED_ADDRESS, self._address).replace(PRINTED_METRICS_ADDRESS, self._metrics_address)

    def close(self) -> None:
        """End the server; it must go in peace."""
        server, self._server = self._server, None
        if server is not None:
            with server:
                server.send_signal(signal.SIGTERM)
            assert server.returncode == 0

    def _surroundings(self) -> dict[str, Any]:
        address = {"INGEST_SERVER": self._address, "INGEST_LISTEN": self._address}
        return {"cwd": self._folder, "env": {**self._environment, **address}, "stdin": subprocess.DEVNULL, "text": True}


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path)
    yield reader
    reader.close()


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_the_page_says_works(page: Path, reader: Reader) -> None:
    if page.name != "README.md":
        for block in blocks(ROOT / "README.md")[:1]:  # the sample documents
            reader.read(block)
    for block in blocks(page):
        reader.read(block)


def test_something_is_run_at_all() -> None:
    deeds = [block.deed for page in PAGES for block in blocks(page)]
    assert deeds.count("run") >= 15
    assert deeds.count("server") >= 5


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists() or target.startswith("https://"), f"{page.name}: {target}"


def test_the_page_of_settings_is_fresh() -> None:
    assert settings_page.PAGE.read_text(encoding="utf-8") == settings_page.page(), "run: python -m scripts.lib.settings_page"
