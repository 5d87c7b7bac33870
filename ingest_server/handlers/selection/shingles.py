"""What chunks are compared by: their text made comparable, and the set of its shingles.

A shingle is a sequence of consecutive words; how alike the sets of two texts are tells how alike the texts are (Broder, "On the
resemblance and containment of documents", 1997). Three words are rare enough not to be shared by chance, and few enough that a
changed word spoils only three shingles.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from hashlib import blake2b

SHINGLE_WORDS = 3
DIGEST_BYTES = 16
"""Two different texts have the same digest once in 2^128."""

# Scripts written without spaces: each letter counts as a word, or a sentence would be one.
_WORD = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
    r"|[^\W\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
)


def normalised(text: str) -> str:
    """The text without what does not count: forms that Unicode calls compatible (NFKC), case, and kinds of white space."""
    if text.isascii():
        return " ".join(text.lower().split())
    # Folding may make a form that is composed differently, so it is normalised once more (Unicode, section 3.13, D146).
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def digest(comparable: str) -> bytes:
    """What tells a normalised text from all others."""
    return blake2b(comparable.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


def shingles(comparable: str) -> array[int]:
    """The different shingles of a normalised text, as hashes of 64 bits, ascending; at least one.

    A text with fewer words than a shingle has is one shingle; one without words, of signs only, too. The hashes hold within this
    process. Two different shingles have the same hash once in 2^64, so a pair is misjudged far more seldom than a disk errs.
    """
    words = _WORD.findall(comparable)
    if len(words) < SHINGLE_WORDS:
        return array("q", [hash(tuple(words) or comparable)])
    return array("q", sorted(set(map(hash, zip(words, words[1:], words[2:], strict=False)))))
