"""A document and those inside it as one row of sections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ingest.v1 import document_pb2
from ingest_client.rendering.cleaning import heading_level, one_line

HEADING_LEVEL_MAX = 6
"""As in HTML and Markdown."""


class Section(NamedTuple):
    """One document of those in each other.

    Attributes:
        depth: 0 for the outermost.
        heading: what it stands under: its name, cleaned, or its title if it has no name; "" for the outermost.
        document: itself; those inside it have sections of their own.
    """

    depth: int
    heading: str
    document: document_pb2.Document

    @property
    def level(self) -> int:
        """Level of `heading`, from 2: level 1 is the outermost document's own."""
        return min(self.depth + 1, HEADING_LEVEL_MAX)

    def heading_level(self, element: document_pb2.Element) -> int:
        """Level of an element's heading, from 1 to 6, below the section's own; 0 for all else."""
        level = heading_level(element)
        return min(level + self.depth + 1, HEADING_LEVEL_MAX) if level and self.depth else level


def sections(document: document_pb2.Document, depth: int = 0) -> Iterator[Section]:
    """The document itself, then each inside it with what is in that, in order."""
    yield Section(depth, (one_line(document.name) or one_line(document.title) or "unnamed") if depth else "", document)
    for inner in document.documents:
        yield from sections(inner, depth + 1)
