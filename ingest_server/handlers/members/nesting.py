"""How much may lie inside one document, at all depths together, and how much of that is spent.

An archive can hold far more than it looks: deflate packs up to 1,032 zeros into a byte, archives hold archives, and there are
archives that hold themselves. So everything inside what was sent draws on one account, whatever contains it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.interface import HandlerFailure
from ingest_server.handlers.operator import reader_limits


@dataclass(frozen=True, slots=True)
class NestingLimits:
    """How far members are read.

    Attributes:
        depth_max: containers in containers: what was sent has depth 1.
        members_max: members at all depths, unreadable ones too.
        member_bytes_max: of one member, unpacked.
        total_bytes_max: of all members at all depths, unpacked; what is unpacked twice counts twice.
        ratio_max: how many times its packed size a member may have. Logs and sparse scans reach 100 or 200.
        ratio_free_bytes: up to this size of a member no ratio is looked at: it harms nobody.
        document_bytes_max: of all members' documents, serialized: three quarters of what a result may have.
    """

    depth_max: int = 5
    members_max: int = 10_000
    member_bytes_max: int = 512 * 1024 * 1024
    total_bytes_max: int = 1024 * 1024 * 1024
    ratio_max: int = 300
    ratio_free_bytes: int = 16 * 1024 * 1024
    document_bytes_max: int = 192 * 1024 * 1024


def usual_limits() -> NestingLimits:
    """Those that the operator has set."""
    limits = reader_limits()
    return NestingLimits(
        depth_max=limits.read_members_depth_max,
        members_max=limits.read_members_max,
        member_bytes_max=limits.read_member_bytes_max,
        total_bytes_max=limits.read_members_bytes_max,
        ratio_max=limits.read_unpacked_ratio_max,
    )


class RoomSpent(Exception):
    """No further member can be read: a limit of the whole is reached. The text says which."""


@dataclass(slots=True)
class _Spent:
    members: int = 0
    total_bytes: int = 0
    document_bytes: int = 0


class Nesting:
    """The account of one document, as seen from one depth. Not for two threads.

    Attributes:
        limits: of the whole.
        depth: of the container that draws on it, from 1.
    """

    def __init__(self, limits: NestingLimits | None = None) -> None:
        """Open an account with `limits`; None for the usual ones."""
        self.limits = limits or usual_limits()
        self.depth = 1
        self._spent = _Spent()

    def inside(self) -> Nesting:
        """The same account one level deeper.

        Raises:
            HandlerFailure: TOO_DEEP, as a container that may not be opened.
        """
        if self.depth >= self.limits.depth_max:
            raise HandlerFailure(
                f"Archives and mails lie more than {self.limits.depth_max} deep in each other. Unpack the outer ones first.",
                reason=Reason.DOCUMENT_MALFORMED,
                code=Code.INVALID_ARGUMENT,
                retryable=False,
                metadata={"limit_depth": str(self.limits.depth_max)},
            )
        deeper = Nesting(self.limits)
        deeper.depth = self.depth + 1
        deeper._spent = self._spent
        return deeper

    def take_member(self) -> None:
        """Count a member.

        Raises:
            RoomSpent: there were too many.
        """
        if self._spent.members >= self.limits.members_max:
            raise RoomSpent(f"at most {self.limits.members_max:,} members are read of one document")
        self._spent.members += 1

    def take_bytes(self, count: int) -> None:
        """Count bytes that came out of a container.

        Raises:
            RoomSpent: there were too many.
        """
        self._spent.total_bytes += count
        if self._spent.total_bytes > self.limits.total_bytes_max:
            raise RoomSpent(f"at most {self.limits.total_bytes_max:,} bytes are unpacked of one document")

    def take_document(self, count: int) -> None:
        """Count the bytes of a member's document.

        Raises:
            RoomSpent: there were too many.
        """
        self._spent.document_bytes += count
        if self._spent.document_bytes > self.limits.document_bytes_max:
            raise RoomSpent(f"what is read of the members of one document may have {self.limits.document_bytes_max:,} bytes")
