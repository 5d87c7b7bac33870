"""The demonstration: documents through a server of its own, a crash survived, results, and how to go on.

Runs as `scripts/demo`. Everything it makes lies in a temporary folder that is removed at the end; the server listens on a free
port of the loopback interface. Exit status 0 only if each step ended as it says.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

from ingest_client import BlockingClient, JobFilter, JobState

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS_MAX = 60.0
"""Ready takes about a second; the first start of a fresh installation compiles every module."""
STEP_SECONDS_MAX = 300.0
END_SECONDS_MAX = 15.0
COPIES = 100
"""Of each such document in the archive: about a second of work, enough for a crash in the middle."""
ARCHIVED = frozenset((".pdf", ".html", ".md", ".txt"))
"""Kinds of documents in it: those read in a millisecond or two."""
KILL_AFTER_JOBS = 200
WORKERS = 2
PASSWORD = "open sesame"
"""Of encrypted.pdf, as scripts/sample_documents makes it."""


class DemoFailed(Exception):
    """A step did not end as it should; the text says how."""


class Server:
    """A server process in a folder, with its log beside it. `listen` keeps its port over a restart."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self._log = folder / "server.log"
        self.address = "127.0.0.1:0"

    def start(self) -> None:
        """Start it, wait until it serves, and tell. Raises DemoFailed with the log's end."""
        options = self._options()
        tell_command("ingest-server", *options)
        self.serve()
        print(f"   listening on {self.address}")

    def _options(self) -> list[str]:
        return ["--listen", self.address, "--data-dir", "data", "--workers", str(WORKERS), "--log-format", "text"]

    def serve(self) -> None:
        """Start it and wait until it serves, without a word: a progress bar may be on the screen. Raises DemoFailed."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ingest_server", *self._options()],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for the demo, which then ends the server itself
            )
        self.address = self._first_line().rpartition(" ")[2]

    def _first_line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            line = self._process.stdout.readline().strip() if selector.select(READY_SECONDS_MAX) else ""
        if not line:
            raise DemoFailed(f"the server is not ready. Its log ends:\n{self.log_end()}")
        return line

    def kill(self) -> None:
        """As a power cut would: no chance to write anything more."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._gone()

    def stop(self) -> None:
        """End it the polite way, and for sure. Does nothing if it does not run."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._gone()

    def _gone(self) -> None:
        if self._process is not None:
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def log_end(self) -> str:
        """The last lines of the log."""
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])


class Demo:
    """The steps, in order. Each raises DemoFailed if it did not go as it says."""

    def __init__(self, folder: Path, server: Server, environment: dict[str, str]) -> None:
        self._folder = folder
        self._server = server
        self._environment = environment

    def make_documents(self) -> None:
        """Sample documents, the same at every run."""
        documents = self._folder / "documents"
        command = [sys.executable, str(ROOT / "scripts/sample_documents"), str(documents)]
        subprocess.run(command, env=self._environment, stdout=subprocess.DEVNULL, check=True, timeout=STEP_SECONDS_MAX)
        (documents / "manifest.json").rename(self._folder / "manifest.json")
        names = sorted(path.name for path in documents.iterdir())
        print(f"   {len(names)} files: {', '.join(names)}")

    def run_documents(self) -> None:
        """Each document is a job. One is encrypted and fails, which the exit status tells; so does a picture where the program
        that recognises its text is not installed."""
        status = self._ingest("run", "documents", "--recursive", "--output", "results")
        made, asked = len(list((self._folder / "results").iterdir())), len(list((self._folder / "documents").iterdir()))
        described = json.loads((self._folder / "manifest.json").read_text("utf-8"))
        lacking = [each["file"] for each in described if each.get("needs") and shutil.which(each["needs"]) is None]
        expected = asked - 1 - len(lacking)
        if status != 1 or made != expected:
            raise DemoFailed(f"{made} of {asked} documents gave a result, and the status is {status}; expected {expected}, and 1")
        if lacking:
            print(f"\n   {', '.join(lacking)}: its text needs tesseract, and the failure tells how to install it.")
        print(f"\n   {made} succeeded. encrypted.pdf failed as it should, with its reason; with the password it does not:")
        self._ingest_well("run", "documents/encrypted.pdf", "--password", PASSWORD)

    def read_page(self) -> None:
        """The text of one page."""
        self._ingest_well("run", "documents/report.pdf", "--pages", "2")

    def survive_crash(self) -> None:
        """An archive is submitted; the server is killed in the middle and started again; the client rides it out."""
        total = self._make_archive()
        print(f"   {total} documents. While they are read, the server is killed (SIGKILL) and started again.")
        command = ["submit", "archive", "--recursive", "--wait", "--label", "demo=archive"]
        tell_command("ingest", *command)
        with subprocess.Popen(self._command(*command), **self._surroundings(), stdout=subprocess.DEVNULL) as client:
            try:
                ended = self._wait_for_ends(KILL_AFTER_JOBS, client)
                self._server.kill()
                begin = time.monotonic()
                self._server.serve()
                down_seconds = time.monotonic() - begin
                status = client.wait(STEP_SECONDS_MAX)
            except BaseException:
                client.kill()
                raise
        with BlockingClient(self._server.address) as counting:
            jobs = counting.count(JobFilter(labels={"demo": "archive"})).total
            succeeded = self._succeeded_count(counting)
        print(f"   The server was killed after {ended} jobs and served again {down_seconds:.1f} s later.")
        print(f"   {succeeded} of {total} jobs succeeded: none is lost, none was made twice.")
        if status != 0 or not jobs == succeeded == total:
            raise DemoFailed(f"{total} documents became {jobs} jobs, of which {succeeded} succeeded; the status is {status}")

    def _make_archive(self) -> int:
        documents = sorted((self._folder / "documents").iterdir())
        readable = [path for path in documents if path.suffix in ARCHIVED and path.name != "encrypted.pdf"]
        for number in range(COPIES):
            folder = self._folder / "archive" / f"{number:03}"
            folder.mkdir(parents=True)
            for path in readable:
                os.link(path, folder / path.name)
        return COPIES * len(readable)

    def _wait_for_ends(self, count: int, client: subprocess.Popen[bytes]) -> int:
        deadline = time.monotonic() + STEP_SECONDS_MAX
        with BlockingClient(self._server.address) as counting:
            while (ended := self._succeeded_count(counting)) < count and client.poll() is None:
                if time.monotonic() > deadline:
                    raise DemoFailed(f"only {ended} jobs ended within {STEP_SECONDS_MAX:g} s")
                time.sleep(0.02)
        return ended

    def _succeeded_count(self, counting: BlockingClient) -> int:
        return counting.count(JobFilter(labels={"demo": "archive"}, states=(JobState.SUCCEEDED,))).total

    def show_statistics(self) -> None:
        """What the server says of itself."""
        self._ingest_well("stats")

    def _ingest_well(self, *arguments: str) -> None:
        if status := self._ingest(*arguments):
            raise DemoFailed(f"ingest {shlex.join(arguments)} ended with status {status}; expected 0")

    def _ingest(self, *arguments: str) -> int:
        tell_command("ingest", *arguments)
        return subprocess.run(self._command(*arguments), **self._surroundings(), check=False, timeout=STEP_SECONDS_MAX).returncode

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "ingest_client.cli", *arguments]

    def _surroundings(self) -> dict[str, Any]:
        return {
            "cwd": self._folder,
            "env": {**self._environment, "INGEST_SERVER": self._server.address},
            "stdin": subprocess.DEVNULL,
        }


def tell_command(*words: str) -> None:
    """Print a command as one would type it."""
    print(f"   $ {shlex.join(words)}")


HOW_TO_GO_ON = """
Done. To go on:

    . .venv/bin/activate

    ingest-server                                      # one terminal: keeps jobs in ./ingest-data, Ctrl-C ends it
    ingest run README.md --output results              # another one: your own files
    ingest run ~/Documents --recursive --output results
    ingest --help

    ingest info                                        # what the server offers
    grpcurl -plaintext 127.0.0.1:50051 list            # any gRPC client will do

README.md: a client in ten lines, your own handlers, settings, operations.
"""


def run_steps(folder: Path) -> None:
    """All steps in `folder`. Raises DemoFailed, or the error of a step that could not run."""
    # The demo is the same everywhere: settings and credentials of the caller's own server stay out of it.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INGEST_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "protos")])
    with ExitStack() as stack:
        server = Server(folder, environment)
        stack.callback(server.stop)
        demo = Demo(folder, server, environment)
        for number, (title, step) in enumerate(
            (
                ("Sample documents are made", demo.make_documents),
                ("A server is started", server.start),
                ("The documents are read: one job each, results to files", demo.run_documents),
                ("One page of a PDF", demo.read_page),
                ("A crash in the middle of many", demo.survive_crash),
                ("What the server says of itself", demo.show_statistics),
                ("The server drains and ends", server.stop),
            ),
            start=1,
        ):
            print(f"\n{number}. {title}")
            step()


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main() -> int:
    """Run as `scripts/demo`. Answers the exit status."""
    argparse.ArgumentParser(prog="demo", description=__doc__.partition("\n")[0]).parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # in order with the lines of the programs it runs
    folder = Path(tempfile.mkdtemp(prefix="ingest-demo-"))
    print(f"Ingest at work, in {folder} (removed at the end)")
    try:
        run_steps(folder)
    except (DemoFailed, subprocess.SubprocessError, OSError) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; nothing is left behind", file=sys.stderr)
        return 128 + signal.SIGINT
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(HOW_TO_GO_ON, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
