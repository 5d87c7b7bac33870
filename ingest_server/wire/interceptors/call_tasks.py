"""Keeps hold of the tasks that serve calls, so that a stop can wait for the last of them.

`grpc.aio.Server.stop` cancels what is left after its grace time but does not wait for it: without this a handler could still be
running its `finally` while the store is being closed under it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ingest_server.wire.calls import Behaviour, Context, Method


class CallTasks:
    """The tasks of the calls under way."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def wrap(self, method: Method, inner: Behaviour) -> Behaviour:
        """See `Interceptor`."""
        tasks = self._tasks

        async def held(request: Any, context: Context) -> bytes | None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                return await inner(request, context)
            finally:
                tasks.discard(task)

        return held

    async def finish(self, seconds: float) -> int:
        """Cancel what is still running, and wait for it at most so long. Answers how many calls did not end."""
        left = set(self._tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=seconds)
        return sum(not task.done() for task in left)
