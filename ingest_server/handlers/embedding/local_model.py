"""Models of this machine in the form of model2vec: a vector for each token, whose mean is the text's. Needs the extra `embed`.

Loaded in the zygote, before workers are forked: the matrix lies in one buffer that all of them share and only read.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ingest_server.domain.errors import Code
from ingest_server.handlers.embedding.embedder import Embedder
from ingest_server.handlers.interface import Context, HandlerFailure

EXTRA = "ingest[embed]"
"""pyproject.toml: what brings model2vec."""
MODEL_FILE = "model.safetensors"

_loaded: dict[str, Any] = {}


class LocalEmbedder(Embedder):
    """A model of this machine.

    Args:
        name: the operator's name for it, for messages.
        place: folder, or name at the hub.

    Raises:
        HandlerFailure: see `load_model`.
    """

    batch_texts_max = 256
    batch_bytes_max = 1024 * 1024

    def __init__(self, name: str, place: str) -> None:
        self._model = load_model(name, place)

    def embed(self, texts: Sequence[str], context: Context) -> list[array[float]]:
        """See `Embedder.embed`. A text none of whose tokens the model knows gets zeros."""
        context.check()
        # By default it cuts after 512 tokens, and forks processes of its own for many texts.
        rows = self._model.encode(list(texts), max_length=None, use_multiprocessing=False).astype("<f4")
        vectors = []
        for row in rows:
            vector = array("f")
            vector.frombytes(row.tobytes())
            vectors.append(vector)
        return vectors


def load_model(name: str, place: str) -> Any:
    """A model, loaded once in a process.

    Args:
        name: the operator's name for it.
        place: a folder with its files if it has a leading "/", "." or "~" or is there; else its name at the hub, from where it is
            fetched into the hub's cache unless it is there already.

    Raises:
        HandlerFailure: MODEL_UNAVAILABLE, not retryable: the extra is missing, there is no such folder, or it cannot be read.
    """
    found = _loaded.get(place)
    if found is None:
        found = _loaded[place] = _load(name, place)
    return found


def _load(name: str, place: str) -> Any:
    # The tokenizer would start threads, which a fork does not take along. Read when it is imported.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        from model2vec import StaticModel
    except ImportError as error:
        raise _unavailable(
            name, f"what reads it is not installed ({error}). Where the server runs: pip install '{EXTRA}'"
        ) from error
    folder = Path(place).expanduser()
    if place.startswith(("/", ".", "~")) or folder.exists():
        if not (folder / MODEL_FILE).is_file():
            raise _unavailable(name, f"there is no file {folder / MODEL_FILE}: embed_local_models must name a model's folder")
        place = str(folder)
    try:
        return StaticModel.from_pretrained(place, force_download=False)
    except Exception as error:  # of a file format, of a download
        raise _unavailable(name, f"{place} cannot be loaded: {type(error).__name__}: {error}") from error


def _unavailable(name: str, why: str) -> HandlerFailure:
    return HandlerFailure(
        f'The local embedding model "{name}" cannot be used: {why}',
        reason="MODEL_UNAVAILABLE",
        code=Code.FAILED_PRECONDITION,
        retryable=False,
        metadata={"model": name},
    )
