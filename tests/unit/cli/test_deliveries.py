"""`ingest deliveries`, and the client's calls behind it: pages, fields, what is sent again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.v1 import delivery_pb2, job_pb2
from ingest_client import BlockingClient, DeliveryState, JobState, errors
from tests.fakes.job_service import FakeServer
from tests.unit.cli.conftest import Ran

Ingest = Callable[..., Ran]
URL = "https://hooks.example.com/a"


def delivery(number: int, state: int = delivery_pb2.DELIVERY_STATE_DELIVERED, *statuses: int) -> delivery_pb2.Delivery:
    message = delivery_pb2.Delivery(delivery_id=f"msg_{number}", url=URL, event=job_pb2.JOB_STATE_SUCCEEDED)
    message.state = state  # type: ignore[assignment]
    message.event_time.FromSeconds(1_000)
    for status in statuses:
        attempt = message.attempts.add(http_status=status, error="" if status else "no connection: refused")
        attempt.start_time.FromSeconds(1_001)
        attempt.duration.FromMilliseconds(250)
    if state == delivery_pb2.DELIVERY_STATE_PENDING:
        message.next_attempt_time.FromSeconds(2_000)
    return message


@pytest.fixture
def job_id(server: FakeServer, ingest: Ingest, tmp_path: Path) -> str:
    """A job with three deliveries, which the fake pages one by one."""
    (tmp_path / "a.txt").write_text("a")
    job_id = ingest("submit", tmp_path / "a.txt", "--quiet").out.strip()
    server.deliveries[job_id] = [
        delivery(1, delivery_pb2.DELIVERY_STATE_DELIVERED, 500, 200),
        delivery(2, delivery_pb2.DELIVERY_STATE_PENDING, 0),
        delivery(3, 99),
    ]
    return job_id


def test_an_unknown_job_is_an_error(ingest: Ingest) -> None:
    ran = ingest("deliveries", "0190b6f0-7c3e-7cc3-98c4-dc0c0c07398f")
    assert (ran.status, ran.out) == (1, "")
    assert "no job" in ran.err


def test_a_job_without_deliveries_says_so(server: FakeServer, ingest: Ingest, job_id: str) -> None:
    server.deliveries.clear()
    assert ingest("deliveries", job_id).err == "no deliveries\n"
    assert ingest("deliveries", job_id, "--resend").err == "nothing to send again\n"


def test_each_delivery_is_told_with_its_attempts(ingest: Ingest, job_id: str) -> None:
    ran = ingest("deliveries", job_id)
    lines = ran.out.splitlines()
    assert ran.status == 0
    assert lines[0].split() == ["msg_1", "SUCCEEDED", "DELIVERED", URL]
    assert [line.rpartition(" s  ")[2] for line in lines[1:3]] == ["HTTP 500", "HTTP 200"]
    assert "next 1970-" in lines[3]
    assert lines[4].endswith("0.250 s  no connection: refused")
    assert "UNSPECIFIED" in lines[5]


def test_the_same_as_json(ingest: Ingest, job_id: str) -> None:
    items = [json.loads(line) for line in ingest("deliveries", job_id, "--json").out.splitlines()]
    assert [item["state"] for item in items] == ["DELIVERED", "PENDING", "UNSPECIFIED"]
    assert items[0]["attempts"][0] == {
        "start_time": "1970-01-01T00:16:41Z", "duration_seconds": 0.25, "http_status": 500, "error": "",
    }  # fmt: skip


def test_what_failed_or_is_named_is_sent_again(server: FakeServer, ingest: Ingest, job_id: str) -> None:
    assert ingest("deliveries", job_id, "--resend").out.split() == ["msg_1", "msg_2", "msg_3"]
    assert ingest("deliveries", job_id, "--resend", "msg_2").out.split() == ["msg_2"]


def test_a_callback_is_part_of_what_is_submitted(server: FakeServer, ingest: Ingest, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    assert ingest("submit", tmp_path / "a.txt", "--callback", URL, "--callback", URL + "/b").status == 0
    (spec,) = [spec for spec in server.specs.values() if spec.callbacks]
    assert [each.url for each in spec.callbacks] == [URL, URL + "/b"]


def test_the_blocking_client_reads_and_sends_again(server: FakeServer, job_id: str) -> None:
    with BlockingClient(server.address) as client:
        deliveries = client.deliveries(job_id)
        assert [each.state for each in deliveries] == [
            DeliveryState.DELIVERED, DeliveryState.PENDING, DeliveryState.UNSPECIFIED,
        ]  # fmt: skip
        assert (deliveries[0].event, deliveries[0].state.ended, deliveries[1].state.ended) == (JobState.SUCCEEDED, True, False)
        assert deliveries[0].next_attempt_time is None
        assert client.redeliver(job_id, ["msg_3"]) == ("msg_3",)
        with pytest.raises(errors.NotFound):
            client.deliveries("0190b6f0-7c3e-7cc3-98c4-dc0c0c07398f")
