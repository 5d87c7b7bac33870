"""The vector of a query, made by the server with the model that made those of the database."""

from __future__ import annotations

import argparse

from ingest_client.cli.options import UsageError, connected
from ingest_client.inputs import Input
from ingest_client.specs import JobSpec
from ingest_client.task import embed, split

QUERY_CHARACTERS_MAX = 1_000_000
"""Of a chunk: a query is one."""


async def query_vector(arguments: argparse.Namespace, words: str, model: str, dimensions: int) -> list[float]:
    """Ask the server for the vector of a query.

    Args:
        arguments: name the server.
        words: the query.
        model: as the database names it.
        dimensions: of its vectors. The model is asked for its own first, because some take no other.

    Returns:
        The vector; empty where the model makes none of these words.

    Raises:
        UsageError: the model makes vectors of other dimensions.
        IngestClientError: the server cannot be reached, or does not have the model.
    """
    found = 0
    async with connected(arguments) as client:
        for asked in (0, dimensions):
            tasks = [split("characters", QUERY_CHARACTERS_MAX), embed(model, dimensions=asked)]
            result = await client.run(JobSpec(Input.text(words[:QUERY_CHARACTERS_MAX]), tasks))
            document = await result.raise_for_state().document()
            vector = list(document.chunks[0].embedding) if document.chunks else []
            if len(vector) in (0, dimensions):
                return vector
            found = len(vector)
    raise UsageError(f"{arguments.db} has vectors of {dimensions} dimensions by {model}; that of the server makes {found}")
