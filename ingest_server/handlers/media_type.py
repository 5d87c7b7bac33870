"""Decides what kind of document some bytes are: by the bytes where they tell, then by what was declared, then by the name.

Signatures are those of the WHATWG MIME Sniffing Standard and of the formats' own specifications. A signature is *strong* (nothing
else begins like this) or a *container* (ZIP, OLE, XML: many types share it). A strong signature wins over everything, so an HTML
error page that was saved as "report.pdf" is read as HTML. A container is refined by its own directory where that can be read
(container_type.py), then by the declared type or the name. Bytes that merely look like text decide last: Markdown, CSV and
plain text cannot be told apart by looking.
"""

from __future__ import annotations

import mimetypes
import re
from dataclasses import dataclass

from ingest_server.handlers.mail_signature import mail_type

HEAD_BYTES = 4096
"""How many leading bytes `decide` wants to see. PDF readers accept the header anywhere in the first 1,024 bytes."""

_GENERIC = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/x-download", "application/unknown"})
"""Declared types that declare nothing."""

_ALIASES = {
    "application/x-pdf": "application/pdf",
    "text/x-markdown": "text/markdown",
    "application/xhtml+xml": "text/html",
    "text/xhtml": "text/html",
    "application/x-gzip": "application/gzip",
    "application/x-zstd": "application/zstd",
    "image/jpg": "image/jpeg",
    "application/x-ndjson": "application/jsonl",
    "application/ndjson": "application/jsonl",
    "application/jsonlines": "application/jsonl",
    "application/x-jsonlines": "application/jsonl",
    "text/json": "application/json",
    "application/csv": "text/csv",
    "text/x-csv": "text/csv",
    "text/tsv": "text/tab-separated-values",
    "text/rtf": "application/rtf",
    "application/x-rtf": "application/rtf",
    "application/x-zip-compressed": "application/zip",
    "application/x-zip": "application/zip",
    "application/tar": "application/x-tar",
    "message/global": "message/rfc822",
    "application/x-mimearchive": "message/rfc822",
    "application/x-mbox": "application/mbox",
    "application/x-gtar": "application/x-tar",
    "application/x-ustar": "application/x-tar",
}

_STRONG = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"{\\rtf", "application/rtf"),
    (b"%!PS", "application/postscript"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x7fELF", "application/x-executable"),
)
_TAR_MARKS = (b"ustar\x0000", b"ustar  \x00")
"""POSIX's and GNU's, at byte 257; TAR files older than these are known by their names only."""
_CONTAINERS = (
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"<?xml", "application/xml"),
)
_BINARY = ("application/zip", "application/x-ole-storage")
_NEVER_IN_THEM = ("text/", "image/", "audio/", "video/", "message/", "multipart/")
"""Types that no container of bytes holds, whatever is declared."""
_ZIP_PARTS = (
    (b"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (b"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    (b"mimetypeapplication/epub+zip", "application/epub+zip"),
    (b"mimetypeapplication/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
)
_NAMES = {
    "md": "text/markdown",
    "markdown": "text/markdown",
    "mkd": "text/markdown",
    "htm": "text/html",
    "html": "text/html",
    "xhtml": "text/html",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "text": "text/plain",
    "log": "text/plain",
    "epub": "application/epub+zip",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "ndjson": "application/jsonl",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xlsm": "application/vnd.ms-excel.sheet.macroenabled.12",
    "xlsb": "application/vnd.ms-excel.sheet.binary.macroenabled.12",
    "xls": "application/vnd.ms-excel",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "tar": "application/x-tar",
    "eml": "message/rfc822",
    "mht": "message/rfc822",
    "mhtml": "message/rfc822",
    "mbox": "application/mbox",
    "msg": "application/vnd.ms-outlook",
}
_SYSTEM_NAMES = mimetypes.MimeTypes().types_map[True]
"""The table built into Python; the machine's own mime.types is not read, so that all machines agree."""

_HTML = re.compile(
    rb"(?:<!--.{0,2000}?-->\s*)*<(?:!doctype\s+html|html|head|body|title|script|style|h1|div|table|iframe|br|p)[\s>/]",
    re.IGNORECASE | re.DOTALL,
)
_XHTML = re.compile(rb"<html[\s>]", re.IGNORECASE)
_JSON = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\[\s*)?\{\s*"(?:[^"\\]|\\.){0,200}"\s*:')
"""An object with a name, alone or in a list. JSON of other beginnings looks like other text."""
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class MediaType:
    """A decision.

    Attributes:
        media_type: lower case, without parameters; "" if nothing tells.
        source: what decided: "content", "declared" or "name"; "" if nothing tells.
        charset: parameter of the declared type, lower case; "" if none was declared.
    """

    media_type: str
    source: str
    charset: str


def decide(head: bytes, declared: str, name: str, inside: str | None = None) -> MediaType:
    """Decide the media type of a document.

    Args:
        head: its first bytes, `HEAD_BYTES` of them if there are so many.
        declared: media type as the client declared it, with or without parameters; "" if it did not.
        name: file name as the client gave it; "" if it did not.
        inside: of a container, what its directory tells: see `container_type.media_type_inside`.

    Returns:
        The decision, with what decided it.
    """
    declared_type, charset = parse(declared)
    named_type = _by_name(name)
    strong, container = _by_content(head, inside)
    if strong == "application/mbox" and "message/rfc822" in (declared_type, named_type):
        strong = "message/rfc822"  # one message, with the line that a mailbox had put before it
    if strong:
        return MediaType(strong, "content", charset)
    for candidate, source in ((declared_type, "declared"), (named_type, "name")):
        if candidate and candidate != container and not (container in _BINARY and candidate.startswith(_NEVER_IN_THEM)):
            return MediaType(candidate, source, charset)
    if container:
        return MediaType(container, "content", charset)
    if _looks_like_text(head):
        return MediaType(_by_text(head), "content", charset)
    return MediaType("", "", charset)


def parse(declared: str) -> tuple[str, str]:
    """Split a declared media type into (type in lower case, aliases resolved, "" for types that say nothing; charset or "")."""
    essence, *parameters = declared.split(";")
    essence = essence.strip().lower()
    essence = _ALIASES.get(essence, essence)
    charset = ""
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "charset":
            charset = value.strip().strip('"').lower()
    return ("" if essence in _GENERIC else essence), charset


def _by_content(head: bytes, inside: str | None) -> tuple[str, str]:
    """Strong type and container type that the bytes show; "" each if they do not."""
    for signature, media_type in _STRONG:
        if head.startswith(signature):
            return media_type, ""
    if head[257:265] in _TAR_MARKS:
        return "application/x-tar", ""
    if b"%PDF-" in head[:1024] and not head.startswith((b"PK", b"\xd0\xcf\x11\xe0")):
        return "application/pdf", ""
    mail, is_sure = mail_type(head)
    if is_sure:
        return mail, ""
    text = head[3:] if head.startswith(_BOMS[0]) else head
    text = text.lstrip()
    if head.startswith(_BOMS[1:]) or text[1:2] == b"\x00" or text[:1] == b"\x00":
        text = head.replace(b"\x00", b"").lstrip(b"\xff\xfe \t\r\n")
    if _HTML.match(text):
        return "text/html", ""
    for signature, media_type in _CONTAINERS:
        if text.startswith(signature):
            return inside or _refine(media_type, text, inside), media_type
    return "", ""


def _refine(container: str, head: bytes, inside: str | None) -> str:
    """The strong type of a container whose first bytes already tell what it holds; "" if they do not. Names of folders tell only
    if the directory is unreadable, so that a document cut off is still known for what it was."""
    if container == "application/zip":
        for part, media_type in _ZIP_PARTS:
            if part in head and (inside is None or part.startswith(b"mimetype")):
                return media_type
    if container == "application/xml" and _XHTML.search(head):
        return "text/html"
    return ""


def _by_name(name: str) -> str:
    """Type by the extension of the name; "" if it is unknown."""
    _, dot, extension = name.rpartition(".")
    if not dot:
        return ""
    extension = extension.lower()
    media_type = _NAMES.get(extension) or _SYSTEM_NAMES.get("." + extension, "")
    return _ALIASES.get(media_type, media_type)


def _by_text(head: bytes) -> str:
    """What text is that nobody named: JSON, JSON lines, a mail or plain text."""
    if not _JSON.match(head):
        return mail_type(head)[0] or "text/plain"
    first, _, second = head.strip().partition(b"\n")
    return "application/jsonl" if first.rstrip().endswith(b"}") and second.lstrip().startswith(b"{") else "application/json"


def _looks_like_text(head: bytes) -> bool:
    """Whether the bytes may be text: a byte order mark, UTF-16 by its zero bytes, or no control characters."""
    if not head:
        return False
    if head.startswith(_BOMS):
        return True
    if not _CONTROL.search(head):
        return True
    zeros_even, zeros_odd = head[0::2].count(0), head[1::2].count(0)
    many, few = max(zeros_even, zeros_odd), min(zeros_even, zeros_odd)
    # Text of Latin scripts in UTF-16 has a zero in (nearly) every second byte and none in the others.
    return many * 4 >= len(head) and few * 20 <= len(head) and not _CONTROL.search(head.replace(b"\x00", b""))
