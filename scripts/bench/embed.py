"""Chunks a second of the tasks filter, dedup and embed, each alone; and what the built-in model finds.

python -m scripts.bench.embed

Chunks are those of a made document, of 512 tokens at most. What hashing-1 finds is measured on docstrings of Python's library:
the first paragraph of each (3 to 25 words) is to find the rest (25 words or more) among all the others.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import tempfile
import time
import warnings
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

from ingest.v1 import document_pb2
from ingest_server.domain.filter_rules import FilterRequest
from ingest_server.domain.split_rules import SplitRequest
from ingest_server.handlers.chunking.chunker import add_chunks
from ingest_server.handlers.chunking.source_text import SourceText
from ingest_server.handlers.chunking.token_estimate import count_tokens
from ingest_server.handlers.context import AttemptContext
from ingest_server.handlers.dedup import drop_repeated
from ingest_server.handlers.embed import add_vectors
from ingest_server.handlers.embedding.embedder import Embedder
from ingest_server.handlers.embedding.endpoint import Endpoint, EndpointEmbedder, EndpointLimits
from ingest_server.handlers.embedding.hashing import HashingEmbedder
from ingest_server.handlers.embedding.local_model import LocalEmbedder
from ingest_server.handlers.selection.dropping import drop_chunks
from ingest_server.handlers.selection.rules import broken_rule, rules_of
from scripts.bench.split_pages import made_document, seconds
from tests.fakes.embedding_service import embedding_service

DIMENSIONS = 512
VOCABULARY = 30_000
"""Of the made model of this machine, as many tokens as published ones have."""
DOCSTRING_MODULES = [
    "os",
    "re",
    "json",
    "logging",
    "argparse",
    "asyncio",
    "collections",
    "datetime",
    "decimal",
    "email.message",
    "functools",
    "heapq",
    "http.client",
    "inspect",
    "io",
    "itertools",
    "math",
    "multiprocessing",
    "pathlib",
    "pickle",
    "queue",
    "random",
    "shutil",
    "socket",
    "sqlite3",
    "ssl",
    "statistics",
    "string",
    "subprocess",
    "tarfile",
    "tempfile",
    "textwrap",
    "threading",
    "time",
    "typing",
    "unittest",
    "urllib.parse",
    "urllib.request",
    "uuid",
    "xml.dom.minidom",
    "zipfile",
    "zlib",
    "csv",
    "configparser",
    "ast",
    "contextlib",
    "copy",
    "ctypes",
    "enum",
    "fractions",
    "glob",
    "gzip",
    "hashlib",
    "ipaddress",
    "operator",
    "secrets",
    "select",
    "selectors",
    "signal",
    "struct",
    "traceback",
    "types",
    "weakref",
]


class _Host:
    """Runs one attempt that nobody cancels."""

    wall_offset_us = 0

    def is_cancelled(self, key: tuple[int, int]) -> bool:
        """Never."""
        return False

    def tell_progress(self, context: AttemptContext) -> None:
        """Nobody listens."""


def attempt() -> AttemptContext:
    """An attempt without limits."""
    return AttemptContext(_Host(), (1, 1), bytes(16), 1, time.monotonic_ns(), 0, 0)


def chunked() -> document_pb2.Document:
    """The made document, split."""
    document = document_pb2.Document.FromString(made_document())
    add_chunks(SourceText(document), SplitRequest(512, 64), count_tokens, document, attempt().check)
    return document


def tell(name: str, document: document_pb2.Document, work: Callable[[document_pb2.Document], object]) -> None:
    """Print one line: `work` done to a copy of the document, which is made outside the time."""
    copies = [document_pb2.Document() for _ in range(6)]
    for copy in copies:
        copy.CopyFrom(document)
    work(copies.pop())  # warm
    taken = seconds(lambda: work(copies.pop()))
    print(f"{name:44} {len(document.chunks) / taken:9,.0f} chunks/s")


def embedding(embedder: Embedder) -> Callable[[document_pb2.Document], object]:
    """The embed task with a model."""
    return lambda document: add_vectors(document, "m", embedder, attempt(), include_headings=False)


def made_model(folder: Path, words: list[str]) -> Path:
    """A model in model2vec's form of `VOCABULARY` tokens, `words` among them, and 256 dimensions."""
    import numpy
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    known = ["[UNK]", *sorted(set(words))[: VOCABULARY - 1]]
    known += [f"token{number}" for number in range(VOCABULARY - len(known))]
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(known)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    rows = numpy.random.default_rng(1).standard_normal((VOCABULARY, 256), dtype="float32")
    save_file({"embeddings": rows}, str(folder / "model.safetensors"))
    (folder / "config.json").write_text('{"normalize": true}')
    return folder


def docstrings() -> list[tuple[str, str]]:
    """(first paragraph, rest) of docstrings, each rest once, in a fixed order."""
    found: dict[str, str] = {}
    for name in DOCSTRING_MODULES:
        module = importlib.import_module(name)
        for thing in _things(module):
            first, _, rest = (inspect.getdoc(thing) or "").partition("\n\n")
            if 3 <= len(first.split()) <= 25 and len(rest.split()) >= 25:
                found.setdefault(rest[:3_000], first)
    return [(first, rest) for rest, first in found.items()]


def _things(module: object) -> Iterator[object]:
    yield module
    for thing in list(vars(module).values()):
        yield thing
        if inspect.isclass(thing):
            yield from list(vars(thing).values())


def tell_found(dimensions: int, pairs: list[tuple[str, str]]) -> None:
    """Print how often the first paragraph finds its own rest."""
    import numpy

    model = HashingEmbedder(dimensions)

    def vectors(texts: list[str]) -> list[array[float]]:
        return model.embed(texts, attempt())

    similarities = numpy.array(vectors([first for first, _ in pairs])) @ numpy.array(vectors([rest for _, rest in pairs])).T
    ranks = (similarities > similarities.diagonal()[:, None]).sum(axis=1)
    first, ten = (float((ranks < limit).mean()) for limit in (1, 10))
    print(f"hashing-1, {dimensions:5,} dimensions: found first {first:.0%}, among the first ten {ten:.0%}, of {len(pairs):,}")


def main() -> None:
    """Print all lines."""
    warnings.simplefilter("ignore")
    document = chunked()
    rules = rules_of(FilterRequest(tokens_min=5, letters_min=0.3, exclude_phrases=("all rights reserved", "page intentionally")))
    nobody = attempt().check
    characters = sum(len(chunk.text) for chunk in document.chunks)
    print(f"{len(document.chunks):,} chunks of {characters // len(document.chunks):,} characters")
    tell("filter: length, letters, two phrases", document, lambda it: drop_chunks(it, lambda c: broken_rule(c, rules), nobody))
    for similarity in (1.0, 0.8, 0.5):
        tell(f"dedup, similarity {similarity}", document, lambda it, least=similarity: drop_repeated(it, least, attempt()))  # type: ignore[misc]
    tell(f"embed, hashing-1, {DIMENSIONS} dimensions", document, embedding(HashingEmbedder(DIMENSIONS)))
    with embedding_service() as service:
        endpoint = EndpointEmbedder(Endpoint("own", service.url, "", "m"), DIMENSIONS, EndpointLimits())
        tell(f"embed, an endpoint in this process, {DIMENSIONS}", document, embedding(endpoint))
        endpoint.close()
    with tempfile.TemporaryDirectory() as folder:
        words = [word for chunk in document.chunks for word in chunk.text.split()]
        model = LocalEmbedder("made", str(made_model(Path(folder), words)))
        tell("embed, a model2vec model of 256 dimensions", document, embedding(model))
    pairs = docstrings()
    for dimensions in (256, 512, 1_024, 4_096):
        tell_found(dimensions, pairs)
    print(f"Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
