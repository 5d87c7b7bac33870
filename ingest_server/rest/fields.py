"""Kinds of fields, the same for every protobuf runtime that may be installed."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

_HAS_IS_REPEATED = hasattr(FieldDescriptor, "is_repeated")
"""From 6.31 on; there `label` is on its way out, and later versions warn of it."""
_LABEL_REPEATED = 3


def is_repeated(field: FieldDescriptor) -> bool:
    """Whether a field is a list or a map."""
    known: Any = field
    return bool(known.is_repeated) if _HAS_IS_REPEATED else known.label == _LABEL_REPEATED


def is_map(field: FieldDescriptor) -> bool:
    """Whether a field is a map."""
    kind = field.message_type
    return kind is not None and bool(kind.GetOptions().map_entry) and is_repeated(field)


def is_list(field: FieldDescriptor) -> bool:
    """Whether a field is repeated and no map."""
    return is_repeated(field) and not is_map(field)


def message_type(field: FieldDescriptor) -> Descriptor:
    """The type of a field that is a message."""
    kind: Any = field.message_type
    if kind is None:
        raise TypeError(f"{field.full_name} is no message")
    found: Descriptor = kind
    return found
