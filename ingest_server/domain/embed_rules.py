"""What an embed may be asked for: the models that the operator offers, their names, and the limits that job.proto promises."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

HASHING = "hashing-1"
"""The built-in model."""
HASHING_DIMENSIONS_MIN, HASHING_DIMENSIONS, HASHING_DIMENSIONS_MAX = 64, 512, 4_096
"""Fewest, by default, most. Below 64 most words of a chunk fall upon others; beyond 4,096 little is won and all pay for it."""
DIMENSIONS_MAX = 16_384
"""Four times what the largest models of today have."""
MODEL_BYTES_MAX = 256
URL_BYTES_MAX = 2_048
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


class ModelChoice(NamedTuple):
    """A model, found.

    Attributes:
        name: as it is recorded in documents.
        endpoint: that serves it; "" for one of this machine.
        model: the endpoint's own name for it, or the local one's.
    """

    name: str
    endpoint: str
    model: str


@dataclass(frozen=True, slots=True)
class EmbedModels:
    """What the operator offers.

    Attributes:
        default: model of jobs that name none.
        endpoints: name → base URL of an API such as OpenAI's, without a slash at the end.
        local: name → folder, or name at the hub, of a model of this machine.
    """

    default: str = HASHING
    endpoints: Mapping[str, str] = field(default_factory=dict)
    local: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, default: str, endpoints: Sequence[str], local: Sequence[str]) -> EmbedModels:
        """From settings: each entry `NAME=URL` or `NAME=FOLDER`. Raises ValueError with the entry and its rule."""
        urls = {name: _checked_url(name, url) for name, url in named(endpoints, "https://api.example.com/v1").items()}
        models = cls(default, urls, named(local, "folder"))
        if HASHING in models.local:
            raise ValueError(f"{HASHING} is the built-in model: choose another name")
        if fault := models.fault_of(default):
            raise ValueError(f"the default model {default!r} {fault}")
        return models

    def names(self) -> tuple[str, ...]:
        """What jobs may name, the default first; "NAME/*" for the models of an endpoint."""
        return tuple(dict.fromkeys((self.default, HASHING, *self.local, *(f"{name}/*" for name in self.endpoints))))

    def fault_of(self, model: str) -> str:
        """What is wrong with a model's name, "" if nothing is. The empty name is the default's."""
        try:
            self.choose(model)
        except ValueError as error:
            return str(error)
        return ""

    def choose(self, model: str) -> ModelChoice:
        """The model of that name, the default for "". Raises ValueError."""
        name = model or self.default
        if len(name.encode()) > MODEL_BYTES_MAX:
            raise ValueError(f"must have at most {MODEL_BYTES_MAX} bytes, not {len(name.encode()):,}")
        if name == HASHING or name in self.local:
            return ModelChoice(name, "", name)
        endpoint, slash, rest = name.partition("/")
        if slash and endpoint in self.endpoints and _PRINTABLE.fullmatch(rest):
            return ModelChoice(name, endpoint, rest)
        raise ValueError(f"must be one of {', '.join(self.names())}, not {name!r}; the server's operator decides which there are")


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """What is asked for; the fields of `ingest.v1.EmbedTask`.

    Attributes:
        model: its name; "": the server's default.
        dimensions: asked of the model; 0: its own choice.
        include_headings: whether headings go before a chunk's text.
    """

    model: str = ""
    dimensions: int = 0
    include_headings: bool = False

    def faults(self, models: EmbedModels) -> Iterator[tuple[str, str]]:
        """Everything that is wrong, as (field, what it must be and is)."""
        try:
            choice = models.choose(self.model)
        except ValueError as error:
            yield "model", str(error)
            return
        if choice.endpoint:
            if not 0 <= self.dimensions <= DIMENSIONS_MAX:
                yield "dimensions", f"must be 0 (the model's own) or 1 … {DIMENSIONS_MAX:,}, not {self.dimensions:,}"
        elif choice.name == HASHING:
            if self.dimensions and not HASHING_DIMENSIONS_MIN <= self.dimensions <= HASHING_DIMENSIONS_MAX:
                limits = f"{HASHING_DIMENSIONS_MIN} … {HASHING_DIMENSIONS_MAX:,}"
                yield "dimensions", f"must be 0 ({HASHING_DIMENSIONS}) or {limits} for {HASHING}, not {self.dimensions:,}"
        elif self.dimensions:
            yield "dimensions", f"must be 0 for {choice.name}, a local model, which has its own; not {self.dimensions:,}"


def named(entries: Sequence[str], example: str) -> dict[str, str]:
    """Entries `NAME=VALUE` by name. Raises ValueError, without the value: it may be a secret."""
    found: dict[str, str] = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not equals or not value.strip() or not _NAME.fullmatch(name):
            raise ValueError(f"must be NAME=VALUE, such as own={example}, the name of a-z, 0-9, '.', '_' and '-'")
        if name in found:
            raise ValueError(f"names {name!r} twice")
        found[name] = value.strip()
    return found


def _checked_url(name: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not _PRINTABLE.fullmatch(url) or len(url) > URL_BYTES_MAX:
        raise ValueError(f"must have an http or https URL for {name!r}, such as https://api.example.com/v1")
    if "@" in parts.netloc or parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError(f"must have a URL without user, query and fragment for {name!r}: keys belong in embed_keys")
    return url.rstrip("/")
