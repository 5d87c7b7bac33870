"""Tells mails by their header, for they have no signature: what stands there are fields, and such as only mails have."""

from __future__ import annotations

import re

_BEGIN = re.compile(rb"(?P<from>>?From [^\n]{3,300}\n)?(?=[A-Za-z][!-9;-~]{1,60}:)")
_FIELD = re.compile(rb"([!-9;-~]{1,128})[ \t]*:")
_TRANSPORT = frozenset(
    ["received", "return-path", "delivered-to", "message-id", "mime-version", "dkim-signature", "x-received", "arc-seal"]
)
"""Fields that programs write and people do not (RFC 5322, 3.6.7; RFC 2045, 4)."""
_WRITTEN = frozenset(["from", "to", "subject", "date"])


def mail_type(head: bytes) -> tuple[str, bool]:
    """Media type of what begins like a mail.

    Text such as "Note: …" is none. Sure is what has a field that only programs write and another one of mails; likely is what
    people may have typed as well: three of From, To, Subject and Date.

    Args:
        head: the first bytes.

    Returns:
        ("message/rfc822", or "application/mbox" for many in a file, or "" for no mail; whether that is sure)
    """
    begin = _BEGIN.match(head)
    if begin is None:
        return "", False
    names: set[str] = set()
    lines = head[begin.end() :].split(b"\n")
    for number, line in enumerate(lines):
        if not line.strip(b"\r"):
            break  # the header ends
        field = _FIELD.match(line)
        if field is not None:
            names.add(field.group(1).decode("ascii").lower())
        elif line[:1] not in (b" ", b"\t") and number < len(lines) - 1:
            return "", False
    transport, written = len(names & _TRANSPORT), len(names & _WRITTEN)
    sure = transport >= 2 or (transport == 1 and written >= 1)
    if not sure and written < 3:
        return "", False
    is_box = begin["from"] is not None and not begin["from"].startswith(b">")
    return "application/mbox" if is_box else "message/rfc822", sure
