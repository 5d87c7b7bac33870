"""SubmitJobsResponse out: put together from bytes, because a call may answer for 1,000 jobs.

A message object per result costs 1.1 us; filling the ids into a repeated pattern costs 0.07 us.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ingest_server.domain.errors import Code, FieldViolation, IngestError, Reason
from ingest_server.jobs.submit import SubmitCommand
from ingest_server.store.records import SubmitAnswer, SubmitCode
from ingest_server.wire.encoding import bytes_field, text_field, varint_field
from ingest_server.wire.parse_submit import ParsedSubmit
from ingest_server.wire.status import status_of_error
from ingest_server.wire.uuid_text import UUID_PLACE, format_uuid, repeat_with_uuids

# Field numbers of SubmitJobsResponse and SubmitResult.
_BATCH_ID, _RESULTS, _JOB_IDS = 1, 2, 3
_JOB_ID, _CREATED, _STATUS = 1, 2, 3

_CREATED_PATTERN = bytes_field(_RESULTS, bytes_field(_JOB_ID, UUID_PLACE) + varint_field(_CREATED, 1))
_ID_OFFSET = _CREATED_PATTERN.index(UUID_PLACE)
_JOB_ID_PATTERN = bytes_field(_JOB_IDS, UUID_PLACE)
_JOB_ID_OFFSET = _JOB_ID_PATTERN.index(UUID_PLACE)

_REFUSALS: Mapping[int, tuple[Reason, Code, str, str]] = {
    SubmitCode.CONFLICT: (
        Reason.JOB_ID_EXISTS,
        Code.ALREADY_EXISTS,
        "job_id",
        "is taken; choose another, or set conflict_policy to USE_EXISTING",
    ),
    SubmitCode.QUEUE_NOT_FOUND: (
        Reason.QUEUE_NOT_FOUND,
        Code.NOT_FOUND,
        "queue",
        "does not exist; create it with UpdateQueue and allow_missing",
    ),
    SubmitCode.BLOB_NOT_FOUND: (Reason.BLOB_NOT_FOUND, Code.NOT_FOUND, "input.blob", "is not there; upload it with UploadBlob"),
}
"""What the server refuses after the request was read: reason, code, field, and what to say of it."""


def encode_answer(parsed: ParsedSubmit, answer: SubmitAnswer) -> bytes:
    """Serialize the answer to a submit: one result per item of the request, in its order."""
    head = text_field(_BATCH_ID, format_uuid(answer.batch_id))
    if not parsed.refused and not any(answer.codes):
        return head + repeat_with_uuids(_CREATED_PATTERN, _ID_OFFSET, answer.job_ids) + _list_of(answer.job_ids)
    results = [b""] * parsed.items
    for index, error in parsed.refused.items():
        results[index] = _refused(error)
    codes = answer.codes or [SubmitCode.CREATED] * len(answer.job_ids)
    accepted: list[bytes] = []
    for place, (index, job_id, code) in enumerate(zip(parsed.accepted, answer.job_ids, codes, strict=True)):
        if code in _REFUSALS:
            results[index] = _refused(_refusal(parsed, place, code, f"jobs[{index}]"))
        else:
            accepted.append(job_id)
            created = varint_field(_CREATED, code == SubmitCode.CREATED)
            results[index] = text_field(_JOB_ID, format_uuid(job_id)) + created
    return head + b"".join([bytes_field(_RESULTS, result) for result in results]) + _list_of(accepted)


def _list_of(job_ids: Sequence[bytes]) -> bytes:
    return repeat_with_uuids(_JOB_ID_PATTERN, _JOB_ID_OFFSET, job_ids)


def encode_refusal(parsed: ParsedSubmit) -> bytes:
    """Serialize the answer to a submit of which no item was accepted. It has the batch_id of the request, if that had one."""
    results = (bytes_field(_RESULTS, _refused(parsed.refused[index])) for index in range(parsed.items))
    return text_field(_BATCH_ID, format_uuid(parsed.batch_id)) + b"".join(results)


def batch_refused(refused: Mapping[int, IngestError]) -> IngestError:
    """The error of an all-or-nothing call some of whose items are refused, with the faults of all of them."""
    violations: list[FieldViolation] = []
    for index, error in sorted(refused.items()):
        violations.extend(error.violations or (FieldViolation(f"jobs[{index}]", error.message),))
    first = min(refused)
    return IngestError(
        f"{len(refused):,} of the jobs are refused, so none was accepted; the first is jobs[{first}]: {refused[first].message}",
        reason=Reason.BATCH_REFUSED,
        code=Code.ABORTED,
        metadata={"refused_count": str(len(refused))},
        violations=violations,
    )


def refused_by_server(parsed: ParsedSubmit, answer: SubmitAnswer) -> dict[int, IngestError]:
    """Items that were refused after the request was read: index in the request → why."""
    return {
        index: _refusal(parsed, place, code, f"jobs[{index}]")
        for place, (index, code) in enumerate(zip(parsed.accepted, answer.codes, strict=False))
        if code in _REFUSALS
    }


def refusal_of_run(command: SubmitCommand, answer: SubmitAnswer) -> IngestError | None:
    """Why the one job of RunJob was refused; None if it was accepted."""
    if not answer.codes or answer.codes[0] not in _REFUSALS:
        return None
    return _refusal(command, 0, answer.codes[0], "job")


def _refusal(submit: ParsedSubmit | SubmitCommand, place: int, code: int, path: str) -> IngestError:
    """The error of the job at `place` of what was submitted. `path` is the item's in the request."""
    reason, status, field, told = _REFUSALS[code]
    policy, job_id, _, _, digest = submit.jobs[place]
    values = {"job_id": format_uuid(job_id), "queue": submit.policies[policy].queue, "input.blob": digest.hex()}
    description = f"{values[field]} {told}"
    metadata = {"sha256" if field == "input.blob" else field: values[field]}
    violation = FieldViolation(f"{path}.{field}", description)
    return IngestError(f"{path}.{field}: {description}", reason=reason, code=status, metadata=metadata, violations=(violation,))


def _refused(error: IngestError) -> bytes:
    return bytes_field(_STATUS, status_of_error(error).SerializeToString())
