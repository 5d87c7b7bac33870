"""Whose turn it is: a tree of queue, tenant and fairness key, in which siblings share the workers by their weights.

Start-time fair queueing (Goyal, Vin, Cheng: "Start-time Fair Queuing", SIGCOMM 1996), which is deficit round robin with an
infinitely small quantum: each node carries the worker seconds it was served, divided by its weight (its *virtual time*); the
active child with the smallest goes next. A node that becomes active starts at the virtual time of the sibling served last, so
idleness earns no credit and a newcomer is served at once.

Run times are not known beforehand. A job is charged with the estimate of its key when it is leased, and the difference when it
has ended.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

FIRST_ESTIMATE_SECONDS = 0.001
"""Charge of a job of a key that never ran: small, so that many keys are tried soon; corrected by the first that ends."""

ESTIMATE_SHARE = 0.2
"""Weight of the newest batch in a key's moving average of run time."""

TURN_SECONDS = 0.02
"""A key is given at most so much estimated work in one turn: short jobs travel by the hundred, long ones one by one."""

_ticket = count(1)


@dataclass(slots=True, eq=False)
class Node:
    """A queue, a tenant in a queue, or a fairness key of a tenant (a leaf).

    Attributes:
        parent: None for the root.
        weight: share beside its siblings.
        virtual: worker seconds served, divided by the weight, on the scale of its siblings.
        clock: virtual time of the child served last; where a new child starts.
        ready: leaf: jobs that can be leased.
        running: attempts leased and not concluded.
        estimate: leaf: expected worker seconds of one job; a guess until `measured`.
        entry: ticket of its valid entry in its parent's heap; 0 while it has none.
    """

    name: str
    parent: Node | None
    group: int = 0
    weight: float = 1.0
    virtual: float = 0.0
    clock: float = 0.0
    ready: int = 0
    running: int = 0
    estimate: float = FIRST_ESTIMATE_SECONDS
    measured: bool = False
    entry: int = 0
    children: dict[str, Node] = field(default_factory=dict)
    heap: list[tuple[float, int, Node]] = field(default_factory=list)

    def child(self, name: str) -> Node:
        """The child of that name, made if new."""
        node = self.children.get(name)
        if node is None:
            node = self.children[name] = Node(name, self)
        return node


class FairShare:
    """The tree, and the choice of who goes next.

    Args:
        allowance: how many more jobs may start now below a node of depth 1 (queue) or 2 (tenant in a queue): limits, pauses and
            rates of those who know them.
        tenant_weight: share of a tenant beside others in a queue.
    """

    def __init__(self, allowance: Callable[[Node, int], int], tenant_weight: Callable[[str], float] = lambda tenant: 1.0) -> None:
        self._root = Node("", None)
        self._leaves: dict[int, Node] = {}
        self._allowance = allowance
        self._tenant_weight = tenant_weight

    def add_group(self, group: int, tenant: str, queue: str, fairness_key: str) -> None:
        """Make a leaf known. Harmless if it is."""
        if group not in self._leaves:
            tenant_node = self._root.child(queue).child(tenant)
            tenant_node.weight = self._tenant_weight(tenant)
            leaf = tenant_node.child(fairness_key)
            leaf.group = group
            self._leaves[group] = leaf

    def queue(self, name: str) -> Node:
        """The node of a queue."""
        return self._root.child(name)

    def leaf(self, group: int) -> Node | None:
        """The leaf of a group."""
        return self._leaves.get(group)

    def set_queue_weight(self, queue: str, weight: float) -> None:
        """Set the weight of a queue; the weights of its tenants are asked for again."""
        node = self._root.child(queue)
        node.weight = weight
        for tenant, child in node.children.items():
            child.weight = self._tenant_weight(tenant)

    def add_ready(self, group: int, delta: int) -> None:
        """Change the number of jobs of a group that can be leased."""
        leaf = self._leaves[group]
        leaf.ready = max(leaf.ready + delta, 0)
        if leaf.ready:
            self._activate(leaf)

    def has_ready(self) -> bool:
        """Whether any job may be waiting, limits aside."""
        return bool(self._root.heap)

    def forget_idle(self, keep: int) -> None:
        """Drop all leaves that have nothing to do, if there are more than `keep` leaves."""
        if len(self._leaves) <= keep:
            return
        idle = [group for group, leaf in self._leaves.items() if not leaf.ready and not leaf.running]
        for group in idle:
            leaf = self._leaves.pop(group)
            assert leaf.parent is not None
            leaf.entry = 0  # makes an entry that is left in the heap a stale one
            leaf.parent.children.pop(leaf.name, None)

    def charge(self, group: int, jobs: int) -> None:
        """Account for jobs that were leased now, by estimate. A negative number takes it back."""
        leaf = self._leaves[group]
        self._add(leaf, leaf.estimate * jobs, jobs)

    def settle(self, group: int, jobs: int, seconds: float) -> None:
        """Account for jobs that ended after `seconds` of worker time in all: the difference to their estimate is charged."""
        leaf = self._leaves.get(group)
        if leaf is None:
            return
        difference = seconds - leaf.estimate * jobs
        newest = seconds / jobs
        leaf.estimate = newest if not leaf.measured else leaf.estimate + ESTIMATE_SHARE * (newest - leaf.estimate)
        leaf.measured = True
        self._add(leaf, difference, -jobs)

    def choose(self, capacity: int) -> list[tuple[int, int]]:
        """Choose up to `capacity` jobs to lease: (group, count), each group once, in the order of their first turns. They are
        charged; that they are no longer ready the caller says with `add_ready` when it is so."""
        chosen: dict[int, int] = {}
        touched: list[Node] = []
        while capacity > 0:
            leaf = self._next_leaf(touched)
            if leaf is None:
                break
            tenant = leaf.parent
            assert tenant is not None
            assert tenant.parent is not None
            allowed = min(self._allowance(tenant.parent, 1), self._allowance(tenant, 2))
            waiting = leaf.ready - chosen.get(leaf.group, 0)
            turn = max(1, int(TURN_SECONDS / max(leaf.estimate, 1e-6)))
            take = min(capacity, waiting, turn, allowed)
            if take > 0:
                self.charge(leaf.group, take)
                chosen[leaf.group] = chosen.get(leaf.group, 0) + take
                capacity -= take
            if take > 0 and waiting > take:
                self._activate(leaf, rejoins=False)
            else:
                touched.append(leaf)
                self._rejoin_ancestors(leaf)
        for node in touched:
            self._activate(node, rejoins=False)
        return list(chosen.items())

    def _next_leaf(self, held_back: list[Node]) -> Node | None:
        """Walk down to the leaf whose turn it is. Nodes that may start nothing now are taken out and put into `held_back`."""
        node, depth = self._root, 0
        while True:
            child = self._pop(node)
            if child is None:
                if node.parent is None:
                    return None
                node, depth = node.parent, depth - 1  # all below it are held back or empty
            elif depth < 2 and self._allowance(child, depth + 1) <= 0:
                held_back.append(child)
            elif depth == 2:
                return child
            else:
                node, depth = child, depth + 1

    def _pop(self, parent: Node) -> Node | None:
        """Take the active child with the smallest virtual time out of the heap; stale entries are put right on the way."""
        while parent.heap:
            virtual, ticket, node = heapq.heappop(parent.heap)
            if ticket != node.entry:
                continue
            node.entry = 0
            if virtual < node.virtual:  # charged since it was pushed
                self._push(node)
            elif node.heap or node.ready:
                parent.clock = max(parent.clock, node.virtual)
                return node
        return None

    def _rejoin_ancestors(self, leaf: Node) -> None:
        """Put the ancestors of a leaf that was taken out back where they still have other children to serve."""
        node = leaf.parent
        while node is not None and node.parent is not None:
            if node.heap:
                self._push(node)
            node = node.parent

    def _activate(self, node: Node, *, rejoins: bool = True) -> None:
        """Bring a node and its ancestors into the heaps if there is work below them. One that was idle starts at its siblings'
        clock (`rejoins`); one that was only taken out for its turn keeps its own."""
        if not node.ready and not node.heap:
            return
        current: Node | None = node
        while current is not None and current.parent is not None:
            if not current.entry:
                if rejoins:
                    current.virtual = max(current.virtual, current.parent.clock)
                self._push(current)
            current = current.parent

    def _add(self, leaf: Node, seconds: float, running: int) -> None:
        """Charge a leaf and its ancestors."""
        node = leaf
        while node.parent is not None:
            node.virtual += seconds / node.weight
            node.running = max(node.running + running, 0)
            if seconds < 0 and node.entry:
                node.entry = 0  # its entry stands too far back now
                self._push(node)
            node = node.parent

    @staticmethod
    def _push(node: Node) -> None:
        assert node.parent is not None
        if not node.entry:
            node.entry = next(_ticket)
            heapq.heappush(node.parent.heap, (node.virtual, node.entry, node))
