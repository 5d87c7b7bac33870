"""A tiny embedding model in the form of model2vec, made here: four words, three dimensions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WORDS = {"[UNK]": 0, "cat": 1, "dog": 2, "stone": 3}
ROWS = [[9.0, 9.0, 9.0], [1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]]


def make_model(folder: Path, *, normalize: bool = True, rows: Any = None) -> Path:
    """Write a model of four words and three dimensions."""
    import numpy
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(WordLevel(WORDS, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file({"embeddings": numpy.array(rows or ROWS, dtype="float32")}, str(folder / "model.safetensors"))
    (folder / "config.json").write_text(json.dumps({"normalize": normalize, "seq_length": 1_000_000}))
    return folder
