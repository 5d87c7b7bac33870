"""Models behind an HTTP API like OpenAI's: POST {base}/embeddings, in bounded batches, tried again within bounds."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import msgspec

from ingest_server.domain.embed_rules import DIMENSIONS_MAX
from ingest_server.domain.errors import Code
from ingest_server.handlers.embedding.embedder import Embedder
from ingest_server.handlers.embedding.http_exchange import Answer, ExchangeFailed, HttpPost
from ingest_server.handlers.interface import Context, HandlerFailure

RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
"""A further try may help: timeouts, too many requests, and a server or gateway that is out for now."""
BACKOFF_INITIAL_SECONDS = 1.0
"""Wait before the second try where the server names none; doubles."""
PAUSE_SECONDS = 0.1
"""A wait looks so often for a cancel."""
QUOTED_CHARACTERS_MAX = 300
"""Of what an endpoint says was wrong."""


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """Bounds, each the setting `embed_…` of the same name."""

    batch_chunks_max: int = 64
    batch_bytes_max: int = 256 * 1024
    attempts_max: int = 4
    retry_wait_seconds_max: float = 60.0
    request_seconds: float = 60.0
    response_bytes_max: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is served: the operator's name for it, the base URL, the key ("": none), and the model's name there."""

    name: str
    url: str
    key: str = field(repr=False)
    model: str


class _Vector(msgspec.Struct):
    index: int
    embedding: list[float]


class _Vectors(msgspec.Struct):
    data: list[_Vector]


_decoder = msgspec.json.Decoder(_Vectors)


class EndpointEmbedder(Embedder):
    """A model of an endpoint.

    Args:
        endpoint: where.
        dimensions: asked for; 0: the model's own.
        limits: of requests.
        pause: waits so many seconds; `time.sleep` but in tests.
        wall_seconds: wall time since 1970, for dates in Retry-After.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        dimensions: int,
        limits: EndpointLimits,
        *,
        pause: Callable[[float], None] = time.sleep,
        wall_seconds: Callable[[], float] = time.time,
    ) -> None:
        self.batch_texts_max = limits.batch_chunks_max
        self.batch_bytes_max = limits.batch_bytes_max
        self._endpoint = endpoint
        self._asked_dimensions = self._dimensions = dimensions
        self._limits = limits
        self._pause = pause
        self._wall_seconds = wall_seconds
        headers = {"authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
        self._post = HttpPost(f"{endpoint.url}/embeddings", headers, response_bytes_max=limits.response_bytes_max)

    def embed(self, texts: Sequence[str], context: Context) -> list[array[float]]:
        """See `Embedder.embed`.

        Raises:
            HandlerFailure: EMBEDDING_UNAVAILABLE, retryable: no answer, or none but "later", in all tries; EMBEDDING_REFUSED: the
                endpoint does not take the request; EMBEDDING_INVALID: its answer is not what was asked for.
        """
        asked: dict[str, object] = {"model": self._endpoint.model, "input": list(texts), "encoding_format": "float"}
        if self._asked_dimensions:
            asked["dimensions"] = self._asked_dimensions
        body = msgspec.json.encode(asked)
        for attempt in range(1, self._limits.attempts_max + 1):
            context.check()
            answer, why, wait_seconds = self._try(body, context)
            if answer is not None:
                return self._vectors(answer.body, len(texts))
            if wait_seconds < 0:
                wait_seconds = BACKOFF_INITIAL_SECONDS * 2.0 ** (attempt - 1)
                wait_seconds = min(wait_seconds, self._limits.retry_wait_seconds_max)
            elif wait_seconds > self._limits.retry_wait_seconds_max:
                raise self._unavailable(f"{why}; it asks to wait {wait_seconds:,.0f} s, longer than a worker is held for it")
            if attempt == self._limits.attempts_max:
                break
            if wait_seconds >= context.remaining_seconds():
                raise self._unavailable(
                    f"{why}; the time left for the attempt is not enough to wait {wait_seconds:.3g} s and try again"
                )
            context.log.info("embedding endpoint %s: %s; next try in %.3g s", self._endpoint.name, why, wait_seconds)
            self._wait(wait_seconds, context)
        raise self._unavailable(f"{why}, after {self._limits.attempts_max} tries")

    def close(self) -> None:
        """End the connection."""
        self._post.close()

    def _try(self, body: bytes, context: Context) -> tuple[Answer | None, str, float]:
        """One request: the answer; or why there is none, and the wait it asks for in seconds (-1: it names none)."""
        seconds = min(self._limits.request_seconds, context.remaining_seconds())
        if seconds <= 0:
            raise self._unavailable("the time of the attempt is over")
        try:
            answer = self._post.post(body, seconds=seconds, cancelled=lambda: context.cancelled)
        except ExchangeFailed as error:
            context.check()
            if not error.retryable:
                raise self._failure("EMBEDDING_INVALID", str(error)) from error
            return None, str(error), -1.0
        if answer.status == 200:
            return answer, "", 0.0
        if answer.status in RETRY_STATUSES:
            return None, f"it answered {answer.status}{self._quoted(answer)}", self._retry_after(answer)
        raise self._refused(answer)

    def _wait(self, seconds: float, context: Context) -> None:
        self._post.close()  # the server would end it meanwhile
        while seconds > 0:
            context.check()
            self._pause(min(seconds, PAUSE_SECONDS))
            seconds -= PAUSE_SECONDS

    def _retry_after(self, answer: Answer) -> float:
        """Seconds that Retry-After asks for (RFC 9110, 10.2.3): a number, or a date; -1 without one that can be read."""
        value = answer.headers.get("retry-after", "").strip()
        if value.isascii() and value.isdigit():
            return float(value[:9])
        try:
            return max(parsedate_to_datetime(value).timestamp() - self._wall_seconds(), 0.0)
        except (TypeError, ValueError, OverflowError):
            return -1.0

    def _vectors(self, body: bytes, count: int) -> list[array[float]]:
        try:
            data = _decoder.decode(body).data
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._failure(
                "EMBEDDING_INVALID", f"its answer of {len(body):,} bytes is not a list of embeddings: {error}"
            ) from error
        if len(data) != count:
            raise self._failure("EMBEDDING_INVALID", f"it gave {len(data):,} embeddings for {count:,} texts")
        found: list[array[float] | None] = [None] * count
        for entry in data:
            if not 0 <= entry.index < count or found[entry.index] is not None:
                raise self._failure(
                    "EMBEDDING_INVALID", f"its embeddings have the index {entry.index} twice, or outside 0 … {count - 1}"
                )
            found[entry.index] = self._checked(entry.embedding)
        return [vector for vector in found if vector is not None]

    def _checked(self, numbers: list[float]) -> array[float]:
        size = len(numbers)
        if not 1 <= size <= DIMENSIONS_MAX or size != (self._dimensions or size):
            wanted = (
                f"{self._dimensions:,}, as asked for or as in the embeddings before"
                if self._dimensions
                else f"1 … {DIMENSIONS_MAX:,}"
            )
            raise self._failure("EMBEDDING_INVALID", f"an embedding has {size:,} dimensions; it must have {wanted}")
        self._dimensions = size
        vector = array("f", numbers)
        # As 32-bit floats: what is too large for one has become infinite. A sum of finite ones cannot.
        if not math.isfinite(sum(vector)):
            raise self._failure("EMBEDDING_INVALID", "an embedding holds numbers that are not finite 32-bit floats")
        return vector

    def _refused(self, answer: Answer) -> HandlerFailure:
        status = answer.status
        if 300 <= status < 400:
            said = "redirects are not followed, so that texts and keys go nowhere else: the operator must set its final URL"
        elif status in (401, 403):
            # Its words may hold a part of the key.
            said = "the operator must check the key (embed_keys)"
        elif status == 404:
            said = f"it has no such model, or its URL in embed_endpoints is wrong{self._quoted(answer)}"
        else:
            said = f"it does not take the request{self._quoted(answer)}"
        return self._failure("EMBEDDING_REFUSED", f"it answered {status}: {said}")

    def _quoted(self, answer: Answer) -> str:
        """What the endpoint says was wrong, for a sentence; without the key, should it be in there."""
        try:
            said = msgspec.json.decode(answer.body[: 64 * 1024])["error"]["message"]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError, IndexError):
            return ""
        text = " ".join(str(said).split())
        if self._endpoint.key:
            text = text.replace(self._endpoint.key, "…")
        return f' ("{text[:QUOTED_CHARACTERS_MAX]}")' if text else ""

    def _unavailable(self, why: str) -> HandlerFailure:
        return self._failure("EMBEDDING_UNAVAILABLE", why, retryable=True)

    def _failure(self, reason: str, why: str, *, retryable: bool = False) -> HandlerFailure:
        return HandlerFailure(
            f'The embedding endpoint "{self._endpoint.name}" gave no vectors of model "{self._endpoint.model}": {why}.',
            reason=reason,
            code=Code.UNAVAILABLE if retryable else Code.FAILED_PRECONDITION,
            retryable=retryable,
            metadata={"endpoint": self._endpoint.name, "model": self._endpoint.model},
        )
