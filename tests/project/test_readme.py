"""What README and docs tell the reader to type does what they say: every marked block is run, against real servers."""

from __future__ import annotations

import asyncio
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from scripts.lib import settings_page
from scripts.lib.generate_protos import ROOT
from tests.acceptance.server.devtools import chromium, find_chromium
from tests.project.readme_blocks import Block, blocks

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PRINTED_ADDRESS = "127.0.0.1:50051"
PRINTED_METRICS_ADDRESS = "127.0.0.1:9464"
PRINTED_REST_ADDRESSES = ("127.0.0.1:8080", "127.0.0.1:8081")
READY_SECONDS_MAX = 30.0
BLOCK_SECONDS_MAX = 30.0

PROGRAM = """#!/bin/sh
exec "{python}" -m {module} "$@"
"""
MODULES = {"ingest": "ingest_client.cli", "ingest-server": "ingest_server", "ingest-rest": "ingest_server.rest"}


def free_addresses(count: int) -> list[str]:
    """Ports that are free now, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]


class Reader:
    """Types what a page says, in an empty folder that has the project's scripts; the ports are others than those printed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: list[subprocess.Popen[str]] = []
        self._address = "127.0.0.1:0"
        printed = (PRINTED_METRICS_ADDRESS, *PRINTED_REST_ADDRESSES)
        self._other_addresses = dict(zip(printed, free_addresses(len(printed)), strict=True))
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
            self.close()
            self._address = self._serve(block.text)
        elif block.deed == "beside":
            self._serve(block.text)
        elif block.deed == "browser":
            self._browse(block)
        else:
            self._run(block)

    def _run(self, block: Block) -> None:
        text = self._ported(block.text)
        starts = {"python": [sys.executable, "-c"], "js": ["node", "--input-type=module", "-e"], "sh": ["sh", "-euc"]}
        command = [*starts[block.language], text]
        done = subprocess.run(
            command,
            **self._surroundings(),
            capture_output=True,
            check=False,
            timeout=BLOCK_SECONDS_MAX,
        )
        wanted = int(block.options.get("status", "0"))
        assert done.returncode == wanted, f"line {block.line}: {done.returncode}\n{done.stdout}\n{done.stderr}"

    def _serve(self, text: str) -> str:
        """Start a server, and answer where it listens."""
        server = subprocess.Popen(["sh", "-euc", "exec " + self._ported(text)], **self._surroundings(), stdout=subprocess.PIPE)
        self._servers.append(server)
        assert server.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(server.stdout, selectors.EVENT_READ)
            assert selector.select(READY_SECONDS_MAX), f"no server after {READY_SECONDS_MAX:g} s: {text}"
        line = server.stdout.readline()
        assert line.startswith("listening on "), f"{text}\n{line}"
        return str(line).removeprefix("listening on ").partition(",")[0].strip()

    def _browse(self, block: Block) -> None:
        program = find_chromium()
        if program is None:
            return
        folder = self._folder / "profile"
        address = self._other_addresses[PRINTED_REST_ADDRESSES[0]]

        async def browse() -> None:
            async with chromium(program, folder) as page:
                await page.go(f"http://{address}/docs")
                await page.run(f"(async () => {{ {self._ported(block.text)} }})()")

        asyncio.run(asyncio.wait_for(browse(), BLOCK_SECONDS_MAX))

    def _ported(self, text: str) -> str:
        for printed, address in {PRINTED_ADDRESS: self._address, **self._other_addresses}.items():
            text = text.replace(printed, address)
        return text

    def close(self) -> None:
        """End the servers, the newest first; they must go in peace."""
        while self._servers:
            with self._servers.pop() as server:
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
