"""The update mask of a PATCH that carries none: what the body names is what changes (grpc-gateway's patch feature)."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from ingest_server.rest.errors import invalid
from ingest_server.rest.fields import is_repeated
from ingest_server.rest.routes import WHOLE, Route

DYNAMIC = frozenset({"google.protobuf.Struct", "google.protobuf.Value"})
"""Their keys are data: the paths go on below them."""


def add_patch_mask(message: Message, route: Route, tree: Any) -> None:
    """Fill the request's field mask with the paths of the body's leaves, unless it is set.

    Only where the rule's body is one field of the request and the request has exactly one google.protobuf.FieldMask.

    Args:
        message: the request, filled.
        route: of verb PATCH.
        tree: the body, as `read_json` gives it.

    Raises:
        RestError: INVALID_ARGUMENT: the body names a field that does not exist, so what it wants changed cannot be.
    """
    fields: Any = message.DESCRIPTOR.fields
    masks = [field for field in fields if _type_name(field) == "google.protobuf.FieldMask" and not is_repeated(field)]
    field = route.body_field
    if route.body == WHOLE or field is None or field.message_type is None or is_repeated(field) or len(masks) != 1:
        return
    mask = getattr(message, masks[0].name)
    if not mask.paths:
        mask.SetInParent()
        mask.paths.extend(sorted(_paths(field.message_type, tree, "", field.name)))


def _paths(kind: Any, tree: Any, prefix: str, shown: str) -> list[str]:
    """Paths of the leaves; an empty object is a leaf."""
    found: list[str] = []
    for key, value in tree:
        field = kind.fields_by_name.get(key) or next((item for item in kind.fields if item.json_name == key), None)
        if field is None:
            raise invalid(f"{shown}.{key}: {kind.full_name} has no such field, so it cannot be changed", field=f"{shown}.{key}")
        path = prefix + field.name
        if is_repeated(field) or field.message_type is None or not isinstance(value, tuple) or not value:
            found.append(path)
        elif _type_name(field) in DYNAMIC:
            found += _blind(path, value)
        elif _type_name(field) == "google.protobuf.Any":
            found.append(path)
        else:
            found += _paths(field.message_type, value, path + ".", f"{shown}.{key}")
    return found


def _blind(path: str, tree: Any) -> list[str]:
    if not isinstance(tree, tuple) or not tree:
        return [path]
    return [deeper for key, value in tree for deeper in _blind(f"{path}.{key}", value)]


def _type_name(field: Any) -> str:
    kind: Any = field.message_type
    return "" if kind is None else str(kind.full_name)
