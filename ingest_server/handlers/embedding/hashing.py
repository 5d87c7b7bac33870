"""The built-in model "hashing-1": signed feature hashing of words and their parts. Lexical: it knows no meanings.

Features are words and every three consecutive characters of each, hashed to a dimension and a sign (Weinberger, Dasgupta,
Langford, Smola and Attenberg, "Feature hashing for large scale multitask learning", 2009); the sign makes what falls upon another
feature cancel out on average. A word stands for itself and, with the same weight in all, for its parts, as in fastText
(Bojanowski and others, 2017), so that "indexes" is near to "indexing". Its frequency counts by 1 + ln (sublinear; Manning,
Raghavan and Schütze, "Introduction to information retrieval", 6.4.1), and short words count less, as the frequent words of a
language are short (Zipf's law of abbreviation, 1935): there is no collection to take frequencies from.

The vectors of a text are the same on every machine and in every version: else those kept would become useless. Whoever changes
what is computed here must give the model another name.
"""

from __future__ import annotations

import math
import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from itertools import pairwise

from ingest_server.domain.embed_rules import HASHING_DIMENSIONS
from ingest_server.handlers.embedding.embedder import Embedder
from ingest_server.handlers.interface import Context
from ingest_server.handlers.selection.shingles import normalised

WORDS_KEPT_MAX = 20_000
"""Words whose features are kept from text to text, about 1 KB each: most words of a text are among the most frequent of all."""
WORD_CHARACTERS_MAX = 64
"""Of a longer word only the beginning counts: it is no word."""
PART_CHARACTERS = 3
"""As `scripts/bench/embed.py` measures it, 4 or both find no more."""
FULL_WEIGHT_CHARACTERS = 6
"""Words of so many characters or more have full weight. With the same weight for all, that benchmark finds a fifth less."""

_ASCII_WORD = re.compile(r"[a-z0-9]+")
# Scripts written without spaces: characters and pairs of them are the features.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
)


class HashingEmbedder(Embedder):
    """See the module. Never fails.

    Args:
        dimensions: of the vectors.
    """

    batch_texts_max = 64
    batch_bytes_max = 256 * 1024

    def __init__(self, dimensions: int = 0) -> None:
        self._dimensions = dimensions or HASHING_DIMENSIONS
        self._features: dict[str, tuple[tuple[int, float], ...]] = {}

    def embed(self, texts: Sequence[str], context: Context) -> list[array[float]]:
        """See `Embedder.embed`."""
        vectors = []
        for text in texts:
            context.check()
            vectors.append(self._vector(text))
        return vectors

    def _vector(self, text: str) -> array[float]:
        sums = [0.0] * self._dimensions
        # A text of signs only has them as its one word: it must have a direction.
        words = words_of(text) or [text.strip()[:WORD_CHARACTERS_MAX]]
        for word, count in Counter(words).items():
            weight = 1.0 + math.log(count)
            for dimension, value in self._features.get(word) or self._features_of(word):
                sums[dimension] += weight * value
        length = math.sqrt(math.fsum(value * value for value in sums))
        if not length:  # features that cancel out to the last bit
            return array("f", [1.0, *sums[1:]])
        return array("f", [value / length for value in sums])

    def _features_of(self, word: str) -> tuple[tuple[int, float], ...]:
        weight = min(len(word), FULL_WEIGHT_CHARACTERS) / FULL_WEIGHT_CHARACTERS
        marked = f"<{word}>"
        parts = [marked[start : start + PART_CHARACTERS] for start in range(len(marked) - PART_CHARACTERS + 1)]
        sums: dict[int, float] = {}
        for feature, share in ((word, weight), *((part, weight / math.sqrt(len(parts))) for part in parts)):
            number = int.from_bytes(blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
            dimension = (number >> 1) % self._dimensions
            sums[dimension] = sums.get(dimension, 0.0) + (share if number & 1 else -share)
        if len(self._features) >= WORDS_KEPT_MAX:
            self._features.clear()
        features = self._features[word] = tuple(sums.items())
        return features


def words_of(text: str) -> list[str]:
    """Words as the model counts them: normalised, of letters with their marks and digits; of unspaced scripts characters and
    pairs."""
    plain = normalised(text)
    if plain.isascii():
        return [word[:WORD_CHARACTERS_MAX] for word in _ASCII_WORD.findall(plain)]
    words: list[str] = []
    for run in plain.translate(_LETTERS).split():
        for unspaced in _UNSPACED.findall(run):
            words.extend(unspaced)
            words.extend(first + second for first, second in pairwise(unspaced))
        words.extend(word[:WORD_CHARACTERS_MAX] for word in _UNSPACED.sub(" ", run).split())
    return words


class _Letters(dict[int, str]):
    """Code point → itself for letters, marks and digits, a space for all else. Filled as characters are met."""

    def __missing__(self, code: int) -> str:
        kept = unicodedata.category(chr(code))[0] in "LMN"
        value = self[code] = chr(code) if kept else " "
        return value


_LETTERS = _Letters()
