"""The comments beside the generated code: every name of the contract has one, and each stands under its own name."""

from __future__ import annotations

import json

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from ingest.v1 import job_pb2
from scripts.lib.generate_protos import PROTOS
from scripts.lib.proto_comments import SUFFIX, comments_of, trimmed


def committed(name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((PROTOS / f"ingest/v1/{name}{SUFFIX}").read_text(encoding="utf-8"))
    return found


def test_each_field_of_a_message_has_its_own_comment() -> None:
    comments = committed("job")
    for message in job_pb2.DESCRIPTOR.message_types_by_name.values():
        for field in message.fields:
            assert comments[field.full_name], field.full_name
    assert comments["ingest.v1.Attempt.worker"] == 'Who ran it, such as "local/2".'
    assert comments["ingest.v1.JobSpec.start"] == "When to start at the earliest."
    assert comments["ingest.v1.JobState.JOB_STATE_QUEUED"] == "Waits for a worker."


def test_nested_messages_and_enums_and_rpcs_are_there() -> None:
    comments = committed("job_service")
    assert comments["ingest.v1.WatchJobsResponse.Close"].startswith("The server ends the stream")
    assert comments["ingest.v1.WatchJobsResponse.Close.status"].startswith("Why: UNAVAILABLE")
    assert comments["ingest.v1.CountJobsRequest.GroupBy.GROUP_BY_STATE"] == "A group per state."
    assert "\n\nRetry: safe with a request_id:" in comments["ingest.v1.JobService.SubmitJobs"]


def test_a_comment_loses_its_marks_and_keeps_its_lines() -> None:
    assert trimmed(" One.\n\n   indented\n Two. \n") == "One.\n\n  indented\nTwo."


def test_what_has_no_comment_is_left_out() -> None:
    file = FileDescriptorProto(name="a.proto", package="a")
    file.message_type.add(name="Bare").field.add(name="field", number=1)
    assert comments_of(file) == {}
