"""Submit any number of jobs: cut into calls by count and bytes, large inputs uploaded first, few calls under way at once."""

from __future__ import annotations

import asyncio
import math
import os
import uuid
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator
from typing import TypeAlias

from ingest.v1 import job_pb2
from ingest_client import _methods
from ingest_client._blobs import Blobs, distinct
from ingest_client._channel import Channel
from ingest_client._coalesce import REQUEST_OVERHEAD_BYTES
from ingest_client._convert import submit_result_from_proto
from ingest_client._prepare import INVALID_ARGUMENT, JobLike, Prepared, encode_request, load, prepare
from ingest_client.errors import IngestClientError, InputUnreadable, InvalidRequest
from ingest_client.inputs import Blob, Input
from ingest_client.models import Limits, SubmitResult
from ingest_client.specs import JobSpec

REQUEST_BYTES = 4 << 20
"""Aimed-at size of a call, where the server would take more: with four calls under way 16 MiB are held, and an answer comes
before the next piece is read."""

UPLOAD_BYTES = 1 << 20
"""A call waits for no more uploads than these: the jobs whose inputs are there run while the next ones are sent."""

Item: TypeAlias = "Prepared | IngestClientError"
Jobs: TypeAlias = "Iterable[JobLike] | AsyncIterable[JobLike] | JobLike"


class Chunker:
    """Collects items until they fill a call.

    What a chunk holds in memory is bounded by one message: files are only measured here, and read when their chunk is sent.

    Args:
        limits: of the server.
        upload_bytes_max: a chunk is full when so much has to be uploaded for it, or one larger file.
    """

    def __init__(self, limits: Limits, upload_bytes_max: float = UPLOAD_BYTES) -> None:
        self._upload_bytes_max = upload_bytes_max
        self._upload_bytes = 0
        self._items_max = limits.submit_items_max
        self._bytes_max = min(REQUEST_BYTES, limits.message_bytes_max - REQUEST_OVERHEAD_BYTES)
        self._inline_bytes_max = limits.inline_bytes_max
        self._items: list[Item] = []
        self._bytes = 0
        self._held_bytes = 0

    def add(self, job: JobLike) -> list[Item]:
        """Take one more; give back a full chunk that comes before it, or an empty list.

        A job that cannot be read becomes its own error and refuses nobody else.

        Raises:
            TypeError: it is nothing that can be submitted.
        """
        try:
            item: Item = prepare(job, self._inline_bytes_max)
        except IngestClientError as error:
            item = error
        size, held = _sizes(item)
        upload = item.upload_bytes if isinstance(item, Prepared) else 0
        full: list[Item] = []
        if self._items and (
            len(self._items) >= self._items_max
            or self._bytes + size > self._bytes_max
            or self._held_bytes + held > self._bytes_max
            or (upload and self._upload_bytes + upload > self._upload_bytes_max)
        ):
            full = self.rest()
        self._items.append(item)
        self._bytes += size
        self._held_bytes += held
        self._upload_bytes += upload
        return full

    def rest(self) -> list[Item]:
        """What was collected since the last full chunk."""
        rest, self._items = self._items, []
        self._bytes = self._held_bytes = self._upload_bytes = 0
        return rest


class Submitter:
    """Submits chunk after chunk. Used from one event loop."""

    def __init__(self, channel: Channel, blobs: Blobs, limits: Limits, calls_max: int) -> None:
        """Args:
        channel, blobs, limits: of the server.
        calls_max: chunks under way at once, and so what is held in memory: so many messages.
        """
        self._channel = channel
        self._blobs = blobs
        self._limits = limits
        self._bytes_max = limits.message_bytes_max - REQUEST_OVERHEAD_BYTES
        self._calls_max = calls_max
        self._uploading = asyncio.Lock()  # first come, first served: what was handed in first runs first

    async def stream(self, jobs: Jobs, batch_id: str, all_or_nothing: bool) -> AsyncGenerator[SubmitResult, None]:
        """Submit `jobs` and tell what became of each, in their order. The iterable is drawn on only as calls return.

        Raises:
            IngestClientError: a call failed after its repeats. What was told before stays accepted.
            InvalidRequest: `all_or_nothing` with more than fits into one call; nothing was sent then.
        """
        under_way: deque[asyncio.Task[list[SubmitResult]]] = deque()
        try:
            async for chunk in self._chunks(jobs, all_or_nothing):
                while len(under_way) >= self._calls_max:
                    for result in await under_way.popleft():
                        yield result
                under_way.append(asyncio.create_task(self._submit_chunk(chunk, batch_id, all_or_nothing)))
            while under_way:
                for result in await under_way.popleft():
                    yield result
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    def encode_now(self, job: JobLike) -> bytes | None:
        """One item, encoded without disk or upload: the common case, kept free of awaits. None: `encode_one` has to do it.

        Raises:
            InputUnreadable: there is no such file.
        """
        if isinstance(job, JobSpec) and job.item is not None:
            return job.item
        item = prepare(job, self._limits.inline_bytes_max)
        if _needs_thread(item, self._limits):
            return None
        encoded = item.encode()
        if len(encoded) > self._bytes_max:
            return None
        if isinstance(job, JobSpec):
            job.keep_item(encoded)
        return encoded

    async def encode_one(self, job: JobLike) -> bytes:
        """One item, encoded, its blob uploaded if it needs one.

        Raises:
            IngestClientError: it cannot be read, is too large, or the upload failed.
        """
        item = prepare(job, self._limits.inline_bytes_max)
        if _needs_thread(item, self._limits):
            await asyncio.to_thread(load, item, self._limits.inline_bytes_max)
            if item.blob is not None:
                await self._upload([item])
        encoded = item.encode()
        if len(encoded) > self._bytes_max:
            raise self._too_large(len(encoded))
        return encoded

    async def _chunks(self, jobs: Jobs, single: bool) -> AsyncGenerator[list[Item], None]:
        chunker = Chunker(self._limits, math.inf if single else UPLOAD_BYTES)
        first: list[Item] | None = None
        async for job in _each(jobs):
            full = chunker.add(job)
            if full and single:
                raise InvalidRequest(
                    f"all_or_nothing holds for one call, which takes {self._limits.submit_items_max} jobs and "
                    f"{self._limits.message_bytes_max} bytes; submit fewer, or without it",
                    code=INVALID_ARGUMENT,
                )
            if full:
                yield full
        first = chunker.rest()
        if first:
            yield first

    async def _submit_chunk(self, chunk: list[Item], batch_id: str, all_or_nothing: bool) -> list[SubmitResult]:
        """Read, upload, submit; one result per item, in order."""
        results: list[SubmitResult | None] = [None] * len(chunk)
        unreadable: dict[str, IngestClientError] = {}
        if any(isinstance(item, Prepared) and _needs_thread(item, self._limits) for item in chunk):
            async with self._uploading:
                chunk = await asyncio.to_thread(_load_all, chunk, self._limits.inline_bytes_max)
                blobs = [item for item in chunk if isinstance(item, Prepared) and item.blob is not None]
                unreadable = await self._upload(blobs, tolerant=True) if blobs else {}
        encoded: list[bytes] = []
        places: list[int] = []
        for index, item in enumerate(chunk):
            refusal = item if isinstance(item, IngestClientError) else unreadable.get(item.blob.sha256) if item.blob else None
            body = b"" if refusal is not None or isinstance(item, IngestClientError) else item.encode()
            if len(body) > self._bytes_max:
                refusal = self._too_large(len(body))
            if refusal is not None:
                results[index] = SubmitResult("", False, refusal)
            else:
                encoded.append(body)
                places.append(index)
        if all_or_nothing and len(encoded) < len(chunk):
            raise next(each.error for each in results if each is not None and each.error is not None)
        for start, end in _cut(encoded, self._bytes_max):
            answers = await self._call(encoded[start:end], batch_id, all_or_nothing)
            for place, answer in zip(places[start:end], answers, strict=True):
                results[place] = answer
        return [result for result in results if result is not None]

    async def _call(self, encoded: list[bytes], batch_id: str, all_or_nothing: bool) -> list[SubmitResult]:
        request = encode_request(encoded, str(uuid.uuid4()), batch_id, all_or_nothing)
        response = await self._channel.unary(_methods.SUBMIT_JOBS, request)
        return [submit_result_from_proto(each) for each in response.results]

    async def _upload(self, items: list[Prepared], tolerant: bool = False) -> dict[str, IngestClientError]:
        """Upload what the server lacks.

        Returns:
            By digest the files that changed or vanished meanwhile, if `tolerant`; otherwise that is raised.
        """
        sources = {item.blob.sha256: item.source for item in items if item.blob is not None}
        blobs = distinct(item.blob for item in items if item.blob is not None)
        missing = await self._blobs.find_missing(blobs, self._limits.fetch_items_max)
        unreadable: dict[str, IngestClientError] = {}

        async def send(blob: Blob) -> None:
            source = sources[blob.sha256]
            try:
                if source is not None:
                    await self._blobs.upload(source, blob)
            except InputUnreadable as error:
                if not tolerant:
                    raise
                unreadable[blob.sha256] = error

        async with asyncio.TaskGroup() as group:
            for blob in blobs:
                if blob.sha256 in missing:
                    group.create_task(send(blob))
        return unreadable

    def _too_large(self, size_bytes: int) -> InvalidRequest:
        return InvalidRequest(
            f"the job takes {size_bytes} bytes without its blob, a message holds {self._limits.message_bytes_max}; "
            "shorten labels, options or metadata",
            code=INVALID_ARGUMENT,
        )


def _needs_thread(item: Prepared, limits: Limits) -> bool:
    source = item.source
    return source is not None and (not isinstance(source, bytes) or len(source) > limits.inline_bytes_max)


def _load_all(chunk: list[Item], inline_bytes_max: int) -> list[Item]:
    """Load every item of a chunk; those that cannot be read become their error."""
    loaded: list[Item] = []
    for item in chunk:
        if isinstance(item, Prepared):
            try:
                load(item, inline_bytes_max)
            except IngestClientError as error:
                loaded.append(error)
                continue
        loaded.append(item)
    return loaded


def _sizes(item: Item) -> tuple[int, int]:
    """What an item adds to a message, and what it holds in memory meanwhile (large bytes that become a blob)."""
    if not isinstance(item, Prepared):
        return 0, 0
    source = item.source
    return item.size_bytes, len(source) if isinstance(source, bytes) else item.size_bytes


def _cut(encoded: list[bytes], bytes_max: int) -> Iterator[tuple[int, int]]:
    """Ranges that fit into a message each: files may have grown since they were measured."""
    start = size = 0
    for index, body in enumerate(encoded):
        if index > start and size + len(body) > bytes_max:
            yield start, index
            start, size = index, 0
        size += len(body)
    if start < len(encoded):
        yield start, len(encoded)


def is_single(jobs: Jobs) -> bool:
    """Tell whether `jobs` is one job, not many: text and bytes are iterable too, but nobody means their letters."""
    return isinstance(jobs, JobSpec | job_pb2.JobSpec | Input | bytes | bytearray | memoryview | str | os.PathLike)


async def _each(jobs: Jobs) -> AsyncGenerator[JobLike, None]:
    if is_single(jobs):
        yield jobs  # type: ignore[misc]
    elif isinstance(jobs, AsyncIterable):
        async for job in jobs:
            yield job
    else:
        many: Iterable[JobLike] = jobs  # type: ignore[assignment]
        for job in many:
            yield job
