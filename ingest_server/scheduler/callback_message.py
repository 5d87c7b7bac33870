"""The body of a callback: what job.proto promises at `Callback`, from a delivery alone, so every attempt sends the same bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from ingest_server.domain.errors import Failure
from ingest_server.domain.ids import uuid_text
from ingest_server.store.outbox import TARGET_BITS, DeliveryRow

ERROR_MESSAGE_CHARACTERS_MAX = 1_024
METADATA_CHARACTERS_MAX = 512
"""Of each value: a traceback belongs to Job.error, not into a notice."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


def body(row: DeliveryRow) -> bytes:
    """The message of a delivery, as JSON in UTF-8."""
    moment = _EPOCH + timedelta(microseconds=row.event_us)
    data: dict[str, Any] = {
        "job_id": uuid_text(row.job_id),
        "batch_id": uuid_text(row.batch_id),
        "state": f"JOB_STATE_{row.state.name}",
        "attempt": row.job_attempt,
        "revision": str(row.number >> TARGET_BITS),
        "labels": dict(row.labels),
    }
    if row.failure:
        data["error"] = _status(Failure.from_bytes(row.failure))
    message = {
        "type": f"job.{row.state.name.lower()}",
        "timestamp": moment.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "data": data,
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def _status(failure: Failure) -> dict[str, Any]:
    """A `google.rpc.Status` in its JSON form."""
    metadata = {key: value[:METADATA_CHARACTERS_MAX] for key, value in failure.metadata.items()}
    info = {"@type": _ERROR_INFO, "reason": failure.reason, "domain": "ingest", "metadata": metadata}
    return {"code": int(failure.code), "message": failure.message[:ERROR_MESSAGE_CHARACTERS_MAX], "details": [info]}
