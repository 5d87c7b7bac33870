"""A real Chromium without a window, driven by its DevTools protocol over a WebSocket."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import websockets

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
START_SECONDS_MAX = 60.0
ANSWER_SECONDS_MAX = 60.0
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root, where Chromium's own sandbox refuses to
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nothing but this machine
    "--remote-debugging-port=0",
)


def find_chromium() -> str | None:
    """The program; None if there is none. CHROMIUM=/path/to/it chooses another."""
    named = os.environ.get("CHROMIUM", "")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One page."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._session: str | None = None

    async def open(self) -> None:
        """Make a page and attach to it."""
        target = (await self._call("Target.createTarget", url="about:blank"))["targetId"]
        self._session = (await self._call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        await self._call("Page.enable")

    async def go(self, url: str) -> None:
        """Load a page."""
        answer = await self._call("Page.navigate", url=url)
        assert "errorText" not in answer, answer
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            while await self.run("document.readyState") != "complete" or await self.run("location.href") == "about:blank":
                pass

    async def run(self, expression: str) -> Any:
        """Evaluate JavaScript; a promise is awaited. Answers its value. Raises AssertionError if it throws."""
        answer = await self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        await self._socket.send(json.dumps(message))
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            while True:
                told = json.loads(await self._socket.recv())
                if told.get("id") == number:
                    assert "error" not in told, told
                    result: dict[str, Any] = told["result"]
                    return result


@asynccontextmanager
async def chromium(program: str, folder: Path) -> AsyncIterator[Page]:
    """Start the browser with a profile of its own in `folder`, give a page, and end all of its processes."""
    process = await asyncio.create_subprocess_exec(
        program,
        *FLAGS,
        f"--user-data-dir={folder}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "HOME": str(folder)},
    )
    try:
        async with asyncio.timeout(START_SECONDS_MAX):
            address = await _address(process)
        reading = asyncio.create_task(_read_all(process))
        async with websockets.connect(address, max_size=None, proxy=None) as socket:
            page = Page(socket)
            await page.open()
            yield page
        os.killpg(process.pid, signal.SIGKILL)
        await reading
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)  # its group is its own: start_new_session
        except ProcessLookupError:
            pass  # it has ended
        await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    said = b""
    while line := await process.stderr.readline():
        said += line
        if b"DevTools listening on " in line:
            return line.rpartition(b" on ")[2].decode().strip()
    raise AssertionError(f"Chromium ended before it listened: {said.decode(errors='replace')[-2_000:]}")


async def _read_all(process: asyncio.subprocess.Process) -> None:
    """What it writes goes nowhere, but must be read, or it would wait."""
    assert process.stderr is not None
    while await process.stderr.read(1 << 16):
        pass
