"""The routes of the contract and of a service that uses every form: found by verb and path, the last rule first."""

from __future__ import annotations

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor

from ingest_server.rest.app import SERVICES
from ingest_server.rest.path_template import TemplateError
from ingest_server.rest.routes import RouteError, RouteTable
from tests.fakes.rest import things


def service(rules: list[dict[str, object]], name: str) -> ServiceDescriptor:
    """A service with one RPC per rule, in a pool of its own."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package=name, syntax="proto3")
    file.dependency.append("google/api/annotations.proto")
    message = file.message_type.add(name="M")
    message.field.add(name="a", number=1, type=9, label=1)
    message.field.add(name="list", number=2, type=9, label=3)
    made = file.service.add(name="S")
    for number, rule in enumerate(rules):
        method = made.method.add(name=f"R{number}", input_type=f".{name}.M", output_type=f".{name}.M")
        extension = method.options.Extensions[annotations_pb2.http]
        extension.SetInParent()
        for key, value in rule.items():
            setattr(extension, key, value)
    pool = descriptor_pool.Default()
    pool.Add(file)
    found: ServiceDescriptor = pool.FindServiceByName(f"{name}.S")
    return found


@pytest.mark.parametrize(
    ("name", "rule", "told"),
    [
        ("norule", {"body": "*"}, "no path"),
        ("nofield", {"get": "/x/{nope}"}, "no field 'nope'"),
        ("notmessage", {"get": "/x/{a.b}"}, "'a' is no singular message"),
        ("nobody", {"post": "/x", "body": "nope"}, "body names 'nope'"),
        ("noanswer", {"get": "/x", "response_body": "nope"}, "response_body names 'nope'"),
        ("staranswer", {"get": "/x", "response_body": "*"}, "response_body names"),
    ],
)
def test_a_rule_that_cannot_be_a_route_is_refused_at_once_and_named(name: str, rule: dict[str, object], told: str) -> None:
    with pytest.raises(RouteError, match=told):
        RouteTable([service([rule], f"refused_{name}")])


def test_a_broken_path_is_refused_at_once() -> None:
    with pytest.raises(TemplateError):
        RouteTable([service([{"get": "x"}], "refused_path")])


def test_where_two_rules_match_the_later_one_wins_however_they_are_written() -> None:
    table = RouteTable([service([{"get": "/x/{a}"}, {"get": "/x/y"}, {"get": "/{a=**}"}, {"get": "/x/z"}], "order")])

    def winner(path: str) -> str:
        match = table.match("GET", path)
        assert match is not None
        return match.route.method.name

    assert [winner(path) for path in ("/x/y", "/x/q", "/x/z", "/other/and/more", "/x/z/w")] == ["R2", "R2", "R3", "R2", "R2"]
    other = RouteTable([service([{"get": "/x/y"}, {"get": "/x/{a}"}, {"get": "/x/{a}:go"}], "order_variable")])
    for path, name in (("/x/y", "R1"), ("/x/y:go", "R2"), ("/x/y:stay", "R1")):
        match = other.match("GET", path)
        assert match is not None
        assert match.route.method.name == name


def test_a_segment_that_is_only_a_verb_matches_nothing() -> None:
    table = RouteTable(SERVICES)
    assert table.match("GET", "/v1/jobs/:fetch") is None
    assert table.allowed("/v1/jobs/:fetch") == table.allowed("/v1/jobs/:submit") == ()
    match = table.match("GET", "/v1/jobs/:unknown")
    assert match is not None
    assert match.bindings == {"job_id": ":unknown"}


def test_the_contract_has_a_route_for_every_rule_and_every_rpc_has_a_rule() -> None:
    table = RouteTable(SERVICES)
    assert {route.full_method for route in table.routes} == {
        f"/{service.full_name}/{method.name}" for service in SERVICES for method in service.methods
    }
    for verb, path, method in [
        ("POST", "/v1/jobs:submit", "SubmitJobs"),
        ("POST", "/submit_job", "SubmitJobs"),
        ("GET", "/fetch_job", "FetchResults"),
        ("GET", "/v1/jobs:fetch", "FetchResults"),
        ("POST", "/v1/jobs:fetch", "FetchResults"),
        ("GET", "/v1/jobs:count", "CountJobs"),
        ("GET", "/v1/jobs", "ListJobs"),
        ("GET", "/v1/jobs/0190b6f0-7c3e-7cc3-98c4-dc0c0c07398f", "GetJob"),
        ("GET", "/v1/blobs/abc/metadata", "GetBlob"),
        ("PATCH", "/v1/queues/fast", "UpdateQueue"),
        ("POST", "/v1/queues/fast:pause", "PauseQueue"),
    ]:
        match = table.match(verb, path)
        assert match is not None, (verb, path)
        assert match.route.method.name == method


def test_allowed_verbs_of_a_path() -> None:
    table = RouteTable([things.service()])
    assert table.allowed("/t/things/x") == ("DELETE", "GET", "PATCH", "PUT")
    assert table.allowed("/t/report/x") == ("REPORT",)
    assert table.allowed("/nowhere") == ()
    assert table.match("REPORT", "/t/report/x") is not None
