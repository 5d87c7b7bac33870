"""The list of bombs, which their makers enter themselves into."""

from __future__ import annotations

from collections.abc import Callable

from scripts.hostile_set.hostile_file import HostileFile

Maker = Callable[[], bytes]
BOMBS: list[HostileFile] = []
"""In the order in which the modules are loaded."""


def bomb(group: str, name: str, *, heavy: bool = False) -> Callable[[Maker], Maker]:
    """Enter a function that makes a file.

    Args:
        group: row of the table.
        name: of the file; unique in its group.
        heavy: see `HostileFile`.
    """

    def enter(make: Maker) -> Maker:
        BOMBS.append(HostileFile(f"{group}/{make.__name__.strip('_')}", f"bombs: {group}", name, make, heavy))
        return make

    return enter
