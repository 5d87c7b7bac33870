"""Times between microseconds, as the domain counts, and the protobuf types Timestamp and Duration."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

MICROSECONDS = 1_000_000
_TIMESTAMP_SECONDS_MIN = -62_135_596_800  # 0001-01-01T00:00:00Z, as timestamp.proto states
_TIMESTAMP_SECONDS_MAX = 253_402_300_799  # 9999-12-31T23:59:59Z
_DURATION_SECONDS_MAX = 315_576_000_000  # 10,000 years, as duration.proto states
_NANOS = 1_000_000_000


def timestamp_us(stamp: Timestamp) -> int:
    """Microseconds since the epoch, rounded down. Raises ValueError, with the range, for what timestamp.proto does not allow."""
    if not _TIMESTAMP_SECONDS_MIN <= stamp.seconds <= _TIMESTAMP_SECONDS_MAX:
        raise ValueError(f"must lie in the years 1 … 9999, not at {stamp.seconds} s since the epoch")
    if not 0 <= stamp.nanos < _NANOS:
        raise ValueError(f"must have nanos of 0 … 999,999,999, not {stamp.nanos}")
    return stamp.seconds * MICROSECONDS + stamp.nanos // 1_000


def duration_us(duration: Duration) -> int:
    """Microseconds, rounded down (so the shortest negative one stays negative). Raises ValueError for what duration.proto does
    not allow."""
    seconds, nanos = duration.seconds, duration.nanos
    if not -_DURATION_SECONDS_MAX <= seconds <= _DURATION_SECONDS_MAX:
        raise ValueError(f"must be within 10,000 years, not {seconds} s")
    if not -_NANOS < nanos < _NANOS or (seconds > 0 > nanos) or (seconds < 0 < nanos):
        raise ValueError(f"must have nanos of -999,999,999 … 999,999,999 with the sign of the seconds, not {nanos}")
    return seconds * MICROSECONDS + nanos // 1_000


def to_timestamp(time_us: int) -> Timestamp:
    """The same moment as a message."""
    return Timestamp(seconds=time_us // MICROSECONDS, nanos=time_us % MICROSECONDS * 1_000)


def to_duration(seconds: float) -> Duration:
    """The same span as a message, to the microsecond; not negative."""
    span_us = round(seconds * MICROSECONDS)
    return Duration(seconds=span_us // MICROSECONDS, nanos=span_us % MICROSECONDS * 1_000)


def shown_span(span_us: int) -> str:
    """A span for people: the largest unit that keeps it whole, such as "7 days", "1 ms", "-5 s"."""
    if span_us:
        for unit, size_us in (("days", 86_400 * MICROSECONDS), ("h", 3_600 * MICROSECONDS), ("s", MICROSECONDS), ("ms", 1_000)):
            if span_us % size_us == 0:
                count = span_us // size_us
                return "1 day" if (count, unit) == (1, "days") else f"{count} {unit}"
    return f"{span_us} us" if span_us else "0 s"
