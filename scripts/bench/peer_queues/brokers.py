"""Brokers on the loopback address with temporary folders: Redis and PostgreSQL for each turn, RabbitMQ for the whole run."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.bench.peer_queues.environments import Missing, system_program
from scripts.bench.peer_queues.processes import answers, free_port, running, wait_until
from scripts.bench.peer_queues.setups import DURABLE, FAST, Setup


@dataclass(slots=True)
class Brokers:
    """What a run starts.

    Attributes:
        folder: of this run; on the disk to measure, and such that other users may enter it.
        until: ends what lasts for the whole run.
    """

    folder: Path
    until: ExitStack
    _rabbitmq_port: int = 0
    _cluster: Path | None = field(default=None)

    @contextmanager
    def broker(self, setup: Setup, folder: Path) -> Iterator[dict[str, str]]:
        """Start what `setup` needs. Yields PEER_URL, where results are (and jobs), and PEER_BROKER_URL, where jobs are.

        Raises:
            Missing: a program is not installed.
        """
        kind = setup.peer.broker
        if kind == "sqlite":
            yield {"PEER_URL": str(folder / "queue.db")}
        elif kind == "postgres":
            with self._postgres(setup, folder) as url:
                yield {"PEER_URL": url, "PGCONNECT_TIMEOUT": "10"}
        else:
            with redis(folder, setup.setting == DURABLE) as url:
                if kind == "redis":
                    yield {"PEER_URL": url}
                else:
                    port = self._rabbitmq()
                    yield {"PEER_URL": url, "PEER_BROKER_URL": f"amqp://guest:guest@127.0.0.1:{port}/%2F"}

    def _rabbitmq(self) -> int:
        """One broker for the whole run, as it takes seconds to start; each turn has a queue of its own in it."""
        if not self._rabbitmq_port:
            self._rabbitmq_port = self.until.enter_context(rabbitmq(self.folder))
        return self._rabbitmq_port

    @contextmanager
    def _postgres(self, setup: Setup, folder: Path) -> Iterator[str]:
        """A copy of one empty cluster."""
        programs = system_program("initdb").parent
        user = "postgres" if os.geteuid() == 0 else None
        if user and user not in {entry.pw_name for entry in pwd.getpwall()}:
            raise Missing("PostgreSQL refuses to run as root, and there is no user postgres")
        if self._cluster is None:
            self._cluster = _empty_cluster(programs, self.folder / "cluster", user)
        data = folder / "postgres"
        shutil.copytree(self._cluster, data)
        if user:
            _give(data, user)
        port = free_port()
        off = ["-c", "synchronous_commit=off"] if setup.setting == FAST else []
        command = [str(programs / "postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(data), *off]
        log = folder / "postgres.log"
        with running(command, log, user=user, folder=data) as process:
            ready = [str(programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(port)]
            wait_until("PostgreSQL", lambda: subprocess.run(ready, capture_output=True).returncode == 0, process, log)
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"


def _empty_cluster(programs: Path, data: Path, user: str | None) -> Path:
    data.mkdir()
    data.chmod(0o700)
    if user:
        _give(data, user)
    command = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C"]
    groups: list[str] | None = [] if user else None
    ended = subprocess.run(command, capture_output=True, text=True, user=user, group=user, extra_groups=groups, cwd=data)
    if ended.returncode:
        raise Missing(f"initdb failed: {ended.stderr.strip()[-300:]}")
    return data


def _give(folder: Path, user: str) -> None:
    owner = pwd.getpwnam(user)
    for place, _, files in os.walk(folder):
        for path in (place, *(os.path.join(place, name) for name in files)):
            os.chown(path, owner.pw_uid, owner.pw_gid)


@contextmanager
def redis(folder: Path, durable: bool) -> Iterator[str]:
    """A Redis; with `durable` it syncs its log before each answer, else it keeps none. Snapshots are off: they only cost."""
    port = free_port()
    log = ["--appendonly", "yes", "--appendfsync", "always"] if durable else ["--appendonly", "no"]
    command = [
        str(system_program("redis-server")),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--dir",
        str(folder),
        "--save",
        "",
        *log,
    ]
    output = folder / "redis.log"
    with running(command, output) as process:
        wait_until("Redis", lambda: answers(port), process, output)
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def rabbitmq(folder: Path) -> Iterator[int]:
    """A RabbitMQ with a port mapper of its own, so that nothing outlives it. Yields its port."""
    program = system_program("rabbitmq-server")
    mapper = shutil.which("epmd")
    if mapper is None:
        raise Missing("epmd is not installed: it comes with Erlang")
    home = folder / "rabbitmq"
    home.mkdir()
    port, mapper_port, between = free_port(), free_port(), free_port()
    variables = {
        "HOME": str(home),
        "ERL_EPMD_PORT": str(mapper_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"bench{os.getpid()}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(between),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none",
    }
    (home / "plugins").write_text("[].\n")
    log = home / "output"
    with running([mapper, "-port", str(mapper_port), "-address", "127.0.0.1"], log) as names:
        wait_until("epmd", lambda: answers(mapper_port), names, log)
        with running([str(program)], log, variables, home) as process:
            wait_until("RabbitMQ", lambda: answers(port), process, log, seconds=120.0)
            yield port
