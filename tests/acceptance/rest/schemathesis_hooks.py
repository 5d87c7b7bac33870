"""What schemathesis is told about this service: streams that end, ids that exist, and which answers are faults.

Loaded by schemathesis in a process of its own. The environment gives, each as JSON: INGEST_KNOWN_JOBS, INGEST_KNOWN_BATCH,
INGEST_KNOWN_BLOBS: what the test has put there.
"""

from __future__ import annotations

import json
import os
from typing import Any

import jsonschema_rs
import schemathesis

JOBS: list[str] = json.loads(os.environ["INGEST_KNOWN_JOBS"])
BATCH: str = json.loads(os.environ["INGEST_KNOWN_BATCH"])
BLOBS: list[str] = json.loads(os.environ["INGEST_KNOWN_BLOBS"])
LINES = "application/x-ndjson"
WATCH = "/v1/jobs:watch"
WATCH_TIMEOUT = "100m"
SECRETS_OF_CODE = (b"Traceback", b'File "', b"site-packages")
_turn = 0


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Let every watch end soon (jobs of the far future keep it open otherwise), and every second call speak of what exists."""
    global _turn
    _turn += 1
    if case.path == WATCH:
        case.headers = {**(case.headers or {}), "Accept": LINES, "Grpc-Timeout": WATCH_TIMEOUT}
    if _turn % 2:
        _speak_of_what_exists(case)


def _speak_of_what_exists(case: Any) -> None:
    variables = case.path_parameters or {}
    for name, known in (("job_id", JOBS), ("sha256", BLOBS), ("name", ["default"])):
        if name in variables:
            case.path_parameters = {**variables, name: known[_turn % len(known)]}
    if case.path in ("/fetch_job", "/v1/jobs:fetch") and case.method.upper() == "GET":
        case.query = {"job_ids": JOBS[: 1 + _turn % len(JOBS)]}
    elif case.path in ("/v1/jobs:cancel", "/v1/jobs:retry", "/v1/jobs:delete") and isinstance(case.body, dict):
        # Of another place than the jobs above, so that those stay.
        case.body = {"jobIds": [JOBS[-1]]} if _turn % 3 else {"batchId": BATCH}


@schemathesis.check
def no_server_fault(context: Any, response: Any, case: Any) -> None:
    """No 5xx, but for what the server says it does not offer: a refusal of a feature that the contract names; and for the time
    that `before_call` gives to a watch."""
    if response.status_code < 500 or (response.status_code == 504 and case.path == WATCH):
        return
    reasons = [detail.get("reason") for detail in response.json().get("details", [])]
    assert response.status_code == 501, f"server error {response.status_code}: {response.text[:2_000]}"
    assert reasons[:1] == ["NOT_SUPPORTED"], f"server error {response.status_code}: {response.text[:2_000]}"


@schemathesis.check
def no_inner_workings(context: Any, response: Any, case: Any) -> None:
    """Nothing of the program's own text reaches a caller."""
    found = [secret for secret in SECRETS_OF_CODE if secret in response.content]
    assert not found, f"the answer shows {found}: {response.text[:2_000]}"


@schemathesis.check
def errors_are_complete(context: Any, response: Any, case: Any) -> None:
    """Every error has exactly one ErrorInfo, a message for people, and a request id."""
    assert response.headers.get("x-request-id"), "an answer without X-Request-Id"
    if response.status_code < 400:
        return
    status = response.json()
    status = status.get("error", status)
    infos = [detail for detail in status["details"] if detail["@type"].endswith("/google.rpc.ErrorInfo")]
    assert len(infos) == 1, f"{len(infos)} ErrorInfo: {status}"
    assert infos[0]["domain"] == "ingest"
    assert infos[0]["reason"]
    assert status["message"]


@schemathesis.check
def lines_conform(context: Any, response: Any, case: Any) -> None:
    """Each line of a stream is what the description says of one."""
    kind = (response.headers.get("content-type") or [""])[0]
    if response.status_code != 200 or not kind.startswith(LINES):
        return
    content = case.operation.schema.raw_schema["paths"][WATCH]["get"]["responses"]["200"]["content"]
    components = case.operation.schema.raw_schema["components"]
    line_schema = {**content[LINES]["schema"], "components": components}
    validator = jsonschema_rs.Draft202012Validator(line_schema)
    lines = response.content.splitlines()
    assert lines, "a watch that says nothing"
    for line in lines:
        faults = [fault.message for fault in validator.iter_errors(json.loads(line))]
        assert not faults, f"{faults}: {line[:500]!r}"
