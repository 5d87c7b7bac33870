"""A file's name and media type, as a source that is not trusted tells them."""

from __future__ import annotations

import re
from email.message import Message
from urllib.parse import unquote, urlsplit

NAME_BYTES_MAX = 1_024
"""job.proto, Payload.name."""
_DISPOSITION_CHARACTERS_MAX = 2_048
"""Longer headers are left alone: the parser looks at each quote many times."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}(?:\s*;[\x20-\x7e]*)?")
_MEDIA_TYPE_BYTES_MAX = 255
"""job.proto, Payload.media_type."""


def name_in(disposition: str) -> str:
    """The file name that a Content-Disposition header gives (RFC 6266); "" if none."""
    if len(disposition) > _DISPOSITION_CHARACTERS_MAX:
        return ""
    try:
        # Headers come decoded as Latin-1; bytes that are UTF-8, which many servers send, are read as what they are.
        disposition = disposition.encode("latin-1").decode("utf-8")
    except UnicodeError:
        pass
    message = Message()
    message["content-disposition"] = _CONTROL.sub("", disposition)
    try:
        return cleaned(message.get_filename() or "")
    except (LookupError, ValueError):  # a character set that does not exist, or bytes that are not of it
        return ""


def last_segment(url: str) -> str:
    """The last part of a URL's path, unescaped; "" if it ends with a slash."""
    return cleaned(unquote(urlsplit(url).path.rpartition("/")[2], errors="replace"))


def cleaned(name: str) -> str:
    """A name that is no path: the part behind the last slash or backslash, without control characters, cut to its limit."""
    name = _CONTROL.sub("", re.split(r"[/\\]", name)[-1]).strip()
    return name.encode("utf-8", "replace")[:NAME_BYTES_MAX].decode("utf-8", "ignore")


def media_type_in(content_type: str) -> str:
    """The media type of a Content-Type header; "" if it is none."""
    text = content_type.strip()
    return text if len(text) <= _MEDIA_TYPE_BYTES_MAX and _MEDIA_TYPE.fullmatch(text) else ""
