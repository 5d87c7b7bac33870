"""The attempts of a delivery as text: the one encoding of `DeliveryRow.log`. One line of JSON per attempt, oldest first."""

from __future__ import annotations

import json

from ingest_server.store.outbox import DeliveryAttempt

ATTEMPTS_MAX = 100
"""Attempts kept, the newest ones; delivery.proto promises as many."""
ERROR_CHARACTERS_MAX = 300
"""Of one error: with `ATTEMPTS_MAX` it bounds a log to some 40 KB."""


def append(log: str, attempt: DeliveryAttempt) -> str:
    """Add one attempt; the oldest falls off beyond `ATTEMPTS_MAX`."""
    entry = json.dumps([*attempt[:3], attempt.error[:ERROR_CHARACTERS_MAX]], separators=(",", ":"))
    lines = [*log.split("\n"), entry] if log else [entry]
    return "\n".join(lines[-ATTEMPTS_MAX:])


def decode(log: str) -> list[DeliveryAttempt]:
    """The attempts, oldest first. Raises ValueError on what `append` did not make."""
    return [DeliveryAttempt(*json.loads(line)) for line in log.split("\n")] if log else []
