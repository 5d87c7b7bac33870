"""The handlers of a server by name, and the list of modules that are built in."""

from __future__ import annotations

from collections.abc import Iterator

from ingest_server.domain.errors import InvalidRequest
from ingest_server.handlers.interface import HandlerSpec

BUILTIN_MODULES: tuple[str, ...] = (
    "ingest_server.handlers.echo",
    "ingest_server.handlers.extract",
    "ingest_server.handlers.page_parts",
    "ingest_server.handlers.member_parts",
    "ingest_server.handlers.split",
    "ingest_server.handlers.filter",
    "ingest_server.handlers.dedup",
    "ingest_server.handlers.embed",
    "ingest_server.handlers.store",
)
"""One line for each module of handlers that every server has."""


class HandlerRegistry:
    """Handlers by name. Filled once by the loader, then only read."""

    def __init__(self) -> None:
        self._specs: dict[str, HandlerSpec] = {}
        self._sources: dict[str, str] = {}

    def add(self, spec: HandlerSpec, source: str) -> None:
        """Register a handler that `source`, a module, brought. The same handler again (a module that imports another) is no
        conflict. Raises InvalidRequest if another handler has the name."""
        present = self._specs.get(spec.name)
        if present is spec:
            return
        if present is not None:
            raise InvalidRequest(
                f"two handlers are named {spec.name!r}: one from {self._sources[spec.name]}, one from {source}: rename one"
            )
        self._specs[spec.name] = spec
        self._sources[spec.name] = source

    def get(self, name: str) -> HandlerSpec | None:
        """The handler of that name, None if there is none."""
        return self._specs.get(name)

    def source(self, name: str) -> str:
        """The module that brought a registered handler."""
        return self._sources[name]

    def __iter__(self) -> Iterator[HandlerSpec]:
        """All handlers by name."""
        return iter(sorted(self._specs.values(), key=lambda spec: spec.name))

    def __len__(self) -> int:
        return len(self._specs)
