"""One turn of one peer: its broker, its two workers and its client are started, measured and ended."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.bench.peer_queues.brokers import Brokers
from scripts.bench.peer_queues.processes import end_group, running
from scripts.bench.peer_queues.setups import DEFAULT, MORE_VARIABLES, Setup

CLIENTS = Path(__file__).parent / "clients"
TURN_SECONDS_MAX = 40.0
"""Bound of a client, beside six times what its measurement may take."""
NEVER_SECONDS = 7_200.0
"""Bound of a turn without `seconds`: all jobs through the slowest."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How much one turn measures; see `clients/harness.py`."""

    jobs_max: int
    seconds: float
    latency_jobs: int
    latency_seconds: float


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn showed."""

    jobs: int
    seconds: float
    latencies: tuple[float, ...]

    @property
    def jobs_per_second(self) -> float:
        """From the first submit to the last result."""
        return self.jobs / self.seconds

    @property
    def latency_ms(self) -> float:
        """Median of one job at a time, submit to result."""
        return statistics.median(self.latencies) * 1e3

    def as_json(self) -> dict[str, Any]:
        """For the record."""
        return {
            "jobs": self.jobs,
            "seconds": self.seconds,
            "jobs_per_second": self.jobs_per_second,
            "latency_ms": self.latency_ms,
        }


def read(line: str) -> Turn:
    """The answer of a client.

    Raises:
        ValueError: it is none.
    """
    try:
        found = json.loads(line)
        turn = Turn(int(found["jobs"]), float(found["seconds"]), tuple(map(float, found["latencies"])))
    except (TypeError, KeyError) as error:
        raise ValueError(f"a client must answer jobs, seconds and latencies, not {line[:200]!r}") from error
    if turn.jobs < 1 or turn.seconds <= 0 or not turn.latencies:
        raise ValueError(f"a client measured nothing: {line[:200]!r}")
    return turn


def measure(setup: Setup, programs: Path, brokers: Brokers, amount: Amount) -> Turn:
    """Run one turn.

    Args:
        setup: what to measure.
        programs: folder of its environment's programs.
        brokers: of this run.
        amount: how much.

    Raises:
        Missing: a program of its broker is not there.
        RuntimeError: it failed, with the end of what it wrote.
    """
    with ExitStack() as until:
        folder = Path(until.enter_context(tempfile.TemporaryDirectory(dir=brokers.folder, ignore_cleanup_errors=True)))
        folder.chmod(0o711)  # another user may have a folder inside
        variables = until.enter_context(brokers.broker(setup, folder))
        variables |= {
            "PEER_SETTING": setup.setting,
            "PEER_QUEUE": f"bench{folder.name.replace('_', 'x')}" if setup.peer.broker == "rabbitmq" else "bench",
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(CLIENTS),
            "PYTHONWARNINGS": "ignore",
            "PYTHONDONTWRITEBYTECODE": "1",
            **MORE_VARIABLES.get(setup.peer.program, {}).get(setup.setting, {}),
        }
        log = folder / "workers.log"
        if setup.peer.broker == "postgres":
            _command([str(programs / "procrastinate"), "--app=procrastinate_peer.app", "schema", "--apply"], variables)
        commands = setup.peer.workers if setup.setting == DEFAULT else setup.peer.fast_workers
        for command in commands or setup.peer.workers:
            words = [word.replace("{PEER_URL}", variables["PEER_URL"]) for word in command[1:]]
            until.enter_context(running([str(programs / command[0]), *words], log, variables, CLIENTS))
        return _client(setup, programs, variables, amount, log)


def _command(command: list[str], variables: dict[str, str]) -> None:
    ended = subprocess.run(command, env={**os.environ, **variables}, cwd=CLIENTS, capture_output=True, text=True, timeout=60)
    if ended.returncode:
        raise RuntimeError(f"{command[0]} failed: {ended.stderr.strip()[-500:]}")


def _client(setup: Setup, programs: Path, variables: dict[str, str], amount: Amount, log: Path) -> Turn:
    command = [str(programs / "python"), str(CLIENTS / f"{setup.peer.program}.py")]
    command += [str(each) for each in (amount.jobs_max, amount.seconds, amount.latency_jobs, amount.latency_seconds)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CLIENTS,
        env={**os.environ, **variables}, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            output, errors = process.communicate(timeout=_patience(amount))
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"the client did not end: {_end(log)}") from None
        finally:
            end_group(process)
    if process.returncode:
        raise RuntimeError(f"the client failed: {errors.strip()[-500:]} · workers: {_end(log)}")
    return read(output.strip().splitlines()[-1] if output.strip() else "")


def _patience(amount: Amount) -> float:
    return TURN_SECONDS_MAX + 6 * amount.seconds if amount.seconds else NEVER_SECONDS


def _end(log: Path) -> str:
    return log.read_text(errors="replace").strip()[-500:]
