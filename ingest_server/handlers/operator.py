"""What the operator has decided for the built-in handlers: set once in the zygote, before workers are forked; then only read."""

from __future__ import annotations

import msgspec


class OperatorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings that reach handlers. Each field is the server's setting of the same name; it travels to the zygote as it is, so
    its type is one that msgpack has.

    Attributes:
        s3_endpoint: URL of an S3-compatible server; "": that of AWS for the region.
        s3_region: that requests are signed for.
        s3_idle_seconds: longest silence of an S3 server within a request.
    """

    s3_endpoint: str = ""
    s3_region: str = "us-east-1"
    s3_idle_seconds: float = 30.0


_present = OperatorSettings()


def operator_settings() -> OperatorSettings:
    """Those of this process's server; the defaults where there is none."""
    return _present


def use_operator_settings(settings: OperatorSettings) -> None:
    """Take these from now on. Called once by the zygote; and by tests, which set back what they change."""
    global _present
    _present = settings
