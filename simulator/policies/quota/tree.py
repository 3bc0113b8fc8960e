"""Usage against quotas in a tree of cohorts: what is available, what is borrowed, and whose share is the largest.

The arithmetic is that of Kueue v0.19 (``resource_node.go``, ``fair_sharing.go``). Each node has a *subtree quota*: its
nominal quota and what its children lend. What a child does not lend is guaranteed to it, and counts at its parent only
when it is exceeded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from simulator.core.errors import InputError, did_you_mean
from simulator.policies.quota.records import Amounts, ClusterQueue, Cohort, Flavoured, Quota

SLACK = 1e-9
"""What sums of shares of accelerators may be off by."""
_NONE = Quota(0.0)


class Share(NamedTuple):
    """How far a node is beyond its quota, in thousandths of what its cohort can lend, of its dominant resource.

    ``value`` is the ratio over the weight: infinite for a node of weight 0 that borrows, 0 for one that does not.
    """

    value: float
    ratio: float
    resource: str
    borrows: bool

    @property
    def rank(self) -> tuple[float, float]:
        """What shares are compared by: their value, and the ratio between nodes of weight 0."""
        return (self.value, self.ratio if math.isinf(self.value) else 0.0)


_NO_SHARE = Share(0.0, 0.0, "", False)


class Node:
    """A queue or a cohort in the tree."""

    __slots__ = (
        "_lendable",
        "_share",
        "children",
        "height",
        "is_queue",
        "name",
        "parent",
        "quotas",
        "subtree",
        "usage",
        "weight",
    )

    def __init__(self, name: str, quotas: Mapping[Flavoured, Quota], weight: float, is_queue: bool) -> None:
        self.name, self.quotas, self.weight, self.is_queue = name, quotas, weight, is_queue
        self.parent: Node | None = None
        self.children: list[Node] = []
        self.height = 0
        """Steps to the furthest leaf."""
        self.subtree: dict[Flavoured, float] = {key: quota.nominal for key, quota in quotas.items()}
        self.usage: dict[Flavoured, float] = {}
        self._share: Share | None = None
        self._lendable: dict[str, float] = {}

    def guaranteed(self, key: Flavoured) -> float:
        """Part of the quota that is not lent."""
        lent = self.quotas.get(key, _NONE).lending_limit
        return 0.0 if math.isinf(lent) else max(0.0, self.subtree.get(key, 0.0) - lent)

    def spare(self, key: Flavoured) -> float:
        """Part of what is guaranteed that is not in use."""
        return max(0.0, self.guaranteed(key) - self.usage.get(key, 0.0))

    def available(self, key: Flavoured) -> float:
        """What more the node could take now; below 0 when it has too much."""
        own = self.subtree.get(key, 0.0)
        if self.parent is None:
            return own - self.usage.get(key, 0.0)
        above, limit = self.parent.available(key), self.quotas.get(key, _NONE).borrowing_limit
        if not math.isinf(limit):
            guaranteed = self.guaranteed(key)
            stored, used = own - guaranteed, max(0.0, self.usage.get(key, 0.0) - guaranteed)
            above = min(above, stored - used + limit)
        return self.spare(key) + above

    def potential(self, key: Flavoured) -> float:
        """What the node could take if nothing were in use."""
        own = self.subtree.get(key, 0.0)
        if self.parent is None:
            return own
        limit = self.quotas.get(key, _NONE).borrowing_limit
        return min(own + limit, self.guaranteed(key) + self.parent.potential(key))

    def borrows(self, key: Flavoured, more: float = 0.0) -> bool:
        """Whether usage, and ``more``, are beyond the quota of this part of the tree."""
        return self.usage.get(key, 0.0) + more > self.subtree.get(key, 0.0) + SLACK

    def add(self, key: Flavoured, amount: float) -> None:
        """Take an amount, or give it back if it is below 0; the parent sees what is beyond the guarantee."""
        guaranteed, before = self.guaranteed(key), self.usage.get(key, 0.0)
        after = before + amount
        self.usage[key] = 0.0 if abs(after) < SLACK else after
        self._share = None
        if self.parent is not None:
            passed = max(0.0, after - guaranteed) - max(0.0, before - guaranteed)
            if passed:
                self.parent.add(key, passed)

    def path(self) -> Iterator[Node]:
        """The cohorts above, from the nearest to the root."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def queues(self) -> Iterator[Node]:
        """The queues of this part of the tree."""
        if self.is_queue:
            yield self
        for child in self.children:
            yield from child.queues()

    def share(self) -> Share:
        """The dominant resource share."""
        if self._share is None:
            self._share = self._computed_share()
        return self._share

    def clear(self) -> None:
        """Use nothing."""
        self.usage.clear()
        self._share = None

    def _computed_share(self) -> Share:
        beyond: dict[str, float] = {}
        for key, quota in self.subtree.items():
            excess = self.usage.get(key, 0.0) - quota
            if excess > SLACK:
                beyond[key[1]] = beyond.get(key[1], 0.0) + excess
        if self.parent is None or not beyond:
            return _NO_SHARE
        ratio, resource = 0.0, ""
        for name in sorted(beyond):
            lendable = self.parent.lendable(name)
            part = 1000.0 * beyond[name] / lendable if lendable > 0 else 0.0
            if part > ratio:
                ratio, resource = part, name
        return Share(ratio / self.weight if self.weight else math.inf, ratio, resource, True)

    def lendable(self, resource: str) -> float:
        """What a cohort could hand out of a resource if nothing were in use, over all flavours."""
        if resource not in self._lendable:
            self._lendable[resource] = sum(self.potential(key) for key in self.subtree if key[1] == resource)
        return self._lendable[resource]


class QuotaTree:
    """Queues and cohorts with what they use.

    Raises ``InputError`` for cohorts that go in a circle or are named twice. A cohort that a queue names and nobody
    describes is there without a quota of its own.
    """

    def __init__(self, queues: Iterable[ClusterQueue], cohorts: Iterable[Cohort] = ()) -> None:
        self.records = {queue.name: queue for queue in queues}
        self._cohorts: dict[str, Node] = {}
        described = {cohort.name: cohort for cohort in cohorts}
        for cohort in described.values():
            self._cohorts[cohort.name] = Node(cohort.name, cohort.quotas, cohort.weight, False)
        self._queues = {
            queue.name: Node(queue.name, queue.quotas, queue.weight, True) for queue in self.records.values()
        }
        for name, cohort in described.items():
            self._hang(self._cohorts[name], cohort.parent)
        for name, queue in self.records.items():
            self._hang(self._queues[name], queue.cohort)
        _refuse_circles(self._cohorts)
        self._roots = {name: self._root(node) for name, node in self._queues.items()}
        for root in dict.fromkeys(self._roots.values()):
            _add_up(root)

    def node(self, queue: str) -> Node:
        """Return the node of a queue; ``InputError`` with the nearest name when there is none."""
        if queue not in self._queues:
            raise InputError(f"there is no queue {queue!r}. {did_you_mean(queue, self._queues)}")
        return self._queues[queue]

    def cohort(self, name: str) -> Node:
        """Return the node of a cohort; ``InputError`` with the nearest name when there is none."""
        if name not in self._cohorts:
            raise InputError(f"there is no cohort {name!r}. {did_you_mean(name, self._cohorts)}")
        return self._cohorts[name]

    def root(self, queue: str) -> Node:
        """Return the top of the tree that a queue is in: itself, if it has no cohort."""
        return self._roots[queue]

    def available(self, queue: str, key: Flavoured) -> float:
        """What more a queue could take now, borrowing included; below 0 when it has too much."""
        return self._queues[queue].available(key)

    def fits(self, queue: str, request: Amounts) -> bool:
        """Whether a request is within what is available."""
        node = self._queues[queue]
        return all(amount <= node.available(key) + SLACK for key, amount in request.items())

    def could_fit(self, queue: str, request: Amounts) -> bool:
        """Whether a request would be within quota and limits if nothing were in use."""
        node = self._queues[queue]
        return all(amount <= node.potential(key) + SLACK for key, amount in request.items())

    def would_borrow(self, queue: str, request: Amounts) -> bool:
        """Whether a queue would be beyond its nominal quota with a request."""
        node = self._queues[queue]
        return any(node.borrows(key, amount) for key, amount in request.items())

    def borrowing_level(self, queue: str, request: Amounts) -> int:
        """How far up the tree a request must go to find its quota: 0 within the queue's own."""
        return max((self._level(self._queues[queue], key, amount) for key, amount in request.items()), default=0)

    def dominant_share(self, queue: str, request: Amounts | None = None) -> Share:
        """Return the share of a queue, with a request added if one is given.

        max over resources of (usage beyond the nominal quota) / (what the cohort could lend at all) x 1000 / weight.
        """
        self.add(queue, request or {})
        share = self._queues[queue].share()
        self.remove(queue, request or {})
        return share

    def add(self, queue: str, request: Amounts) -> None:
        """Count a request as used."""
        node = self._queues[queue]
        for key, amount in request.items():
            node.add(key, amount)

    def remove(self, queue: str, request: Amounts) -> None:
        """Count a request as used no more."""
        node = self._queues[queue]
        for key, amount in request.items():
            node.add(key, -amount)

    def clear(self) -> None:
        """Count nothing as used."""
        for node in (*self._queues.values(), *self._cohorts.values()):
            node.clear()

    def _level(self, node: Node, key: Flavoured, amount: float) -> int:
        if node.parent is None or not node.borrows(key, amount):
            return 0
        left = amount - node.spare(key)
        level = 0
        for above in node.path():
            level = above.height
            if not above.borrows(key, left):
                break
            left -= above.spare(key)
        return level

    def _hang(self, node: Node, parent: str) -> None:
        if parent:
            above = self._cohorts.setdefault(parent, Node(parent, {}, 1.0, False))
            node.parent = above
            above.children.append(node)

    @staticmethod
    def _root(node: Node) -> Node:
        return next(reversed(list(node.path())), node)


def _refuse_circles(cohorts: Mapping[str, Node]) -> None:
    for node in cohorts.values():
        seen = {node.name: None}
        above = node.parent
        while above is not None:
            if above.name in seen:
                names = list(seen)
                circle = " -> ".join([*names[names.index(above.name) :], above.name])
                raise InputError(f"cohorts go in a circle: {circle}")
            seen[above.name] = None
            above = above.parent


def _add_up(node: Node) -> None:
    """Fill in the quotas and heights of a part of the tree, children first."""
    for child in node.children:
        _add_up(child)
        node.height = max(node.height, child.height + 1)
        for key, quota in child.subtree.items():
            node.subtree[key] = node.subtree.get(key, 0.0) + quota - child.guaranteed(key)
