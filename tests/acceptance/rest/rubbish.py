"""Requests that nobody should send, as hypothesis strategies: real routes with wrong content, and bytes of no meaning at all."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_from_bytes

from hypothesis import strategies as st

from ingest_server.rest.app import SERVICES
from ingest_server.rest.routes import Route, RouteTable
from ingest_server.rest.transcode import write_message
from tests.unit.rest.random_messages import messages

ROUTES = RouteTable(SERVICES).routes
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW")
UUID = "0190b6f0-7c3e-7cc3-98c4-dc0c0c07398f"
BOUNDARY = "edge"


@dataclass(frozen=True, slots=True, repr=False)
class Rubbish:
    """A request as ASGI has it. `path` and `query` are as they come over the wire; `pieces` make the body."""

    verb: str
    path: bytes
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    pieces: tuple[bytes, ...] = ()
    cut: bool = False  # the client goes away before the last piece

    def __repr__(self) -> str:
        """Short enough to be shown, whatever was sent."""
        body = b"".join(self.pieces)
        return (
            f"Rubbish({self.verb!r}, {self.path[:300]!r}, {self.query[:300]!r} of {len(self.query)}, {self.headers!r}, "
            f"{body[:300]!r} of {len(body)} in {len(self.pieces)}, cut={self.cut})"
        )


def _known(name: str) -> st.SearchStrategy[Any]:
    return st.sampled_from(name.split("|"))


WILD_TEXT = st.text(max_size=8) | _known(f"|.|..|*|{UUID}|default|0|-1|1e999|NaN|null|true|[]|{{}}|%00|\x00|☃|A|JOB_VIEW_FULL|5s")
WILD_BYTES = st.binary(max_size=12) | WILD_TEXT.map(lambda text: text.encode("utf-8", "surrogatepass"))
WILD_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | WILD_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WILD_TEXT, inner, max_size=3),
    max_leaves=6,
)


def _segment(raw: bytes) -> bytes:
    return quote_from_bytes(raw, safe="").encode()


@st.composite
def paths(draw: st.DrawFn, route: Route) -> bytes:
    """The path of a route with anything at all in its variables, or something near it."""
    parts = [_segment(draw(WILD_BYTES)) if segment.startswith("*") else segment.encode() for segment in route.template.segments]
    path = b"/" + b"/".join(parts) + (b":" + route.template.verb.encode() if route.template.verb else b"")
    near = draw(st.sampled_from(["", "", "", "/", "x", ":", "%", "%zz", "%ff", "//", ";a=b", "%2f..%2f", "é"]))
    return path + near.encode("latin-1")


@st.composite
def queries(draw: st.DrawFn, route: Route) -> bytes:
    """Names that the route knows with values it may not, names it does not, and bytes."""
    names = [item.name for item in route.method.input_type.fields]
    names += [f"{outer}.{inner}" for outer in names for inner in ("labels[a]", "states", "name", "x", "seconds")]
    pair = st.tuples(st.sampled_from([*names, "", "[", "a[b]c", "a..b", "."]), WILD_BYTES)
    pairs = draw(st.lists(pair, max_size=4))
    text = b"&".join(_segment(name.encode()) + b"=" + _segment(value) for name, value in pairs)
    tail = draw(
        st.sampled_from([b"", b"", b"&", b"=", b"&&==", b"%", b"&a=%ff", b"&" + b"a=1&" * 2_000, b"&job_ids=" + b"x" * 5_000])
    )
    return text + tail


@st.composite
def bodies(draw: st.DrawFn, route: Route) -> bytes:
    """JSON of the right type that was tampered with, JSON of another type, no JSON, nothing."""
    kind = draw(st.sampled_from(["valid", "tampered", "json", "bytes", "doubled", "deep", "form", "none"]))
    if kind == "none":
        return b""
    if kind == "bytes":
        return draw(st.binary(max_size=64))
    if kind == "json":
        return json.dumps(draw(WILD_JSON), allow_nan=True).encode()
    if kind == "deep":
        opening = draw(st.sampled_from([b"[", b'{"a":', b'{"jobs":[', b'{"job":']))
        return opening * draw(st.sampled_from([90, 120, 20_000]))
    if kind == "form":
        return draw(forms())
    good = write_message(draw(messages(route.method.input_type, 3)))
    if kind == "doubled":
        return b'{"jobs":[],"jobs":[],"name":"a","name":"b",' + good[1:]
    return _tampered(draw, good) if kind == "tampered" else good


def _tampered(draw: st.DrawFn, good: bytes) -> bytes:
    """One value replaced, a piece cut out, a byte changed, or the end lost."""
    how = draw(st.sampled_from(["value", "cut", "byte", "end"]))
    at = draw(st.integers(0, max(0, len(good) - 1)))
    if how == "value":
        tree = json.loads(good)
        for key in list(tree)[:3]:
            tree[key] = draw(WILD_JSON)
        return json.dumps(tree).encode()
    if how == "cut":
        return good[:at] + good[at + draw(st.integers(1, 5)) :]
    if how == "byte":
        return good[:at] + draw(st.binary(min_size=1, max_size=2)) + good[at + 1 :]
    return good[:at]


@st.composite
def forms(draw: st.DrawFn) -> bytes:
    """A form with a file, often not to its end, or with another boundary."""
    edge = draw(st.sampled_from([BOUNDARY, BOUNDARY, "other"])).encode()
    name = draw(st.sampled_from([b"file", b"sha256", b"offset_bytes", b"", b'"', b"\xff"]))
    head = (
        b"--"
        + edge
        + b'\r\ncontent-disposition: form-data; name="'
        + name
        + b'"'
        + draw(st.sampled_from([b"", b'; filename="f"']))
    )
    whole = head + b"\r\n\r\n" + draw(st.binary(max_size=20)) + b"\r\n--" + edge + b"--\r\n"
    return whole[: draw(st.integers(0, len(whole)))] if draw(st.booleans()) else whole


_MULTIPART = b"multipart/form-data; boundary="
_TYPES = [b"application/json", b"application/x-www-form-urlencoded", b"multipart/form-data", b"application/octet-stream", b""]
_WRONG: dict[bytes, list[bytes]] = {
    b"content-type": [*_TYPES, _MULTIPART + BOUNDARY.encode(), _MULTIPART + b"x" * 80, b"text/\xff; charset=\xff"],
    b"content-encoding": [b"gzip", b"gzip", b"deflate", b"br", b"\xff", b"identity"],
    b"content-length": [b"0", b"-1", b"9" * 30, b"x", b"17000000"],
    b"grpc-timeout": [b"1S", b"", b"x", b"-1S", b"123456789S", b"1\xff", b"0n"],
    b"accept": [b"text/event-stream", b"application/x-ndjson", b"\xff", b"*/*", b"text/html"],
    b"accept-encoding": [b"gzip", b"gzip;q=0", b"gzip;q=x", b"\xff,,;"],
    b"range": [b"bytes=0-0", b"bytes=9-1", b"bytes=-0", b"lines=1-2", b"bytes=\xff-", b"bytes=" + b"9" * 40 + b"-"],
    b"if-match": [b"*", b'"x"', b"W/", b"\xff", b'"'],
    b"if-none-match": [b"*", b'"x"', b"W/", b"\xff", b'"'],
    b"if-range": [b"*", b'"x"', b"\xff"],
    b"content-digest": [b"sha-256=:AA==:", b"sha-256=:!:", b"sha-256", b"\xff"],
    b"x-http-method-override": [b"GET", b"DELETE", b"\xff", b""],
}
_ANYTHING: tuple[bytes, ...] = (
    b"grpc-metadata-a-bin",
    b"grpc-metadata-",
    b"grpc-metadata-\xe9",
    b"authorization",
    b"x-request-id",
    b"traceparent",
)
_ANYTHING += (b"host", b"origin", b"last-event-id", b"cookie")
_WRONG_HEADER = st.sampled_from([(name, value) for name, values in _WRONG.items() for value in values])
_ANY_HEADER = st.tuples(st.sampled_from(_ANYTHING), st.binary(max_size=10))
HEADERS = st.lists(_WRONG_HEADER | _ANY_HEADER, max_size=4)


@st.composite
def requests(draw: st.DrawFn) -> Rubbish:
    """One request."""
    route = draw(st.sampled_from(ROUTES))
    verb = draw(st.sampled_from([route.verb] * 6 + list(VERBS)))
    path = draw(paths(route)) if draw(st.integers(0, 9)) else b"/" + draw(st.binary(max_size=20)).replace(b"?", b"")
    body = draw(bodies(route))
    headers = draw(HEADERS)
    if (b"content-encoding", b"gzip") in headers and draw(st.booleans()):
        body = gzip.compress(body)[: draw(st.sampled_from([10, 30, 10_000]))]
    size = draw(st.sampled_from([1, 7, 10**9]))
    pieces = tuple(body[begin : begin + size] for begin in range(0, min(len(body), 200 * size), size))
    return Rubbish(verb, path, draw(queries(route)), tuple(headers), pieces, cut=not draw(st.integers(0, 19)))
