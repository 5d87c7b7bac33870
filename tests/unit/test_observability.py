"""Log lines and metrics: bounded, without secrets, exact; and the HTTP end that Prometheus reads."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ingest_server.observability.logging import TEXT_CHARACTERS_MAX, configure_logging, set_level
from ingest_server.observability.metrics import BatchHistogram, Metrics
from ingest_server.observability.metrics_http import REQUEST_BYTES_MAX, MetricsServer
from tests.fakes.clock import FakeClock


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Logging to a text in memory; the process's own logging comes back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    configure_logging("info", "json", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def last(stream: io.StringIO) -> dict[str, object]:
    found = json.loads(stream.getvalue().splitlines()[-1])
    assert isinstance(found, dict)
    return found


def test_a_line_is_json_with_level_time_and_name(lines: io.StringIO) -> None:
    structlog.get_logger("ingest.test").warning("job lost", seq=7, text="ü\n")
    found = last(lines)
    assert found.pop("timestamp")
    assert found == {"event": "job lost", "level": "warning", "logger": "ingest.test", "seq": 7, "text": "ü\n"}


def test_lines_of_other_libraries_take_the_same_way(lines: io.StringIO) -> None:
    logging.getLogger("asyncio").error("task %s was lost", "x", extra={"token": "secret-token", "size": 3})
    found = last(lines)
    assert (found["event"], found["logger"], found["size"], found["token"]) == ("task x was lost", "asyncio", 3, "********")


def test_secrets_and_payloads_do_not_appear(lines: io.StringIO) -> None:
    structlog.get_logger().error("refused", authorization="Bearer s3cret", Token="s3cret", data=b"s3cret", body=b"s3cret")
    assert "s3cret" not in lines.getvalue()
    assert last(lines)["body"] == "<6 bytes>"


def test_long_values_and_many_fields_are_cut(lines: io.StringIO) -> None:
    structlog.get_logger().error("x" * 1_000_000, name="y" * 1_000_000, nested={"z": "z" * 1_000_000})
    assert len(lines.getvalue()) < 4 * TEXT_CHARACTERS_MAX
    structlog.get_logger().error("many", **{f"field_{index}": index for index in range(1_000)})
    assert len(last(lines)) < 60
    assert "fields_dropped" in last(lines)


def test_a_traceback_keeps_its_end_and_shows_no_variables(lines: io.StringIO) -> None:
    def fail(secret: str) -> None:
        raise ValueError("x" * 100_000 + "the cause")

    try:
        fail("-".join(("local", "value")))
    except ValueError:
        structlog.get_logger().exception("failed")
    text = str(last(lines)["exception"])
    assert text.endswith("the cause")
    assert "local-value" not in text
    assert len(text) < 10_000


def test_the_level_changes_while_running(lines: io.StringIO) -> None:
    log = structlog.get_logger()
    log.debug("unseen")
    set_level("debug")
    log.debug("seen")
    assert [json.loads(line)["event"] for line in lines.getvalue().splitlines()] == ["seen"]


async def test_a_flood_is_cut_and_counted(lines: io.StringIO) -> None:
    clock = FakeClock()
    configure_logging("info", "json", stream=lines, clock=clock, lines_per_second_max=3)
    log = structlog.get_logger()
    for index in range(10):
        log.info("flood", index=index)
    await clock.advance(1.0)
    log.info("after")
    found = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [line.get("index") for line in found] == [0, 1, 2, None]
    assert found[-1]["lines_dropped"] == 7


def test_text_form_is_for_people(lines: io.StringIO) -> None:
    configure_logging("info", "text", stream=lines)
    structlog.get_logger().info("listening", address="127.0.0.1:1")
    assert "listening" in lines.getvalue()
    assert "address=127.0.0.1:1" in lines.getvalue()


def test_names_end_in_their_unit_and_no_label_is_chosen_by_clients() -> None:
    metrics = Metrics()
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        assert family.name.startswith("ingest_")
        assert family.documentation.endswith(".")
        if family.type == "histogram":
            assert family.name.endswith(("_seconds", "_bytes", "_calls"))
    labels = {label for metric in vars(metrics).values() for label in getattr(metric, "_labelnames", ())}
    assert labels <= {"method", "code", "reason", "state", "outcome", "cause"}


def test_what_begins_has_a_counter_for_its_end() -> None:
    names = set(vars(Metrics()))
    for begin, end in (("started", "ended"), ("opened", "closed"), ("granted", "ended"), ("created", "ended")):
        for name in names:
            if f"_{begin}_total" in name:
                assert name.replace(begin, end) in names


def test_two_servers_in_one_process_do_not_share_metrics() -> None:
    first, second = Metrics(), Metrics()
    first.jobs_created_total.inc(5)
    assert first.registry.get_sample_value("ingest_jobs_created_total") == 5
    assert second.registry.get_sample_value("ingest_jobs_created_total") == 0


def test_a_level_is_read_when_it_is_asked_for() -> None:
    metrics, queue = Metrics(), [1, 2]
    metrics.watch_level("queued_jobs", "Jobs that wait.", lambda: float(len(queue)))
    queue.append(3)
    assert metrics.registry.get_sample_value("ingest_queued_jobs") == 3


@given(values=st.lists(st.floats(0, 100), max_size=50))
def test_a_batch_counts_like_its_values_one_by_one(values: list[float]) -> None:
    registry = CollectorRegistry()
    many = BatchHistogram("many_seconds", "Many.", (0.5, 1.0, 50.0), registry)
    single = BatchHistogram("single_seconds", "Single.", (0.5, 1.0, 50.0), registry)
    many.observe_many(values)
    for value in values:
        single.observe(value)
    for bound in ("0.5", "1.0", "50.0", "+Inf"):
        wanted = sum(value <= float(bound) for value in values)
        assert registry.get_sample_value("many_seconds_bucket", {"le": bound}) == wanted
        assert registry.get_sample_value("single_seconds_bucket", {"le": bound}) == wanted
    assert registry.get_sample_value("many_seconds_count") == len(values)
    assert registry.get_sample_value("many_seconds_sum") == pytest.approx(sum(values))


@pytest.fixture
async def exposed() -> AsyncIterator[tuple[Metrics, int]]:
    metrics = Metrics()
    server = MetricsServer(metrics.registry, request_seconds_max=5.0, connections_max=2)
    port = await server.start("127.0.0.1", 0)
    yield metrics, port
    await server.stop()
    await server.stop()


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_prometheus_gets_what_was_counted(exposed: tuple[Metrics, int]) -> None:
    metrics, port = exposed
    metrics.jobs_created_total.inc(1_000)
    head, _, body = (await ask(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"ingest_jobs_created_total 1000.0\n" in body


async def test_openmetrics_is_served_to_who_accepts_it(exposed: tuple[Metrics, int]) -> None:
    answer = await ask(exposed[1], b"GET /metrics HTTP/1.1\r\naccept: application/openmetrics-text; version=1.0.0\r\n\r\n")
    assert b"Content-Type: application/openmetrics-text" in answer
    assert answer.endswith(b"# EOF\n")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"\xff\xfe\x00\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nx: " + b"y" * REQUEST_BYTES_MAX + b"\r\n\r\n", b"400"),
    ],
)
async def test_other_requests_are_refused(exposed: tuple[Metrics, int], request_bytes: bytes, status: bytes) -> None:
    assert (await ask(exposed[1], request_bytes))[9:12] == status


async def test_a_head_request_gets_no_body(exposed: tuple[Metrics, int]) -> None:
    assert (await ask(exposed[1], b"HEAD /metrics HTTP/1.1\r\n\r\n")).endswith(b"\r\n\r\n")


async def test_a_client_that_vanishes_harms_nobody(exposed: tuple[Metrics, int]) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", exposed[1])
    writer.write(b"GET /met")
    writer.close()
    await writer.wait_closed()
    assert (await ask(exposed[1], b"GET /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200")


async def test_a_connection_too_many_is_dropped_and_a_silent_one_is_closed_after_its_time() -> None:
    clock = FakeClock()
    server = MetricsServer(CollectorRegistry(), request_seconds_max=5.0, connections_max=1, clock=clock)
    port = await server.start("127.0.0.1", 0)
    silent, silent_writer = await asyncio.open_connection("127.0.0.1", port)
    extra, extra_writer = await asyncio.open_connection("127.0.0.1", port)
    assert await extra.read() == b""
    await clock.advance(4.9)
    assert not silent.at_eof()
    await clock.advance(0.1)
    assert await silent.read() == b""
    for writer in (silent_writer, extra_writer):
        writer.close()
        await writer.wait_closed()
    assert (await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n"))[9:12] == b"200"
    await server.stop()


async def test_stop_drops_open_connections() -> None:
    server = MetricsServer(CollectorRegistry())
    port = await server.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n")  # the first connection was accepted before this one
    await server.stop()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_does_not_read_is_dropped_after_its_time() -> None:
    clock, metrics = FakeClock(), Metrics()
    metrics.watch_level("large", "x" * 32_000_000, lambda: 0.0)  # more than the buffers of a socket hold
    server = MetricsServer(metrics.registry, request_seconds_max=5.0, clock=clock)
    port = await server.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_024)
    writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
    assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    await clock.advance(5.0)
    received_bytes = 0
    while part := await reader.read(65_536):
        received_bytes += len(part)
    assert received_bytes < 32_000_000
    writer.close()
    await writer.wait_closed()
    await server.stop()
