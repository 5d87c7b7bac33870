"""The real server as a process: started, waited for, signalled and ended by its own id, with all that it starts."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[3]
HANDLERS = (ROOT / "tests/acceptance/engine/handlers_under_test.py", Path(__file__).with_name("service_handlers.py"))
READY_SECONDS_MAX = 30.0
END_SECONDS_MAX = 30.0
READY_LINE = "listening on "


def environment(**more: str) -> dict[str, str]:
    """That of this process without settings of the caller's own server, and with the clone on the module path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("INGEST_")}
    return {**kept, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}", **more}


def command(*arguments: str) -> list[str]:
    """The command line that starts a server."""
    return [sys.executable, "-m", "ingest_server", *arguments]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended that was not to serve."""

    status: int
    out: str
    err: str


def run_to_end(*arguments: str, **variables: str) -> Ended:
    """Run the server's command until it ends by itself; with settings that are wrong, it does so soon."""
    ran = subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=END_SECONDS_MAX, env=environment(**variables), check=False
    )
    return Ended(ran.returncode, ran.stdout, ran.stderr)


@dataclass
class ServerProcess:
    """A server under test. `start` it, and `stop` or `kill` it; both may be repeated with the same data folder.

    Attributes:
        folder: holds data and log.
        flags: more flags.
        variables: more environment.
        workers: number of worker processes; 0 leaves it to the other sources of settings.
        handlers: modules to load.
        listen: where to serve.
        address, rest_url: where it serves, once it is started; the URL is "" where REST is off.
    """

    folder: Path
    flags: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    workers: int = 2
    handlers: Sequence[str | Path] = HANDLERS
    listen: str = "127.0.0.1:0"
    address: str = ""
    rest_url: str = ""
    _process: subprocess.Popen[str] | None = None
    _family: list[psutil.Process] = field(default_factory=list)

    @property
    def pid(self) -> int:
        """Of the main process."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """All it has written to stderr so far, over all starts."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> ServerProcess:
        """Start it and wait until it serves.

        Raises:
            AssertionError: it ended, or said nothing in time; with its log.
        """
        loaded = [word for each in self.handlers for word in ("--handlers", str(each))]
        given = ["--listen", self.listen, "--data-dir", str(self.folder / "data")]
        if self.workers:
            given += ["--workers", str(self.workers)]
        with (self.folder / "log").open("ab") as errors:
            self._process = subprocess.Popen(
                command(*given, *loaded, *self.flags),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment(**self.variables),
                cwd=self.folder,
            )
        assert self._process.stdout is not None
        guard = threading.Timer(READY_SECONDS_MAX, self._process.kill)
        guard.start()
        try:
            line = self._process.stdout.readline()
        finally:
            guard.cancel()
            guard.join()
        if not line.startswith(READY_LINE):
            self._process.kill()
            self._reap()
            raise AssertionError(f"the server said {line!r} instead of {READY_LINE!r}; its log:\n{self.log[-4_000:]}")
        self.address, _, self.rest_url = line.removeprefix(READY_LINE).strip().partition(", REST on ")
        self._check_family()
        return self

    def processes(self) -> list[psutil.Process]:
        """The main process and all below it, as they are now."""
        main = psutil.Process(self.pid)
        return [main, *main.children(recursive=True)]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the main process."""
        assert self._process is not None
        self.remember()
        self._process.send_signal(number)

    def remember(self) -> None:
        """Note which processes belong to the server now: they must have ended when it has."""
        self._family = self.processes()

    def wait(self) -> int:
        """Wait for the end of the server and of all that it had started when it was signalled. Answers the exit status."""
        return self._reap()

    def stop(self) -> int:
        """Ask it to drain, and wait. Answers the exit status."""
        self.signal(signal.SIGTERM)
        return self._reap()

    def kill(self) -> None:
        """End the main process without a warning. What it had started may be there for a moment longer, as a supervisor that
        starts the next server at once would find it; `start` and `close` prove that it goes."""
        assert self._process is not None
        self.remember()
        self._process.kill()
        self._end_of_main()

    def close(self) -> None:
        """End it if it still runs. For clean-up."""
        if self._process is not None:
            self.kill()
        self._check_family()

    def _reap(self) -> int:
        status = self._end_of_main()
        self._check_family()
        return status

    def _end_of_main(self) -> int:
        process, self._process = self._process, None
        assert process is not None
        assert process.stdout is not None
        with process.stdout:
            try:
                return process.wait(END_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                told = f"the server did not end within {END_SECONDS_MAX:g} s; its log:\n{self.log[-4_000:]}"
                raise AssertionError(told) from None

    def _check_family(self) -> None:
        family, self._family = self._family, []
        left = [process for process in family if not _ends(process)]
        for process in left:
            process.kill()
        assert not left, f"these processes outlived their server: {left}"


def _ends(process: psutil.Process) -> bool:
    """Wait for its end. Not for its parent to take note of it: orphans are reaped by a process that may be in no hurry."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        return not process.is_running() or bool(select.select([descriptor], [], [], END_SECONDS_MAX)[0])
    finally:
        os.close(descriptor)
