"""Documents a second into each kind of target, two processes at once; and how long a search in the database takes.

python -m scripts.bench.stored_documents [--documents N] [--folder DIR]
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ingest.v1 import document_pb2
from ingest_client.search import SearchDatabase
from ingest_server.domain.store_target import StoreRules, parse_store_target
from ingest_server.handlers.operator import OperatorSettings
from ingest_server.handlers.store import target_writer
from ingest_server.handlers.targets.interface import Writing
from ingest_server.handlers.targets.stored_documents import stored_documents

PROCESSES = 2
CHUNKS = 20
"""Of a document: ten pages in chunks of 512 tokens."""
WORDS_PER_CHUNK = 300
DIMENSIONS = 384
"""Of the small models of sentences."""
SEARCHES = 50
WORDS = ["".join(random.Random(seed).choices("etaoinshrdlu", k=2 + seed % 8)) for seed in range(5_000)]
TARGETS = ("x.sqlite", "x.jsonl", "x.json", "x.parquet")


def made_document(seed: int) -> document_pb2.Document:
    """A document of prose with vectors; the same for the same seed."""
    chance = random.Random(seed)
    document = document_pb2.Document(sha256=f"{seed}", title=f"Document {seed}", page_count=CHUNKS // 2, embedding_model="bench")
    for number in range(CHUNKS):
        text = " ".join(chance.choices(WORDS, k=WORDS_PER_CHUNK))
        element = document.elements.add(id=f"e{number + 1}", page=1 + number // 2)
        element.text.text = text
        chunk = document.chunks.add(id=f"c{number + 1}", text=text, pages=[1 + number // 2], token_count=WORDS_PER_CHUNK)
        chunk.embedding.extend(chance.uniform(-1, 1) for _ in range(DIMENSIONS))
    return document


def store_all(uri: str, allowed: Path, documents: Sequence[document_pb2.Document]) -> None:
    """Write documents as a worker does, one after the other."""
    rules = StoreRules((str(allowed),))
    writer = target_writer(parse_store_target(uri), rules, OperatorSettings())
    for document in documents:
        writer.write(list(stored_documents(document, f"{document.sha256}.pdf", "")), Writing(f"job-{document.sha256}", _go_on))


def _go_on() -> None:
    """Nobody cancels."""


def seconds_of(uri: str, allowed: Path, documents: Sequence[document_pb2.Document]) -> float:
    """How long `PROCESSES` take to write the documents, each its share."""
    begin, pids = time.perf_counter(), []
    for number in range(PROCESSES):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                store_all(uri, allowed, documents[number::PROCESSES])
                status = 0
            finally:
                os._exit(status)
        pids.append(pid)
    ends = [os.waitpid(pid, 0)[1] for pid in pids]  # all of them are waited for, also if one has failed
    if any(ends):
        raise RuntimeError(f"writing to {uri} failed")
    return time.perf_counter() - begin


def search_milliseconds(path: Path, *, vectors: bool) -> float:
    """Median of searches for two words, with a vector beside them or without; each opens the database."""
    chance, taken = random.Random(1), []
    for _ in range(SEARCHES):
        vector = [chance.uniform(-1, 1) for _ in range(DIMENSIONS)] if vectors else []
        begin = time.perf_counter()
        with SearchDatabase(path) as database:
            database.search(" ".join(chance.sample(WORDS, k=2)), vector=vector)
        taken.append((time.perf_counter() - begin) * 1_000)
    return statistics.median(taken)


def main() -> None:
    """Print one line for each target and each kind of search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=400)
    parser.add_argument("--folder", type=Path, help="on the disk to measure; by default that of temporary files")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name).resolve()
        documents = [made_document(seed) for seed in range(arguments.documents)]
        for target in TARGETS:
            taken = seconds_of((folder / target).as_uri(), folder, documents)
            rate = arguments.documents / taken
            print(f"{target:10} {rate:8,.0f} documents/s {rate * CHUNKS:10,.0f} chunks/s, {DIMENSIONS} dimensions, fsynced")
        chunks = arguments.documents * CHUNKS
        for what, vectors in (("words", False), ("words and vector", True)):
            taken = search_milliseconds(folder / TARGETS[0], vectors=vectors)
            print(f"search by {what} in {chunks:,} chunks: {taken:.1f} ms")


if __name__ == "__main__":
    main()
