"""Prose that says nothing, the same at every run."""

from __future__ import annotations

import random

WORDS = [
    "river",
    "stone",
    "garden",
    "window",
    "letter",
    "harbour",
    "winter",
    "market",
    "silver",
    "engine",
    "copper",
    "valley",
    "paper",
    "signal",
    "lantern",
    "meadow",
    "bridge",
    "carpet",
    "orchard",
    "timber",
    "anchor",
    "marble",
    "canvas",
    "pepper",
    "saddle",
    "ribbon",
    "kettle",
    "ladder",
    "mirror",
    "needle",
]


class Prose:
    """Sentences made of words: always the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def sentence(self) -> str:
        """Eight to fourteen words."""
        words = [self._random.choice(WORDS) for _ in range(self._random.randint(8, 14))]
        return " ".join(words).capitalize() + "."

    def paragraph(self, sentences: int = 4) -> str:
        """Sentences in a row."""
        return " ".join(self.sentence() for _ in range(sentences))
