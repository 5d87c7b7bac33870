"""A document as JSON, in protobuf's mapping: names in lowerCamel, enums by name, bytes in base64."""

from __future__ import annotations

import re

from google.protobuf import json_format

from ingest.v1 import document_pb2

_STEERING = re.compile("[\x7f-\x9f\u2028\u2029]")
"""JSON's own rules escape what is below a blank; these are the others that steer a terminal, or end a line for some readers."""


def protojson(document: document_pb2.Document, *, indent: int | None = 2) -> str:
    """Render as JSON.

    Args:
        document: what to render; fields that are not set are left out.
        indent: blanks a level; None for all in one line.

    Returns:
        A JSON object, of which `google.protobuf.json_format.Parse` makes the same document. Letters are themselves, not escaped.
    """
    text = json_format.MessageToJson(document, indent=indent, ensure_ascii=False)
    return _STEERING.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
