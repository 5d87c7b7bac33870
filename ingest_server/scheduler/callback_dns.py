"""Names to addresses for callbacks, in threads of their own: a name server that does not answer holds up nothing else."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

THREADS_MAX = 8
"""Questions under way. The system's resolver waits up to half a minute for a name server; in the loop's common threads, some of
those who own a name could so stop what else runs there."""


class ThreadedDns(AbstractResolver):
    """The system's resolver (`getaddrinfo`), asked anew for each connection."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="callback-dns")

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """All addresses of a name, in the system's order. Raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, self._ask, host, port, family)
        addresses: list[ResolveResult] = [
            {
                "hostname": host,
                "host": str(address[0]),
                "port": port,
                "family": kind,
                "proto": protocol,
                "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            }
            for kind, _, protocol, _, address in found
            if kind == socket.AF_INET or (len(address) == 4 and not address[3])
        ]
        if not addresses:  # link-local ones only, whose scope means nothing elsewhere
            raise OSError(None, "the name has no address that can be connected to")
        return addresses

    async def close(self) -> None:
        """Ask nothing more; a question under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @staticmethod
    def _ask(host: str, port: int, family: socket.AddressFamily) -> list[tuple[int, int, int, str, tuple[str, int, int, int]]]:
        return socket.getaddrinfo(  # type: ignore[return-value]  # IPv4 addresses have two parts
            host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
