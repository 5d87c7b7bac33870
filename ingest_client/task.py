"""Constructors of the tasks of a job: `extract()`, `split()`, `filter_chunks()`, `dedup()`, `embed()`, `store()`, `custom()`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.v1 import job_pb2

SPLIT_UNITS = ("tokens", "characters", "sentences", "pages", "headings")
"""What `split` can measure chunks in."""
CONTENT_SCOPES = ("main", "full")
"""How much of a page `extract` can read."""
OCR_MODES = ("auto", "off")
"""Whether `extract` recognises text in pictures."""
STORE_FORMATS = ("sqlite", "jsonl", "parquet", "json")
"""What `store` can write."""


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


def extract(
    *,
    password: str = "",
    first_page: int = 0,
    last_page: int = 0,
    ocr_languages: Sequence[str] = (),
    pages_per_part: int = 0,
    fail_on_partial: bool = False,
    content: str = "main",
    ocr: str = "auto",
    tables: bool = True,
    images: bool = False,
    page_images_dpi: int = 0,
    links: bool = False,
    outline: bool = False,
) -> Task:
    """Turn a document into structured text.

    Args:
        password: for an encrypted document; "" tries the empty one.
        first_page: from 1; 0 means from the start.
        last_page: included; 0 means to the end.
        ocr_languages: of text in pictures, most frequent first, by tesseract's names such as "eng" and "deu"; empty: "eng".
        pages_per_part: a document of more pages is read in parts of so many, on all workers; 0 means 32.
        fail_on_partial: fail if any part of the document could not be read.
        content: of HTML: "main" without navigation and the like, or "full" for everything that is seen.
        ocr: "auto" recognises text in pictures and scanned pages where the server can; "off" never does.
        tables: whether tables are looked for in PDFs; without, their text comes as paragraphs.
        images: embedded pictures of PDFs become elements, with their bytes.
        page_images_dpi: dots per inch at which each page of a PDF is drawn into `Document.page_images`, 36 … 600; 0: none is.
        links: fill `Document.links`, from PDFs.
        outline: fill `Document.outline`, from PDFs.

    Raises:
        ValueError: there is no such scope or mode.
    """
    if content not in CONTENT_SCOPES:
        raise ValueError(f"content must be one of {', '.join(CONTENT_SCOPES)}, not {content!r}")
    if ocr not in OCR_MODES:
        raise ValueError(f"ocr must be one of {', '.join(OCR_MODES)}, not {ocr!r}")
    message = job_pb2.ExtractTask(
        password=password,
        first_page=first_page,
        last_page=last_page,
        ocr_languages=ocr_languages,
        pages_per_part=pages_per_part,
        fail_on_partial=fail_on_partial,
        content="CONTENT_SCOPE_FULL" if content == "full" else "CONTENT_SCOPE_UNSPECIFIED",
        ocr="OCR_MODE_OFF" if ocr == "off" else "OCR_MODE_UNSPECIFIED",
        tables="TABLE_MODE_UNSPECIFIED" if tables else "TABLE_MODE_OFF",
        images=images,
        page_images_dpi=page_images_dpi,
        links=links,
        outline=outline,
    )
    return _frozen("extract", job_pb2.Task(extract=message))


def split(unit: str = "tokens", size: int = 0, *, overlap: int = 0, heading_level: int = 0, tokens_max: int = 0) -> Task:
    """Cut the text of a document into chunks: after `extract()`, or alone for plain text.

    Args:
        unit: what size and overlap count: "tokens", "characters", "sentences", "pages" or "headings" (sections).
        size: of a chunk at most; 0: 512 tokens, 2,000 characters, 10 sentences, 1 page or 1 section.
        overlap: how much of the chunk before is repeated at most; not more than half of the size.
        heading_level: a chunk begins at each heading of this level (1 … 6) or above; 0: at none, with "headings" at all.
        tokens_max: chunks of more tokens are cut further; 0: none is. Not for "tokens".

    Raises:
        ValueError: there is no such unit.
    """
    if unit not in SPLIT_UNITS:
        raise ValueError(f"unit must be one of {', '.join(SPLIT_UNITS)}, not {unit!r}")
    message = job_pb2.SplitTask(
        unit=f"SPLIT_UNIT_{unit.upper()}",
        chunk_size=size,
        chunk_overlap=overlap,
        heading_level=heading_level,
        tokens_max=tokens_max,
    )
    return _frozen("split", job_pb2.Task(split=message))


def filter_chunks(
    *,
    tokens_min: int = 0,
    tokens_max: int = 0,
    characters_min: int = 0,
    characters_max: int = 0,
    letters_min: float = 0.0,
    exclude_phrases: Sequence[str] = (),
    include_phrases: Sequence[str] = (),
) -> Task:
    """Drop chunks by rules, after `split()`; `document().dropped_chunks` tells which. At least one rule.

    Args:
        tokens_min, tokens_max: of a chunk that is kept; 0: no such limit.
        characters_min, characters_max: the same in characters.
        letters_min: least share of letters among its visible characters, 0 … 1.
        exclude_phrases: chunks that contain one are dropped; literal, without regard to case.
        include_phrases: chunks that contain none are dropped; empty: none is.

    Raises:
        TypeError: phrases are given as one string.
    """
    for phrases in (exclude_phrases, include_phrases):
        if isinstance(phrases, str):
            raise TypeError(f"phrases are the string {phrases!r}: give a list of strings")
    message = job_pb2.FilterTask(
        tokens_min=tokens_min,
        tokens_max=tokens_max,
        characters_min=characters_min,
        characters_max=characters_max,
        letters_min=letters_min,
        exclude_phrases=exclude_phrases,
        include_phrases=include_phrases,
    )
    return _frozen("filter", job_pb2.Task(filter=message))


def dedup(similarity: float = 0.0) -> Task:
    """Drop chunks that repeat an earlier one, after `split()`; `document().dropped_chunks` tells which, and what they repeat.

    Args:
        similarity: from which a chunk is dropped, 0.3 … 1: the share of sequences of three words that two chunks have in common.
            1: only the same text; 0: 0.8.
    """
    return _frozen("dedup", job_pb2.Task(dedup=job_pb2.DedupTask(similarity=similarity)))


def embed(model: str = "", *, dimensions: int = 0, include_headings: bool = False) -> Task:
    """Compute a vector for each chunk, after `split()`: `chunk.embedding`.

    Args:
        model: "hashing-1", built in and lexical; a model of the server's machine; or "ENDPOINT/MODEL". `embedding_models`
            of the server's info lists them; "": its default.
        dimensions: of the vectors, where the model leaves a choice; 0: its own.
        include_headings: whether the headings that a chunk stands under go before its text in what is embedded.
    """
    message = job_pb2.EmbedTask(model=model, dimensions=dimensions, include_headings=include_headings)
    return _frozen("embed", job_pb2.Task(embed=message))


def store(target: str | os.PathLike[str], *, format: str = "", document_key: str = "") -> Task:
    """Write the document, with its chunks and vectors, to a place that the server allows; the document is passed on unchanged.

    Args:
        target: `sqlite:///PATH`, `file:///PATH` or `s3://BUCKET/PREFIX`; or a path of this machine, if the server runs on it.
        format: one of `STORE_FORMATS`; "": by the suffix of the target (.sqlite, .db, .jsonl, .parquet), or else "json".
        document_key: which document this is in the target: what was stored under the same key is replaced. "": the file's digest
            and name together.

    Raises:
        ValueError: there is no such format.
    """
    if format and format not in STORE_FORMATS:
        raise ValueError(f"format must be one of {', '.join(STORE_FORMATS)}, not {format!r}")
    text = os.fspath(target)
    message = job_pb2.StoreTask(
        target_uri=text if "://" in text else Path(os.path.abspath(text)).as_uri(),
        format=f"STORE_FORMAT_{format.upper()}" if format else None,
        document_key=document_key,
    )
    return _frozen("store", job_pb2.Task(store=message))


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
