"""A receiver of callbacks as a process that can be killed and started again on its port, and the tally of all it has received."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
WAIT_SECONDS_MAX = 120.0


class ReceiverProcess:
    """Start it by entering.

    Args:
        failing: fraction of the messages that fail.

    Attributes:
        port: where it receives, over all its lives.
        messages: number of messages received.
        invalid: those with a wrong signature.
        accepted: delivery id → how often it was answered with 2xx.
        ids: job id → the delivery ids it came under.
    """

    def __init__(self, failing: float) -> None:
        self._failing = failing
        self._lives = 0
        self._changed = threading.Condition()
        self.port = 0
        self.messages = 0
        self.invalid = 0
        self.accepted: Counter[str] = Counter()
        self.ids: dict[str, set[str]] = {}

    def __enter__(self) -> ReceiverProcess:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    @property
    def settings(self) -> dict[str, str]:
        """Environment of a server that may call this receiver, and tries again soon."""
        return {
            "INGEST_CALLBACK_HOSTS": f"http://127.0.0.1:{self.port}",
            "INGEST_CALLBACK_NETWORKS": "127.0.0.1/32",
            "INGEST_CALLBACK_SECRETS": SECRET,
            "INGEST_CALLBACK_BACKOFF_INITIAL_SECONDS": "0.02",
            "INGEST_CALLBACK_BACKOFF_MAX_SECONDS": "0.5",
            "INGEST_CALLBACK_ATTEMPTS_MAX": "100",
        }

    @property
    def url(self) -> str:
        """Where to send."""
        return f"http://127.0.0.1:{self.port}/hook"

    def start(self) -> None:
        """Begin a life, on the port of the one before."""
        self._lives += 1
        arguments = [str(self.port), SECRET, str(self._failing), str(self._lives)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scripts.bench.callback_receiver", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline().rpartition(" ")[2])
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def kill(self) -> None:
        """End it without a warning."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def wait_for(self, *, messages: int = 0, accepted: int = 0) -> None:
        """Wait until so many messages have come, and so many deliveries were accepted. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.messages >= messages and len(self.accepted) >= accepted, WAIT_SECONDS_MAX):
                raise TimeoutError(
                    f"{self.messages} messages, {len(self.accepted)} deliveries accepted after {WAIT_SECONDS_MAX:g} s; "
                    f"waited for {messages} and {accepted}"
                )

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if not line.endswith("\n"):
                return  # it was killed inside a line, before it answered
            told = json.loads(line)
            with self._changed:
                self.messages += 1
                self.invalid += not told["valid"]
                self.ids.setdefault(told["job_id"], set()).add(told["id"])
                if told["status"] == 204:
                    self.accepted[told["id"]] += 1
                self._changed.notify_all()
