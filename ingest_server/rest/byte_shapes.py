"""Which RPCs carry plain bytes: read from the descriptors, so that a raw body needs no route of its own.

- An RPC *takes bytes* if it streams from the client only, and its request has the singular fields `string sha256`,
  `int64 offset_bytes`, `bytes data`, `bool finish`: the digest of the whole and where the data begins in the first message, the
  data in order, and the mark of the last message. Its HTTP request may carry the bytes themselves.
- An RPC *gives bytes* if it streams from the server only, its request has `string sha256`, `int64 offset_bytes`,
  `int64 limit_bytes` (0: no limit), and its response has `int64 offset_bytes`, `bytes data`, `int64 size_bytes`: the data in
  order, and in the first message, which always comes, the size of the whole. Its HTTP answer may be the bytes themselves, or a
  range.
"""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from ingest_server.rest.fields import is_repeated
from ingest_server.rest.routes import Route

_TEXT, _NUMBER, _BYTES, _TRUTH = (
    FieldDescriptor.TYPE_STRING,
    FieldDescriptor.TYPE_INT64,
    FieldDescriptor.TYPE_BYTES,
    FieldDescriptor.TYPE_BOOL,
)
_TAKEN = {"sha256": _TEXT, "offset_bytes": _NUMBER, "data": _BYTES, "finish": _TRUTH}
_ASKED = {"sha256": _TEXT, "offset_bytes": _NUMBER, "limit_bytes": _NUMBER}
_GIVEN = {"offset_bytes": _NUMBER, "data": _BYTES, "size_bytes": _NUMBER}


def takes_bytes(route: Route) -> bool:
    """Whether a request to this route may be the bytes themselves."""
    return route.client_streaming and not route.server_streaming and _has(route.method.input_type, _TAKEN)


def gives_bytes(route: Route) -> bool:
    """Whether an answer of this route may be the bytes themselves."""
    one_way = route.server_streaming and not route.client_streaming
    return one_way and _has(route.method.input_type, _ASKED) and _has(route.method.output_type, _GIVEN)


def _has(message: Descriptor, wanted: Mapping[str, int]) -> bool:
    for name, kind in wanted.items():
        field = message.fields_by_name.get(name)
        if field is None or field.type != kind or is_repeated(field):
            return False
    return True
