"""Decides whether the members of a container are read in parts, and which of them make a part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

from ingest_server.handlers.members.member import Member, MemberFault
from ingest_server.handlers.members.nesting import NestingLimits

MEMBERS_MIN, BYTES_MIN = 8, 1024 * 1024
"""A container with fewer members and with fewer bytes is read at once."""
PARTS_MAX = 64
"""Parts of a container, however large: each opens it anew."""
PARTS_WRAPPED_MAX = 8
"""The same of one that is compressed as a whole, which each part has to unpack as far as its members lie."""
PART_MEMBERS_MIN, PART_BYTES_MIN = 32, 128 * 1024
"""A part is no smaller than both, unless the container ends: work of some 10 ms, more than it costs to make a part of it."""

MemberRange: TypeAlias = tuple[int, int]
"""(number of the first member, from 0; number after the last)"""


@dataclass(frozen=True, slots=True)
class MembersToDivide:
    """A container that is to be read in parts.

    Attributes:
        sizes: of its members, as claimed, in bytes.
        left_out: why there are more members that are not read; "" if there are none.
    """

    sizes: Sequence[int]
    left_out: str


def measured(members: Iterable[Member], limits: NestingLimits) -> MembersToDivide:
    """The sizes of members, as far as the limits of the whole reach. Nothing is unpacked: what a member gives beyond its claim is
    found when it is read."""
    sizes: list[int] = []
    total_bytes = 0
    left_out = ""
    try:
        for member in members:
            total_bytes += max(member.size_bytes, 0)
            if len(sizes) >= limits.members_max:
                left_out = f"at most {limits.members_max:,} members are read of one document"
            elif total_bytes > limits.total_bytes_max:
                left_out = f"at most {limits.total_bytes_max:,} bytes are unpacked of one document"
            if left_out:
                break
            sizes.append(max(member.size_bytes, 0))
    except MemberFault as fault:
        left_out = f"the container {fault}"
    return MembersToDivide(tuple(sizes), left_out)


def ranges_of_members(sizes: Sequence[int], *, wrapped: bool = False, singly: bool = False) -> list[MemberRange]:
    """Members that are read together.

    Args:
        sizes: of all members.
        wrapped: the container is compressed as a whole.
        singly: each by itself, however small.

    Returns:
        Ranges, in order; a single one if all are to be read at once.
    """
    count, total_bytes = len(sizes), sum(sizes)
    if singly:
        return [(number, number + 1) for number in range(count)]
    if count < MEMBERS_MIN and total_bytes < BYTES_MIN:
        return [(0, count)]
    parts_max = PARTS_WRAPPED_MAX if wrapped else PARTS_MAX
    part_bytes = max(PART_BYTES_MIN, -(-total_bytes // parts_max))
    part_members = max(PART_MEMBERS_MIN, -(-count // parts_max))
    ranges: list[MemberRange] = []
    first, before = 0, 0
    for number, reached in enumerate(accumulate(sizes), 1):
        if number - first >= part_members or reached - before >= part_bytes:
            ranges.append((first, number))
            first, before = number, reached
    return ranges if first == count else [*ranges, (first, count)]
