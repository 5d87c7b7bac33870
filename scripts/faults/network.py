"""A network of two ends on this machine, whose cable can be pulled: a network namespace and a veth pair. Needs root."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from scripts.faults.mounts import run

_CLONE_NEWNET = 0x40000000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Cable:
    """Between this process and a namespace of its own.

    Attributes:
        near, far: addresses of its ends; `far` lies in the namespace.
    """

    near: str
    far: str
    _name: str
    _inside: ThreadPoolExecutor

    def start_inside(self, start: Callable[[], _T]) -> _T:
        """Call it in a thread that lives in the namespace; so do the processes it starts."""
        return self._inside.submit(start).result()

    def pull(self) -> None:
        """Nothing gets through, and nobody is told."""
        run("ip", "link", "set", f"{self._name}n", "down")

    def plug(self) -> None:
        """As it was."""
        run("ip", "link", "set", f"{self._name}n", "up")


@contextmanager
def cable() -> Iterator[Cable]:
    """Lay a cable. Its addresses are of a range for documents (RFC 5737): it leads nowhere. Raises OSError where that is
    not permitted."""
    name = f"igs{os.getpid() % 100_000}"
    near, far = "198.51.100.1", "198.51.100.2"
    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "add", f"{name}n", "type", "veth", "peer", "name", f"{name}f", "netns", name)
        run("ip", "addr", "add", f"{near}/30", "dev", f"{name}n")
        run("ip", "link", "set", f"{name}n", "up")
        inside = ("ip", "netns", "exec", name, "ip")
        run(*inside, "addr", "add", f"{far}/30", "dev", f"{name}f")
        run(*inside, "link", "set", f"{name}f", "up")
        run(*inside, "link", "set", "lo", "up")
        with ThreadPoolExecutor(1, initializer=_enter, initargs=(f"/run/netns/{name}",)) as thread:
            yield Cable(near, far, name, thread)
    finally:
        run("ip", "netns", "del", name)  # takes both ends of the cable with it


def _enter(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(descriptor)
