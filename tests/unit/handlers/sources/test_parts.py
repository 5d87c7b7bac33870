"""A job in parts whose input was fetched: what parts and merge are given, and that other bytes make other parts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest.v1 import job_pb2
from ingest_server.domain.ids import part_id
from ingest_server.handlers.blob_files import BlobFiles
from ingest_server.handlers.context import AttemptContext
from ingest_server.handlers.decorator import SPEC_ATTRIBUTE, handler
from ingest_server.handlers.execute import Executor, ResultLimits
from ingest_server.handlers.interface import Context, Output
from ingest_server.handlers.part_orders import MergeHead, SplitOrder, decode_order, merge_payload
from ingest_server.handlers.parts import Part, PartResult, Split
from ingest_server.handlers.registry import HandlerRegistry
from ingest_server.handlers.sources.fetch import Fetcher
from ingest_server.handlers.sources.limits import SourceLimits
from tests.unit.handlers.sources.conftest import Fetching

JOB = bytes(range(16))


@dataclass
class Halves:
    own: bool = False


class Host:
    """Who runs attempts; nobody cancels here."""

    wall_offset_us = 0

    def is_cancelled(self, key: tuple[int, int]) -> bool:
        """Never."""
        return False

    def tell_progress(self, context: AttemptContext) -> None:
        """Not told."""


@handler("half")
def half(context: Context) -> str:
    """What a part sees."""
    return f"{context.input.name} {context.input.media_type} {context.input.read().decode()}"


def together(context: Context, options: Halves, state: bytes, results: list[PartResult]) -> str:
    """What the merge sees."""
    return f"merged {half(context)}"


@handler("halves", merge=together)
def halves(context: Context, options: Halves) -> Split:
    """Two parts, of the job's input or with inputs of their own."""
    own = Output(b"own", media_type="text/plain") if options.own else None
    assert context.input.size_bytes
    return Split("half", [Part(input=own), Part(input=own)])


class Running:
    """Runs attempts of a job whose input is a file that a test may change."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "in" / "a.txt"
        self.file.parent.mkdir()
        registry = HandlerRegistry()
        for each in (half, halves):
            registry.add(getattr(each, SPEC_ATTRIBUTE), "test")
        fetcher = Fetcher(SourceLimits(roots=(str(self.file.parent),)))
        self.executor = Executor(registry, BlobFiles(folder / "blobs"), ResultLimits(), fetcher)
        self.payload = b"u" + f"file://{self.file}".encode()

    def run(self, spec: bytes, payload: bytes) -> bytes:
        """The output of an attempt."""
        context = AttemptContext(Host(), (1, 1), JOB, 1, 0, 0, 0)
        output, failure, _ = self.executor.run(self.executor.plan(spec), payload, context)
        assert not failure
        return output

    def order(self, *, own: bool = False) -> SplitOrder:
        """How the job divides itself."""
        return decode_order(self.run(self.spec(own), self.payload))

    def spec(self, own: bool = False) -> bytes:
        """Of the job."""
        task = job_pb2.CustomTask(handler="halves")
        task.options["own"] = own
        return job_pb2.JobSpec(tasks=[job_pb2.Task(custom=task)]).SerializeToString()


@pytest.fixture
def running(tmp_path: Path, fetching: Fetching) -> Running:
    """See `Running`; no temporary file may be left."""
    return Running(tmp_path)


def text_of(output: bytes) -> str:
    return job_pb2.Payload.FromString(output).data.decode()


def test_parts_and_merge_work_on_the_bytes_that_were_fetched(running: Running) -> None:
    running.file.write_text("first")
    order = running.order()
    running.file.write_text("changed meanwhile")
    for part in order.parts:
        assert part.payload is not None
        assert part.payload[1:33] == part.blob
        assert text_of(running.run(order.spec, part.head + part.payload)) == "a.txt  first"
    merging = merge_payload(MergeHead(order.state, order.unit, []), order.given)
    assert text_of(running.run(running.spec(), merging)) == "merged a.txt  first"


def test_parts_of_other_bytes_are_other_parts(running: Running) -> None:
    """So that what was read of the old document before a crash is not joined to the new one."""
    heads = []
    for text in ("first", "other", "first"):
        running.file.write_text(text)
        heads.append(running.order().parts[0].head)
    ids = [part_id(JOB, 1, 0, head) for head in heads]
    assert ids[0] == ids[2] != ids[1]


def test_parts_with_inputs_of_their_own_need_no_copy(running: Running, tmp_path: Path) -> None:
    running.file.write_text("first")
    order = running.order(own=True)
    assert [part.payload for part in order.parts] == [b"iown"] * 2
    assert order.given == b""
    assert not (tmp_path / "blobs").exists()
