"""What every model promises, and how texts are put into batches for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator, Sequence

from ingest_server.handlers.interface import Context


class Embedder(ABC):
    """A model, ready to be asked."""

    batch_texts_max: int
    """Most texts in one call of `embed`."""
    batch_bytes_max: int
    """Most bytes of UTF-8 in one call, save a single text that has more."""

    @abstractmethod
    def embed(self, texts: Sequence[str], context: Context) -> list[array[float]]:
        """Vectors of texts, in their order, of 32-bit floats.

        Args:
            texts: at least one, none blank, within the limits above.
            context: of the attempt: how long it may take, and whether it was asked to stop.

        Raises:
            HandlerFailure: what the model's kind says.
            Cancelled: the attempt was asked to stop.
        """

    def close(self) -> None:
        """Give back what it holds for one attempt. Idempotent."""
        return


def batches(texts: Sequence[str], texts_max: int, bytes_max: int) -> Iterator[Sequence[str]]:
    """Texts in order, in runs within both limits; a text above `bytes_max` is a run of its own."""
    begin, size = 0, 0
    for index, text in enumerate(texts):
        text_bytes = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if index > begin and (index - begin == texts_max or size + text_bytes > bytes_max):
            yield texts[begin:index]
            begin, size = index, 0
        size += text_bytes
    if begin < len(texts):
        yield texts[begin:]
