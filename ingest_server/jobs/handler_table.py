"""The handlers that are loaded, and whether options suit them: what a job is checked against before it is accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

import jsonschema_rs

from ingest_server.domain.errors import InternalError
from ingest_server.engines.interface import HandlerDescription

PROBLEMS_MAX = 8
"""Problems told of one set of options: enough to repair it, few enough for an error message."""


class HandlerTable(Protocol):
    """What acceptance needs to know of the handlers. Never changes: a reload makes a new one."""

    @property
    def names(self) -> frozenset[str]:
        """All handlers."""
        ...

    def check(self, name: str, options: Mapping[str, Any]) -> list[str]:
        """Tell what is wrong with `options` for handler `name`, each problem with its place and rule; at most `PROBLEMS_MAX`.

        `name` must be one of `names`. Numbers may come as floats, as JSON does not tell them apart.
        """
        ...


class LoadedHandlers:
    """The table made from what the engine says of its handlers.

    Args:
        descriptions: of all handlers. Their schemas are compiled here, once.

    Raises:
        InternalError: a handler's schema is no JSON schema; the message names the handler.
    """

    def __init__(self, descriptions: Sequence[HandlerDescription]) -> None:
        self._validators = {description.name: _compile(description) for description in descriptions}
        self._names = frozenset(self._validators)

    @property
    def names(self) -> frozenset[str]:
        """All handlers."""
        return self._names

    def check(self, name: str, options: Mapping[str, Any]) -> list[str]:
        """See `HandlerTable`."""
        errors = self._validators[name].iter_errors(dict(options))
        return [_told(error) for error in islice(errors, PROBLEMS_MAX)]


def _compile(description: HandlerDescription) -> Any:
    try:
        return jsonschema_rs.validator_for(description.options_schema)
    except (ValueError, jsonschema_rs.ValidationError) as error:
        raise InternalError(
            f"handler {description.name!r} describes its options with something that is no JSON schema: {error}"
        ) from error


def _told(error: jsonschema_rs.ValidationError) -> str:
    place = ".".join(str(step) for step in error.instance_path)
    return f"{place}: {error.message}" if place else str(error.message)
