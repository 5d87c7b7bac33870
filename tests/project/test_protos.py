"""The contract: generated code is fresh, lint rules hold, no client breaks, and its lists equal those of the domain."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor

from ingest.v1 import blob_service_pb2, errors_pb2, job_pb2, job_service_pb2, queue_service_pb2, server_service_pb2
from ingest_server.domain.errors import Reason
from ingest_server.domain.job import JobState
from scripts.lib import generate_protos, proto_rules

FILES: tuple[FileDescriptor, ...] = (
    blob_service_pb2.DESCRIPTOR,
    job_service_pb2.DESCRIPTOR,
    queue_service_pb2.DESCRIPTOR,
    server_service_pb2.DESCRIPTOR,
)


def services() -> Iterator[ServiceDescriptor]:
    for file in FILES:
        yield from file.services_by_name.values()


@pytest.fixture
def changed_protos(tmp_path: Path) -> Path:
    """A copy of the protos that a test may damage."""
    return Path(shutil.copytree(generate_protos.PROTOS, tmp_path / "protos"))


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.slow
def test_generated_code_is_fresh() -> None:
    try:
        faults = generate_protos.differences()
    except generate_protos.GeneratorMissing as missing:
        pytest.skip(str(missing))
    assert not faults, f"{faults}. Run: {generate_protos.COMMAND}"


@pytest.mark.slow
def test_outdated_missing_and_surplus_generated_files_are_found(changed_protos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate_protos, "PROTOS", changed_protos)
    (changed_protos / "ingest/v1/job_pb2.pyi").unlink()
    (changed_protos / "ingest/v1/gone_pb2.py").write_text("")
    replace_in(changed_protos / "ingest/v1/queue_service.proto", "int64 running_count = 8", "int64 running_jobs = 8")
    try:
        faults = generate_protos.differences()
    except generate_protos.GeneratorMissing as missing:
        pytest.skip(str(missing))
    assert faults == [
        "ingest/v1/gone_pb2.py has no proto any more",
        "ingest/v1/job_pb2.pyi is missing",
        "ingest/v1/queue_service_comments.json is outdated",
        "ingest/v1/queue_service_pb2.py is outdated",
        "ingest/v1/queue_service_pb2.pyi is outdated",
    ]


@pytest.mark.slow
def test_a_comment_that_changed_makes_its_file_outdated(changed_protos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate_protos, "PROTOS", changed_protos)
    replace_in(changed_protos / "ingest/v1/queue_service.proto", "// Whether it is paused.", "// Whether it stands still.")
    try:
        faults = generate_protos.differences()
    except generate_protos.GeneratorMissing as missing:
        pytest.skip(str(missing))
    assert faults == ["ingest/v1/queue_service_comments.json is outdated"]


@pytest.mark.slow
def test_lint_rules_hold() -> None:
    assert proto_rules.lint(generate_protos.PROTOS, generate_protos.google_protos()) == []


@pytest.mark.slow
def test_lint_finds_an_rpc_without_comment(changed_protos: Path) -> None:
    source = changed_protos / "ingest/v1/queue_service.proto"
    replace_in(source, "  // Lists all queues by name. Retry: safe.\n", "")
    faults = proto_rules.lint(changed_protos, generate_protos.google_protos())
    assert len(faults) == 1
    assert "ListQueues" in faults[0]
    assert "comment" in faults[0]


@pytest.mark.slow
def test_no_client_of_the_baseline_breaks() -> None:
    assert proto_rules.breaking(generate_protos.PROTOS, generate_protos.google_protos()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [("bool paused = 5", "int32 paused = 5"), ("int32 weight = 2;", ""), ("bool paused = 5", "bool stopped = 5")],
    ids=["another type", "a field gone", "another JSON name"],
)
def test_a_break_is_found(changed_protos: Path, old: str, new: str) -> None:
    replace_in(changed_protos / "ingest/v1/queue_service.proto", old, new)
    assert proto_rules.breaking(changed_protos, generate_protos.google_protos())


@pytest.mark.slow
def test_an_addition_is_no_break(changed_protos: Path) -> None:
    replace_in(
        changed_protos / "ingest/v1/queue_service.proto", "int32 weight = 2;", "int32 weight = 2;\n  // New.\n  int32 new = 99;"
    )
    assert proto_rules.breaking(changed_protos, generate_protos.google_protos()) == []


def test_reasons_of_contract_and_domain_are_the_same() -> None:
    prefix = "ERROR_REASON_"
    names = [name.removeprefix(prefix) for name, _ in errors_pb2.ErrorReason.items()]
    assert names[0] == "UNSPECIFIED"
    assert names[1:] == [reason.value for reason in Reason]
    assert all(reason.name == reason.value for reason in Reason)


def test_job_states_of_contract_and_domain_have_the_same_numbers() -> None:
    states = {name.removeprefix("JOB_STATE_"): number for name, number in job_pb2.JobState.items()}
    assert states == {"UNSPECIFIED": 0, **{state.name: state.value for state in JobState}}


def test_every_rpc_has_an_http_rule_and_no_two_the_same() -> None:
    seen: dict[tuple[str, str], str] = {}
    for service in services():
        for method in service.methods:
            rule = method.GetOptions().Extensions[annotations_pb2.http]
            bindings = [rule, *rule.additional_bindings]
            for binding in bindings:
                verb = binding.WhichOneof("pattern")
                assert verb in ("get", "put", "post", "patch", "delete"), f"{method.full_name} has no google.api.http rule"
                place = (verb, getattr(binding, verb))
                assert place not in seen, f"{method.full_name} and {seen[place]} share {place}"
                seen[place] = method.full_name
                assert verb not in ("get", "delete") or not binding.body, f"{method.full_name}: {verb} carries no body"


def test_all_services_are_looked_at() -> None:
    declared = {path.name for path in (generate_protos.PROTOS / "ingest/v1").glob("*_service.proto")}
    assert declared == {Path(file.name).name for file in FILES}
