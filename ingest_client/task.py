"""Constructors of the tasks of a job: `extract()`, `custom("name", …)`, `echo()`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ingest.v1 import job_pb2


@dataclass(frozen=True, slots=True)
class Task:
    """One step of a job, immutable: equal tasks compare equal.

    Attributes:
        name: what it is, for people.
        encoded: the serialized `ingest.v1.Task`.
    """

    name: str
    encoded: bytes

    def to_proto(self) -> job_pb2.Task:
        """The message that goes to the server."""
        return job_pb2.Task.FromString(self.encoded)


def _frozen(name: str, message: job_pb2.Task) -> Task:
    return Task(name, message.SerializeToString(deterministic=True))


def extract(*, password: str = "", first_page: int = 0, last_page: int = 0, ocr_languages: Sequence[str] = ()) -> Task:
    """Turn a document into structured text.

    Args:
        password: for an encrypted document; "" tries the empty one.
        first_page: from 1; 0 means from the start.
        last_page: included; 0 means to the end.
        ocr_languages: of text in pictures, most frequent first, by tesseract's names such as "eng" and "deu"; empty: "eng".
    """
    message = job_pb2.ExtractTask(password=password, first_page=first_page, last_page=last_page, ocr_languages=ocr_languages)
    return _frozen("extract", job_pb2.Task(extract=message))


def custom(handler: str, /, **options: Any) -> Task:
    """Run a handler by name.

    Args:
        handler: its name, as in `info().handlers`.
        **options: what it takes: anything JSON can hold. Numbers travel as doubles: integers beyond 2**53 lose digits.

    Raises:
        ValueError: an option is nothing JSON can hold.
    """
    message = job_pb2.CustomTask(handler=handler)
    if options:
        try:
            message.options.update(options)
        except (TypeError, ValueError) as error:
            raise ValueError(f"options of handler {handler!r} must be what JSON can hold: {error}") from error
    return _frozen(handler, job_pb2.Task(custom=message))


def echo() -> Task:
    """Give the input back unchanged: for trials and measurements."""
    return custom("echo")
