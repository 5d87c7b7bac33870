"""One message of a stream from the server as what the shim sends: encoded once, however many clients get the same bytes.

Many watchers of one batch are told the same; the server serializes an event once for all of them, and equal bytes give equal
frames. So frames are kept by the bytes they were made from, as many as fit a bound.

Two rules are read from the descriptors and hold for any method:

- A stream is *resumable* if its request and its response both have a singular field `resume_token` of type string. The token of
  a message is the `id` of its event, and `Last-Event-ID` becomes the request's token.
- In a resumable stream a message of which, beside the token, exactly one field is set, and that field is a message itself, is
  told as an event of the field's name (`close`); one that has only a token is told as a new `id` without an event; all others
  are events without a name, which browsers call `message`.
"""

from __future__ import annotations

from collections import OrderedDict

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from ingest_server.rest.fields import is_repeated
from ingest_server.rest.routes import Route
from ingest_server.rest.transcode import write_response

TOKEN_FIELD = "resume_token"
CLOSE_EVENT = "close"
FRAME_BYTES_KEPT_MAX = 64 * 1024
"""Larger messages carry outputs that hardly two clients ask for at once."""


class Frame:
    """A message as text.

    Attributes:
        json: the message as protojson, on one line.
        token: where the stream continues after it; "" in streams that cannot be resumed.
        event: name of the event; "" for the usual one.
        silent: it carries a token and nothing else.
    """

    __slots__ = ("_event_bytes", "_line_bytes", "event", "json", "silent", "token")

    def __init__(self, json: bytes, token: str, event: str, silent: bool) -> None:
        self.json = json
        self.token = token
        self.event = event
        self.silent = silent
        self._line_bytes = b""
        self._event_bytes = b""

    def line(self) -> bytes:
        """As a line of NDJSON, the way grpc-gateway writes it."""
        if not self._line_bytes:
            self._line_bytes = b'{"result":' + self.json + b"}\n"
        return self._line_bytes

    def server_sent_event(self) -> bytes:
        """As a server-sent event (HTML Living Standard, 9.2). The id comes first: a client that has seen half of an event has not
        seen the event, and dispatches neither; one without data changes the id only."""
        if not self._event_bytes:
            parts = []
            if self.token and not any(character in self.token for character in "\r\n\0"):
                parts.append(b"id: %s\n" % self.token.encode())
            if self.event:
                parts.append(b"event: %s\n" % self.event.encode())
            if not self.silent:
                parts.append(b"data: %s\n" % self.json)
            self._event_bytes = b"".join(parts) + b"\n"
        return self._event_bytes


def is_resumable(route: Route) -> bool:
    """Whether a stream can be continued after a message: see the rule above."""
    return all(_has_token(message) for message in (route.method.input_type, route.method.output_type))


def _has_token(message: Descriptor) -> bool:
    field = message.fields_by_name.get(TOKEN_FIELD)
    return field is not None and field.type == FieldDescriptor.TYPE_STRING and not is_repeated(field)


class FrameCache:
    """Makes frames and keeps the newest.

    Args:
        bytes_max: of messages and frames together.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._frames: OrderedDict[tuple[int, bytes], Frame] = OrderedDict()
        self._resumable: dict[int, bool] = {}

    def frame(self, route: Route, raw: bytes) -> Frame:
        """The frame of a serialized message of `route`'s stream."""
        key = (route.number, raw)
        kept = self._frames.get(key)
        if kept is not None:
            self._frames.move_to_end(key)
            return kept
        made = self._make(route, raw)
        if len(raw) <= FRAME_BYTES_KEPT_MAX:
            self._frames[key] = made
            self._bytes += _cost(raw, made)
            while self._bytes > self._bytes_max:
                (_, old_raw), old = self._frames.popitem(last=False)
                self._bytes -= _cost(old_raw, old)
        return made

    def _make(self, route: Route, raw: bytes) -> Frame:
        message = route.output_class.FromString(raw)
        resumable = self._resumable.get(route.number)
        if resumable is None:
            resumable = self._resumable[route.number] = is_resumable(route)
        json = write_response(route, message)
        if not resumable:
            return Frame(json, "", "", False)
        event, silent = _kind(message)
        return Frame(json, getattr(message, TOKEN_FIELD), event, silent)


def _cost(raw: bytes, frame: Frame) -> int:
    """What is kept: the message, its JSON, and that again as a line and as an event."""
    return len(raw) + 3 * len(frame.json)


def _kind(message: Message) -> tuple[str, bool]:
    """Name of the event, and whether there is nothing to tell but the token."""
    told = [field for field, _ in message.ListFields() if field.name != TOKEN_FIELD]
    if len(told) == 1 and told[0].message_type is not None and not is_repeated(told[0]):
        return str(told[0].name), False
    return "", not told
