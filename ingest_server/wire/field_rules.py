"""The rules that fields of several messages share: ids, names, digests, spans of time. Each gives the value and notes faults.

The value given for a field at fault does not matter: an item with a fault is refused as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from ingest_server.wire.faults import Faults, invalid, shown
from ingest_server.wire.times import duration_us, shown_span, timestamp_us
from ingest_server.wire.uuid_text import parse_uuid

UUID_RULE = "must be a UUID in its 36-character form, such as 0190b6f0-7c3e-7cc3-98c4-dc0c0c07398f"
DIGEST_RULE = "must be a SHA-256 as 64 lower-case hexadecimal digits"
QUEUE_RULE = "must match [a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?"
LABEL_KEY_RULE = "key must match [a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?"
KEY_BYTES_MAX = 255
LABELS_MAX = 32

_QUEUE_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(r"[a-z0-9](?:[a-z0-9._/-]{0,61}[a-z0-9])?")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def required_uuid(path: str, text: str) -> bytes:
    """16 bytes of a UUID. Raises InvalidRequest."""
    try:
        return parse_uuid(text)
    except ValueError:
        raise invalid(path, f"{UUID_RULE}, not {shown(text)}") from None


def optional_uuid(path: str, text: str) -> bytes:
    """16 bytes of a UUID, or b"" for "". Raises InvalidRequest."""
    return required_uuid(path, text) if text else b""


def required_digest(path: str, text: str) -> bytes:
    """32 bytes of a SHA-256. Raises InvalidRequest."""
    if not _DIGEST.fullmatch(text):
        raise invalid(path, f"{DIGEST_RULE}, not {shown(text)}")
    return bytes.fromhex(text)


def checked_digest(faults: Faults, path: str, text: str) -> bytes:
    """32 bytes of a SHA-256."""
    if not _DIGEST.fullmatch(text):
        faults.add(path, f"{DIGEST_RULE}, not {shown(text)}")
        return b""
    return bytes.fromhex(text)


def required_queue(path: str, name: str) -> str:
    """A queue's name. Raises InvalidRequest."""
    if not _QUEUE_NAME.fullmatch(name):
        raise invalid(path, f"{QUEUE_RULE}, not {shown(name)}")
    return name


def checked_queue(faults: Faults, path: str, name: str) -> str:
    """A queue's name."""
    if not _QUEUE_NAME.fullmatch(name):
        faults.add(path, f"{QUEUE_RULE}, not {shown(name)}")
    return name


def checked_text(faults: Faults, path: str, text: str, bytes_max: int) -> str:
    """A text of bounded size."""
    # A character takes at most four bytes: only near the limit is it worth encoding.
    if len(text) * 4 > bytes_max and (size := len(text.encode("utf-8"))) > bytes_max:
        faults.add(path, f"must have at most {bytes_max:,} bytes, not {size:,}")
    return text


def checked_labels(faults: Faults, path: str, labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Labels as sorted pairs."""
    if len(labels) > LABELS_MAX:
        faults.add(path, f"must have at most {LABELS_MAX} labels, not {len(labels):,}")
        return ()
    for key, value in labels.items():
        checked_label_key(faults, path, key)
        checked_text(faults, f"{path}[{shown(key)}]", value, KEY_BYTES_MAX)
    return tuple(sorted(labels.items()))


def checked_label_key(faults: Faults, path: str, key: str) -> str:
    """The key of a label."""
    if not _LABEL_KEY.fullmatch(key):
        faults.add(path, f"{LABEL_KEY_RULE}, not {shown(key)}")
    return key


def checked_number(faults: Faults, path: str, value: float, least: float, most: float) -> float:
    """A number in a range, both ends allowed. NaN lies in none."""
    if not least <= value <= most:
        faults.add(path, f"must be {least:,} … {most:,}, not {value:,}")
    return value


def checked_span(faults: Faults, path: str, span: Duration, least_us: int, most_us: int) -> int:
    """A span of time in microseconds, in a range, both ends allowed."""
    try:
        span_us = duration_us(span)
    except ValueError as error:
        faults.add(path, str(error))
        return 0
    if not least_us <= span_us <= most_us:
        faults.add(path, f"must be {shown_span(least_us)} … {shown_span(most_us)}, not {shown_span(span_us)}")
    return span_us


def required_span(path: str, span: Duration, least_us: int, most_us: int) -> int:
    """A span of time in microseconds, in a range. Raises InvalidRequest."""
    faults = Faults()
    span_us = checked_span(faults, path, span, least_us, most_us)
    if faults:
        raise faults.error()
    return span_us


def checked_time(faults: Faults, path: str, stamp: Timestamp) -> int:
    """A moment in microseconds since the epoch."""
    try:
        return timestamp_us(stamp)
    except ValueError as error:
        faults.add(path, str(error))
        return 0


def raise_if_any(faults: Faults) -> None:
    """Raise the error for a request with faults; InvalidRequest or Unsupported."""
    if faults:
        raise faults.error()
