"""The result of one job: its end, and its output in whatever form one wants it, downloaded when asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.v1 import document_pb2, job_service_pb2
from ingest_client._blobs import Blobs
from ingest_client._convert import output_from_proto, state_from_proto
from ingest_client.document import DOCUMENT_MEDIA_TYPE
from ingest_client.errors import JobError, JobFailed, job_error_from_status
from ingest_client.models import JobState, Output
from ingest_client.rendering import Format, plain_text, render


@dataclass(frozen=True, slots=True)
class JobResult:
    """How a job ended, or how it stands.

    Attributes:
        job_id: the job.
        state: its state; UNSPECIFIED if the server does not know the job (then `error` says so).
        output: of a job that succeeded.
        error: why it failed, was cancelled or expired.
    """

    job_id: str
    state: JobState
    output: Output | None = None
    error: JobError | None = None
    _blobs: Blobs | None = field(default=None, repr=False, compare=False)

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
        return self.state is JobState.SUCCEEDED

    def raise_for_state(self) -> JobResult:
        """Give the result back if the job succeeded.

        Raises:
            JobFailed: it ended otherwise, or is not known to the server.
            ValueError: it has not ended.
        """
        if self.state is JobState.SUCCEEDED:
            return self
        if self.error is None:
            if not self.state.terminal:
                raise ValueError(f"job {self.job_id} has not ended, it is {self.state.name}; wait for it")
            raise JobFailed(self.job_id, self.state, JobError(2, "", f"it ended {self.state.name} without a reason"))
        raise JobFailed(self.job_id, self.state, self.error)

    async def read(self) -> bytes:
        """All bytes of the output, downloaded if they are a blob.

        Raises:
            JobFailed, ValueError: as `raise_for_state`.
            IngestClientError: the download failed.
        """
        output = self._succeeded_output()
        if output.data is not None:
            return output.data
        if output.blob is None or self._blobs is None:
            raise ValueError(f"the output of job {self.job_id} has neither bytes nor a blob that this client could download")
        return await self._blobs.read(output.blob)

    async def save(self, path: str | Path) -> Path:
        """Write the output to a file, whole or not at all; a blob is streamed, never held in memory.

        Raises:
            JobFailed, ValueError: as `raise_for_state`.
            IngestClientError: the download failed.
            OSError: the file cannot be written.
        """
        target = Path(path)
        output = self._succeeded_output()
        if output.data is None and output.blob is not None and self._blobs is not None:
            await self._blobs.save(output.blob, target)
        else:
            data = await self.read()
            await asyncio.to_thread(_write, target, data)
        return target

    async def document(self) -> document_pb2.Document:
        """The output as a `Document`.

        Raises:
            ValueError: it is something else.
        """
        output = self._succeeded_output()
        if output.media_type != DOCUMENT_MEDIA_TYPE:
            raise ValueError(f"the output of job {self.job_id} is {output.media_type!r}, not {DOCUMENT_MEDIA_TYPE!r}")
        return document_pb2.Document.FromString(await self.read())

    async def text(self) -> str:
        """The output as plain text: a document in reading order, anything else decoded as UTF-8.

        Raises:
            ValueError: it is neither (UnicodeDecodeError is a ValueError).
        """
        if self._succeeded_output().media_type == DOCUMENT_MEDIA_TYPE:
            return plain_text(await self.document())
        return (await self.read()).decode()

    async def render(self, form: Format | str, *, page_marks: bool = False, image_links: Mapping[str, str] | None = None) -> str:
        """The output, a document, as "md", "text", "json" or "html"; see `ingest_client.rendering.render`.

        Raises:
            ValueError: it is no document, or there is no such format.
        """
        return render(await self.document(), form, page_marks=page_marks, image_links=image_links)

    async def markdown(self) -> str:
        """The output, a document, as Markdown.

        Raises:
            ValueError: it is no document.
        """
        return await self.render(Format.MARKDOWN)

    async def html(self) -> str:
        """The output, a document, as a page of HTML.

        Raises:
            ValueError: it is no document.
        """
        return await self.render(Format.HTML)

    async def json(self) -> Any:
        """The output parsed as JSON; a document in protobuf's mapping.

        Raises:
            ValueError: it is none.
        """
        if self._succeeded_output().media_type == DOCUMENT_MEDIA_TYPE:
            return json.loads(await self.render(Format.JSON))
        return json.loads(await self.read())

    def _succeeded_output(self) -> Output:
        return self.raise_for_state().output or _EMPTY_OUTPUT


_EMPTY_OUTPUT = Output("", "", {}, b"", None)


def result_from_event(event: job_service_pb2.JobEvent, blobs: Blobs) -> JobResult:
    """From a terminal event of a watch with full view."""
    state = state_from_proto(event.state)
    if state is JobState.SUCCEEDED:
        return JobResult(event.job_id, state, output_from_proto(event.output), None, blobs)
    error = job_error_from_status(event.error) if event.HasField("error") else None
    return JobResult(event.job_id, state, None, error, blobs)


def result_from_fetched(fetched: job_service_pb2.FetchedResult, blobs: Blobs) -> JobResult:
    """From one item of FetchResults."""
    output = output_from_proto(fetched.output) if fetched.HasField("output") else None
    error = job_error_from_status(fetched.error) if fetched.HasField("error") else None
    return JobResult(fetched.job_id, state_from_proto(fetched.state), output, error, blobs)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(data)
    partial.replace(path)
