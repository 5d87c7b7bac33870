"""Makes the document of a container from its own content and what came of its members. A pure function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ingest.v1 import document_pb2
from ingest_server.domain.errors import Reason
from ingest_server.handlers.members.member import EMPTY, ENCRYPTED, LEFT_OUT, NOT_SUPPORTED, TOO_DEEP, UNREADABLE
from ingest_server.handlers.protobuf_bytes import BYTES, tag, varint

ISSUES_MAX = 1_000
"""Issues of members that are told one by one."""
MESSAGE_CHARACTERS_MAX = 1_000

_DOCUMENTS = tag(document_pb2.Document, "documents", BYTES)
_REASONS: dict[str, str] = {
    Reason.MEDIA_TYPE_NOT_SUPPORTED: NOT_SUPPORTED,
    Reason.DOCUMENT_ENCRYPTED: ENCRYPTED,
}
_SUBJECTLESS = (EMPTY, ENCRYPTED, LEFT_OUT, NOT_SUPPORTED, TOO_DEEP, UNREADABLE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a member: its document, or why there is none.

    Attributes:
        name: the member's label.
        document: serialized; None if there is none.
        reason: of the issue, if there is none.
        message: of the issue, for people.
    """

    name: str
    document: bytes | None = None
    reason: str = ""
    message: str = ""


def failed(name: str, reason: str, message: str, metadata: Mapping[str, str]) -> Outcome:
    """The outcome of a member whose reading failed.

    Args:
        name: the member's label.
        reason: of the failure: a `Reason`, or a reason of an issue already.
        message: of the failure.
        metadata: of the failure.
    """
    if "limit_depth" in metadata:
        reason = TOO_DEEP
    elif reason not in _SUBJECTLESS:
        reason = _REASONS.get(reason, UNREADABLE)
    if reason == NOT_SUPPORTED and "supported" in metadata:  # what is supported need not be told for every member
        kind = metadata.get("media_type", "")
        message = f'there is no reader for its type, "{kind}"' if kind else "neither bytes nor name tell its type"
    if len(message) > MESSAGE_CHARACTERS_MAX:
        message = message[: MESSAGE_CHARACTERS_MAX - 1] + "…"
    return Outcome(name, reason=reason, message=f'"{name}": {message}' if name else message)


def assembled(own: bytes, outcomes: Iterable[Outcome]) -> bytes:
    """The whole document, serialized.

    Args:
        own: what the container itself says, a serialized Document: the text of a mail, nothing for an archive.
        outcomes: of its members, in their order. Taken one by one.

    Returns:
        The own content, with the members' documents in order, and an issue for each that could not be read; beyond `ISSUES_MAX`
        they are counted.
    """
    parts = [own]  # messages one behind the other are one message
    issues = document_pb2.Document()
    untold = 0
    for outcome in outcomes:
        if outcome.document is not None:
            named = document_pb2.Document(name=outcome.name).SerializeToString()
            parts += (_DOCUMENTS, varint(len(named) + len(outcome.document)), named, outcome.document)
        elif len(issues.issues) < ISSUES_MAX or outcome.reason == LEFT_OUT:
            issues.issues.add(reason=outcome.reason, message=outcome.message)
        else:
            untold += 1
    if untold:
        issues.issues.add(reason=UNREADABLE, message=f"{untold:,} further members could not be read either.")
    return b"".join((*parts, issues.SerializeToString()))
