"""How a setting is declared: a field of a frozen dataclass with its meaning, default, reason and limits; and what a fault is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field
from types import MappingProxyType
from typing import Any

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
HOUR_SECONDS = 3_600.0
DAY_SECONDS = 86_400.0

SETTING = "ingest_setting"


@dataclass(frozen=True, slots=True)
class SettingInfo:
    """What is known of a field besides its name, type and default.

    Attributes:
        doc: one or two sentences for `--help`, with the reason of the default where it is not plain.
        least, most: smallest and largest value, both allowed; None: no such limit.
        choices: the only values allowed; empty: any.
        live: may change while the server runs.
        secret: never printed, and no flag: a command line is readable by every user of the machine.
    """

    doc: str
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False
    secret: bool = False


def setting(default: Any, doc: str, **info: Any) -> Any:
    """Declare a field. `default` is a value, or a callable that makes one."""
    metadata: Mapping[str, SettingInfo] = MappingProxyType({SETTING: SettingInfo(doc, **info)})
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong value: where it came from, which setting, the value (None: there is none), and the rule it breaks."""

    source: str
    name: str
    value: Any
    rule: str

    def __str__(self) -> str:
        shown = "" if self.value is None else f" = {self.value!r}"
        return f"{self.source}: {self.name}{shown} {self.rule}"


class SettingsError(ValueError):
    """Some values are wrong. `faults` lists all of them, in the order of the fields."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in faults))


def broken_rule(info: SettingInfo, value: Any) -> str:
    """Tell which of a field's own limits `value` breaks, in words; "" if none."""
    if info.choices and value not in info.choices:
        return f"must be one of {', '.join(info.choices)}"
    if info.least is not None and not value >= info.least:
        return f"must be at least {info.least:,}"
    if info.most is not None and not value <= info.most:
        return f"must be at most {info.most:,}"
    return ""


def own_faults(declared: Sequence[Field[Any]], values: Mapping[str, Any]) -> list[Fault]:
    """The fields whose own limits are broken."""
    faults = []
    for item in declared:
        info: SettingInfo = item.metadata[SETTING]
        reason = broken_rule(info, values[item.name])
        if reason:
            faults.append(Fault("settings", item.name, values[item.name], reason))
    return faults
