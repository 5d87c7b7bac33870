"""What an extract may be asked for beyond plain values: the enums of job.proto, under the same numbers."""

from __future__ import annotations

from enum import IntEnum


class ContentScope(IntEnum):
    """How much of a page that has more than its content is read: the values of `ingest.v1.ContentScope`; UNSPECIFIED is read as
    MAIN."""

    UNSPECIFIED = 0
    MAIN = 1
    FULL = 2


class OcrMode(IntEnum):
    """Whether text in pictures is recognised: the values of `ingest.v1.OcrMode`; UNSPECIFIED is read as AUTO."""

    UNSPECIFIED = 0
    AUTO = 1
    OFF = 2


class TableMode(IntEnum):
    """Whether tables are looked for where the document does not say what is one: the values of `ingest.v1.TableMode`;
    UNSPECIFIED is read as ON."""

    UNSPECIFIED = 0
    ON = 1
    OFF = 2


def enum_fault(kind: type[IntEnum], value: int) -> str:
    """What is wrong with an enum's number, to be put behind the name of its field; "" if nothing is."""
    if value in frozenset(kind):
        return ""
    return f"must be one of {', '.join(f'{each.value} ({each.name})' for each in kind)}, not {value}"
