"""What is compared: each peer with its broker, its settings, how it is started, and what is durable when it acknowledges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

DEFAULT, FAST, DURABLE = "default", "fast", "durable"
SETTINGS = (DEFAULT, FAST, DURABLE)
"""As the peer comes; what its documentation advises for speed; the same with a broker that syncs before it acknowledges."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A queue with its broker.

    Attributes:
        name: for the command line and the record.
        program: module in `clients`, both its tasks and its client.
        needs: what pip installs for it, the queue first.
        broker: "redis", "rabbitmq", "postgres" or "sqlite".
        workers: commands that make two worker processes; the first word is a program of its environment;
            {PEER_URL} stands for where its broker is.
        fast_workers: the same in the fast settings; empty: as `workers`.
        default_durable: whether a job is synced to disk before its submit returns in the default setting.
    """

    name: str
    program: str
    needs: tuple[str, ...]
    broker: str
    workers: tuple[tuple[str, ...], ...]
    fast_workers: tuple[tuple[str, ...], ...] = ()
    default_durable: bool = False

    @property
    def environment(self) -> str:
        """Name of its virtual environment."""
        return self.program.removesuffix("_peer")


@dataclass(frozen=True, slots=True)
class Setup:
    """A peer in one of its settings."""

    peer: Peer
    setting: str

    @property
    def name(self) -> str:
        """For the command line and the record."""
        return f"{self.peer.name}/{self.setting}"

    @property
    def durable(self) -> bool:
        """Whether an accepted job is synced to disk before its submit returns."""
        return self.setting == DURABLE or (self.setting == DEFAULT and self.peer.default_durable)

    @property
    def durability(self) -> str:
        """The same in the words of the broker."""
        return _DURABILITY[self.peer.broker][SETTINGS.index(self.setting)]


_DURABILITY = {
    "redis": ("appendonly no", "appendonly no", "appendonly yes, appendfsync always"),
    "rabbitmq": (
        "classic durable queue, persistent, no confirms",
        "transient messages or no confirms",
        "durable queue, persistent, publisher confirms",
    ),
    "postgres": ("synchronous_commit on", "synchronous_commit off", "synchronous_commit on"),
    "sqlite": ("WAL, synchronous FULL", "WAL, synchronous OFF", "WAL, synchronous FULL"),
}

_CELERY = ("celery", "-A", "celery_peer", "worker", "--loglevel", "ERROR")
# Two nodes that run tasks in their own process spare the pipe to a child; no gossip, no heartbeats: the daemon's own switches.
_SOLO = (*_CELERY, "--pool", "solo", "--without-gossip", "--without-mingle", "--without-heartbeat")
_CELERY_SOLO = ((*_SOLO, "-n", "one@%h"), (*_SOLO, "-n", "two@%h"))
_TASKIQ = ("taskiq", "worker", "taskiq_peer:broker", "--workers", "2", "--log-level", "ERROR")
_DRAMATIQ = ("dramatiq", "dramatiq_peer", "--processes", "2")
_ARQ = ("arq", "arq_peer.WorkerSettings")
# Started from Python, as their documentation shows too, they do not write two lines of log for each job.
_ARQ_QUIET = (
    "python",
    "-c",
    "import arq, arq_peer, asyncio; asyncio.set_event_loop(asyncio.new_event_loop()); arq.run_worker(arq_peer.WorkerSettings)",
)
_STREAQ_QUIET = ("python", "-c", "import streaq_peer; streaq_peer.worker.run_sync()")
_PROCRASTINATE = ("procrastinate", "--app=procrastinate_peer.app", "worker")
_PROCRASTINATE_FAST = (*_PROCRASTINATE, "--concurrency", "20")
_HUEY = ("huey_consumer", "huey_peer.huey", "--workers", "2", "--worker-type", "process", "--quiet")
_RQ = ("rq", "worker-pool", "bench", "--num-workers", "2", "--quiet", "--url", "{PEER_URL}")

PEERS = (
    Peer("celery-redis", "celery_peer", ("celery[redis]",), "redis", ((*_CELERY, "--concurrency", "2"),), _CELERY_SOLO),
    Peer("celery-rabbitmq", "celery_peer", ("celery[redis]",), "rabbitmq", ((*_CELERY, "--concurrency", "2"),), _CELERY_SOLO),
    Peer(
        "taskiq",
        "taskiq_peer",
        ("taskiq", "taskiq-redis", "uvloop"),
        "redis",
        (_TASKIQ,),
        ((*_TASKIQ, "--max-async-tasks", "1000"),),
    ),
    Peer(
        "streaq",
        "streaq_peer",
        ("streaq", "uvloop"),
        "redis",
        (("streaq", "run", "streaq_peer:worker", "--workers", "2"),),
        (_STREAQ_QUIET, _STREAQ_QUIET),
    ),
    Peer("arq", "arq_peer", ("arq", "hiredis", "uvloop"), "redis", (_ARQ, _ARQ), (_ARQ_QUIET, _ARQ_QUIET)),
    # It imports typing_extensions without asking for it under Python 3.11.
    Peer(
        "saq",
        "saq_peer",
        ("saq[redis,hiredis]", "typing_extensions", "uvloop"),
        "redis",
        (("saq", "saq_peer.settings", "--workers", "2", "--quiet"),),
    ),
    Peer("dramatiq-redis", "dramatiq_peer", ("dramatiq[redis,rabbitmq]", "hiredis"), "redis", (_DRAMATIQ,)),
    Peer("dramatiq-rabbitmq", "dramatiq_peer", ("dramatiq[redis,rabbitmq]", "hiredis"), "rabbitmq", (_DRAMATIQ,)),
    Peer(
        "huey",
        "huey_peer",
        ("huey",),
        "sqlite",
        (_HUEY,),
        ((*_HUEY, "--delay", "0.005", "--max-delay", "0.01"),),
        default_durable=True,
    ),
    Peer(
        "procrastinate",
        "procrastinate_peer",
        ("procrastinate", "psycopg[binary,pool]"),
        "postgres",
        (_PROCRASTINATE, _PROCRASTINATE),
        (_PROCRASTINATE_FAST, _PROCRASTINATE_FAST),
        default_durable=True,
    ),
    Peer("rq", "rq_peer", ("rq", "hiredis"), "redis", (_RQ,), ((*_RQ, "--worker-class", "rq.worker.SimpleWorker"),)),
)
"""All peers, in the order of the table."""

MORE_VARIABLES = {
    "dramatiq_peer": {FAST: {"dramatiq_queue_prefetch": "500"}, DURABLE: {"dramatiq_queue_prefetch": "500"}},
}
"""By program and setting: what its documentation sets by environment variables."""


def chosen(names: Sequence[str]) -> Iterator[Setup]:
    """All setups, or those that the names choose: a peer ("arq") or one setting of it ("arq/fast").

    Raises:
        ValueError: a name is not known.
    """
    known = [Setup(peer, setting) for peer in PEERS for setting in SETTINGS]
    for name in names:
        if not any(name in (setup.name, setup.peer.name) for setup in known):
            names_known = ", ".join(peer.name for peer in PEERS)
            raise ValueError(f"there is no peer {name!r}; there are {names_known}, each also as NAME/SETTING")
    for setup in known:
        if not names or setup.name in names or setup.peer.name in names:
            yield setup
