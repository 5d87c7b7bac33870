"""Finds, among the sets seen before, one that overlaps a new one enough: exactly, and without comparing it to all.

Two sets whose Jaccard similarity is at least t share at least t times the size of either. So if the members of every set are put
into one fixed order, the two share a member among the first n - ceil(t n) + 1 of each (Chaudhuri, Ganti and Kaushik, "A primitive
operator for similarity joins in data cleaning", 2006), and only sets found by those need be compared. With rare members first few
are found (Bayardo, Ma and Srikant, "Scaling up all pairs similarity search", 2007). Unlike hashing to signatures (MinHash), this
misses no pair and finds no false one.

Time is about linear for texts; it is quadratic at worst, for sets that all share many members and are yet not alike.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Sequence

_BUCKETS = 1 << 20
"""Of the table of frequencies, 4 MiB. Members in one bucket count as one: the order is a heuristic, any is right."""
_ROUNDING = 1e-9
"""Taken off before rounding up, so that 0.8 × 5 is 4 and not 5."""


class NearSets:
    """Sets added so far, and a search among them.

    Args:
        similarity: least Jaccard similarity, above 0, at most 1.
        all_sets: every set that will be asked of or added, once each: tells which members are rare.
        check: called once per comparison; raises to stop.
    """

    def __init__(self, similarity: float, all_sets: Iterable[Sequence[int]], check: Callable[[], None]) -> None:
        self._similarity = similarity
        self._check = check
        self._frequencies = array("I", bytes(4 * _BUCKETS))
        for members in all_sets:
            for member in members:
                self._frequencies[member % _BUCKETS] += 1
        self._sets: list[Sequence[int]] = []
        self._found_by: dict[int, list[int]] = {}

    def nearest(self, members: Sequence[int], telling: Sequence[int]) -> tuple[int, float] | None:
        """The first near set in the order of adding.

        Args:
            members: of the new set.
            telling: of them, from `telling`.

        Returns:
            Its number and how similar it is; None if none is near.
        """
        candidates: set[int] = set()
        for member in telling:
            candidates.update(self._found_by.get(member, ()))
        if not candidates:
            return None
        size, own = len(members), set(members)
        for number in sorted(candidates):
            self._check()
            other = self._sets[number]
            smaller, larger = sorted((size, len(other)))
            if smaller < self._similarity * larger - _ROUNDING:
                continue
            shared = len(own.intersection(other))
            similarity = shared / (size + len(other) - shared)
            if similarity >= self._similarity:
                return number, similarity
        return None

    def add(self, members: Sequence[int], telling: Sequence[int]) -> None:
        """Add a set; its number is how many were added before. Arguments: see `nearest`."""
        number = len(self._sets)
        self._sets.append(members)
        for member in telling:
            self._found_by.setdefault(member, []).append(number)

    def telling(self, members: Sequence[int]) -> list[int]:
        """Members one of which any near set must have as well: the first of the order that are not of this set alone."""
        length = len(members) - math.ceil(self._similarity * len(members) - _ROUNDING) + 1
        counts = self._frequencies
        # A bucket counted once holds one member of one set: rarest of all, and no other set can be found by it.
        shared = [(count, member) for member in members if (count := counts[member % _BUCKETS]) > 1]
        length -= len(members) - len(shared)
        if length <= 0:
            return []
        shared.sort()
        return [member for _, member in shared[:length]]
