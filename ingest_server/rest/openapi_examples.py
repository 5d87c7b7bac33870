"""Examples of requests, by the full name of the request message: what a reader tries first. A test holds them to the schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_JOB_ID = "01980f6e-3c52-7cc3-98c4-dc0c0c07398f"
_BATCH_ID = "01980f6e-3c52-7a10-8a53-1f4b7a4be2aa"
_SHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
_JOB = {
    "input": {"mediaType": "text/markdown", "name": "hello.md", "data": "IyBIZWxsbwoKVGhpcyBpcyBhIGRvY3VtZW50Lgo="},
    "tasks": [{"extract": {}}],
    "labels": {"source": "docs"},
}

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "ingest.v1.SubmitJobsRequest": {
        "One document": {"jobs": [_JOB]},
        "Two documents": {"jobs": [_JOB, {**_JOB, "priority": 9}]},
    },
    "ingest.v1.RunJobRequest": {"One document": {"job": _JOB, "waitTimeout": "30s"}},
    "ingest.v1.FetchResultsRequest": {
        "By ids": {"jobIds": [_JOB_ID], "waitTimeout": "30s"},
        "A batch": {"batchId": _BATCH_ID},
    },
    "ingest.v1.WatchJobsRequest": {
        "A batch, to its end": {"batchId": _BATCH_ID, "stopWhenDone": True},
        "Everything": {},
    },
    "ingest.v1.CancelJobsRequest": {"By ids": {"jobIds": [_JOB_ID], "reason": "no longer needed"}},
    "ingest.v1.RetryJobsRequest": {"A batch": {"batchId": _BATCH_ID}},
    "ingest.v1.DeleteJobsRequest": {"By ids": {"jobIds": [_JOB_ID]}},
    "ingest.v1.FindMissingBlobsRequest": {"One blob": {"blobs": [{"sha256": _SHA256}]}},
    "ingest.v1.UpdateQueueRequest": {"More weight": {"queue": {"weight": 5, "runningMax": 2}}},
}
