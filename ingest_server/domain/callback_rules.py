"""Where callbacks may go: the rules for destinations, by the settings for callbacks."""

from __future__ import annotations

from collections.abc import Sequence

from ingest_server.domain.destination import DestinationRules


class CallbackRules(DestinationRules):
    """The rules of one server for callbacks. Args and errors: see `DestinationRules`."""

    def __init__(self, hosts: Sequence[str] = (), networks: Sequence[str] = ()) -> None:
        super().__init__("callback", hosts, networks)
