"""Jobs in order of arrival and by key, safe to loop over while they come and go."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator
from typing import Any

from simulator.workload.jobs import Job

_Item = tuple[Any, int, int, Job]

_KEEP = 8
"""Orders kept up to date at once; the one unused for longest goes first."""
_SLACK = 64
"""Gaps that are not worth closing."""


class JobSet:
    """A set of jobs that keeps the order in which they came and any order by key that was asked for.

    Adding and removing cost O(1), and a bisection for each key when its order is next asked for. A loop sees the jobs
    that were there when it began, less those that are gone when it gets to them.
    """

    __slots__ = ("_orders", "members")

    def __init__(self) -> None:
        self.members: dict[Job, None] = {}
        """The jobs, in the order they came."""
        self._orders: dict[Callable[[Job], Any], _Order] = {}

    def __len__(self) -> int:
        return len(self.members)

    def __contains__(self, job: Job) -> bool:
        return job in self.members

    def __iter__(self) -> Iterator[Job]:
        return self._present(tuple(self.members))

    def _present(self, jobs: tuple[Job, ...]) -> Iterator[Job]:
        members = self.members
        for job in jobs:
            if job in members:
                yield job

    def by(self, key: Callable[[Job], Any]) -> Iterator[Job]:
        """Loop in the order of ``key(job)``, ties in the order of submission."""
        if len(self.members) < 2:
            return iter(self)
        order = self._orders.pop(key, None)
        if order is None:
            order = _Order(key, self.members)
            if len(self._orders) >= _KEEP:
                del self._orders[next(iter(self._orders))]
        self._orders[key] = order
        order.refresh()
        return order.loop(self.members)

    def add(self, job: Job) -> None:
        """Put a job at the end."""
        self.members[job] = None
        for order in self._orders.values():
            order.fresh[job] = None

    def remove(self, job: Job) -> None:
        """Take a job out."""
        del self.members[job]
        for order in self._orders.values():
            if order.entry.pop(job, None) is None:
                del order.fresh[job]


class _Order:
    """Jobs sorted by (key, sequence); removed ones stay in the list, unseen, until it is tidied."""

    __slots__ = ("_added", "_head", "_items", "_key", "_loops", "entry", "fresh")

    def __init__(self, key: Callable[[Job], Any], jobs: dict[Job, None]) -> None:
        self._key = key
        self._added = 0
        self._items: list[_Item] = []
        self._head = 0
        self._loops = 0
        """Loops under way: the list must not change under them."""
        self.entry: dict[Job, _Item] = {}
        """The item that stands for each job that has been sorted in."""
        self.fresh: dict[Job, None] = dict.fromkeys(jobs)
        """Jobs that are yet to be sorted in."""

    def loop(self, members: dict[Job, None]) -> Iterator[Job]:
        """Loop over the jobs that are sorted in."""
        items, entry = self._items, self.entry
        self._loops += 1
        try:
            for index in range(self._head, len(items)):
                item = items[index]
                job = item[3]
                if job in members and entry.get(job) is item:  # an order that is no longer kept up has old entries
                    yield job
        finally:
            self._loops -= 1

    def refresh(self) -> None:
        """Drop what is gone from the head, and sort in what came."""
        items, entry, head = self._items, self.entry, self._head
        if self._loops:
            if self.fresh:
                items = self._items = [item for item in items if entry.get(item[3]) is item]
                head = 0
        elif not entry:
            items.clear()
            head = 0
        else:
            while entry.get(items[head][3]) is not items[head]:
                head += 1
            if len(items) > 2 * len(entry) + _SLACK:
                items[:] = [item for item in items if entry.get(item[3]) is item]
                head = 0
        self._head = head
        if self.fresh:
            self._sort_in(items, head)

    def _sort_in(self, items: list[_Item], head: int) -> None:
        added, entry, few = self._added, self.entry, len(self.fresh) <= 8
        for job in self.fresh:
            added += 1
            item = entry[job] = (self._key(job), job.sequence, added, job)
            if few:
                insort(items, item, head)
            else:
                items.append(item)
        if not few:
            items.sort()
            self._head = 0
        self._added = added
        self.fresh.clear()
