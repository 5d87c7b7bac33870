"""What a target of the task store promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from ingest_server.handlers.targets.stored_documents import StoredDocument


@dataclass(frozen=True, slots=True)
class Writing:
    """Who writes: what a target may want to note or to ask.

    Attributes:
        job_id: of the job, in 36 characters.
        check: raises `Cancelled` if the job was asked to stop. Called between pieces, never within what must be whole.
    """

    job_id: str
    check: Callable[[], None]


class Target(ABC):
    """A place that takes documents."""

    @abstractmethod
    def write(self, documents: Sequence[StoredDocument], writing: Writing) -> None:
        """Write a job's document and those inside it, in place of what was written of them before.

        Whole or not at all: a reader sees the old or the new state, also if this process is killed. (Parquet has several files,
        of which each is whole.) Returned means on disk, or accepted by the service. Writing the same again changes nothing.

        Args:
            documents: the job's first, each after the one it lies in.
            writing: of this attempt.

        Raises:
            HandlerFailure: STORE_TARGET_UNUSABLE, STORE_TARGET_UNAVAILABLE, STORAGE_FULL or NOT_SUPPORTED; see errors.proto.
            Cancelled: the job was asked to stop.
        """


class Place(ABC):
    """A folder, of a file system or of S3, in which files appear whole."""

    @abstractmethod
    def put(self, name: str, media_type: str, write: Callable[[BinaryIO], None], writing: Writing) -> None:
        """Make or replace a file.

        Args:
            name: relative; folders in it are made.
            media_type: of its content.
            write: writes the content; called once.
            writing: of this attempt.

        Raises:
            OSError, S3Error: it could not be written; nothing was changed.
            HandlerFailure: as for `Target.write`.
            Cancelled: the job was asked to stop; nothing was changed.
        """
