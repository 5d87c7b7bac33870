"""The stores by name: the one place that knows which there are. A driver is imported only when its store is chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ingest_server.domain.errors import InvalidRequest
from ingest_server.store.interface import JobStore


def _memory(directory: Path, *, ageing_us: int, on_lost: Callable[[], None] | None, **_: Any) -> JobStore:
    from ingest_server.store.memory import MemoryStore

    return MemoryStore(ageing_us=ageing_us)


def _sqlite(directory: Path, *, ageing_us: int, on_lost: Callable[[], None] | None, **limits: Any) -> JobStore:
    from ingest_server.store.sqlite.store import SqliteStore

    return SqliteStore(directory, ageing_us=ageing_us, on_lost=on_lost, **limits)


_STORES: dict[str, Callable[..., JobStore]] = {"memory": _memory, "sqlite": _sqlite}

STORE_NAMES = tuple(sorted(_STORES))


def create_store(
    name: str, directory: Path, *, ageing_us: int, on_lost: Callable[[], None] | None = None, **limits: Any
) -> JobStore:
    """Make a store; `open` it before use.

    Args:
        name: one of `STORE_NAMES`.
        directory: the data directory.
        ageing_us: a waiting job gains one step of priority with every so many microseconds.
        on_lost: called in the event loop if the store ends unasked.
        limits: of the store chosen; others ignore them. See `SqliteStore`.

    Raises:
        InvalidRequest: no store of that name.
    """
    factory = _STORES.get(name)
    if factory is None:
        raise InvalidRequest(f'there is no store "{name}": choose one of {", ".join(STORE_NAMES)}')
    return factory(directory, ageing_us=ageing_us, on_lost=on_lost, **limits)
