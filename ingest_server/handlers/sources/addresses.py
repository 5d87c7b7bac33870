"""Names to addresses, without waiting longer than the fetch may: the system's resolver knows no limit of its own."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any, TypeAlias

from ingest_server.handlers.sources.watch import Watch

Address: TypeAlias = tuple[int, tuple[Any, ...]]
"""(family, address as `socket.connect` takes it)"""
Resolver: TypeAlias = Callable[[str, int], Sequence[Address]]
"""From host and port to all addresses, in the order to try them. Blocks; raises OSError."""


def system_resolver(host: str, port: int) -> list[Address]:
    """The system's resolver (`getaddrinfo`), asked anew each time."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [(family, address) for family, _, _, _, address in found]


def addresses_of(host: str, port: int, resolver: Resolver, watch: Watch) -> Sequence[Address]:
    """All addresses of a host; its own if it is one.

    The question is asked on a thread, which stays behind if the watch ends first: for as long as the system's resolver waits for
    its name servers, half a minute.

    Raises:
        OSError: there are none.
        HandlerFailure, Cancelled: see `Watch`.
    """
    try:
        literal = ip_address(host)
    except ValueError:
        pass
    else:
        return [(socket.AF_INET, (host, port)) if literal.version == 4 else (socket.AF_INET6, (host, port, 0, 0))]
    answers: queue.SimpleQueue[Sequence[Address] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolver(host, port))
        except OSError as error:
            answers.put(error)
        except UnicodeError as error:  # what `getaddrinfo` says to a name with a part of more than 63 bytes
            answers.put(OSError(None, str(error)))

    try:
        threading.Thread(target=ask, name="source-dns", daemon=True).start()
    except RuntimeError as error:  # the attempt's limits leave no room for one
        raise OSError(None, str(error)) from error
    while True:
        try:
            answer = answers.get(timeout=watch.tick_seconds())
        except queue.Empty:
            continue
        if isinstance(answer, OSError):
            raise answer
        return answer
