"""One file of the hostile set: what it is called, to which row of the table it belongs, and how its bytes are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostileFile:
    """A file to send.

    Attributes:
        identity: unique in the set and the same at every run with the same seed: names it in reports and for --only.
        group: row of the table.
        name: as the client sends it.
        make: its bytes; made when it is sent, so that a set larger than memory can be.
        heavy: takes more than some seconds to make or to read: left out of short rounds.
    """

    identity: str
    group: str
    name: str
    make: Callable[[], bytes]
    heavy: bool = False
