"""Jobs in order of arrival and by key, safe to loop over while they come and go."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator
from typing import Any

from simulator.workload.jobs import Job

_Item = tuple[Any, int, int, Job]

_KEEP = 8
"""Orders kept up to date at once; the one unused for longest goes first."""


class JobSet:
    """A set of jobs that keeps the order in which they came and any order by key that was asked for.

    Adding and removing cost O(1) for the order of arrival and a bisection for each key. A loop sees no job that was
    removed before it got there, and no job that was added after it began; a loop by key sees those that were there at
    the last ``tidy``, which the engine calls before each scheduling pass.
    """

    def __init__(self) -> None:
        self._order: list[Job | None] = []
        self.members: dict[Job, int] = {}
        """The jobs, in the order they came, each with its place in that order."""
        self._head = 0
        self._orders: dict[Callable[[Job], Any], _Order] = {}

    def __len__(self) -> int:
        return len(self.members)

    def __contains__(self, job: Job) -> bool:
        return job in self.members

    def __iter__(self) -> Iterator[Job]:
        order = self._order
        for index in range(self._head, len(order)):
            job = order[index]
            if job is not None:
                yield job

    def by(self, key: Callable[[Job], Any]) -> Iterator[Job]:
        """Loop in the order of ``key(job)``, ties in the order of submission."""
        order = self._orders.pop(key, None)
        if order is None:
            order = _Order(key, self)
            if len(self._orders) >= _KEEP:
                del self._orders[next(iter(self._orders))]
        self._orders[key] = order
        return iter(order)

    def add(self, job: Job) -> None:
        """Put a job at the end."""
        self.members[job] = len(self._order)
        self._order.append(job)
        for order in self._orders.values():
            order.add(job)

    def remove(self, job: Job) -> None:
        """Take a job out."""
        self._order[self.members.pop(job)] = None
        for order in self._orders.values():
            order.remove(job)

    def tidy(self) -> None:
        """Drop the gaps that removed jobs left; not to be called during a loop."""
        if not self.members:
            self._order.clear()
            self._head = 0
        elif len(self._order) > 2 * len(self.members) + 64:
            self._order = [job for job in self._order if job is not None]
            self.members = {job: index for index, job in enumerate(self._order) if job is not None}
            self._head = 0
        else:
            while self._order[self._head] is None:
                self._head += 1
        for sorted_order in self._orders.values():
            sorted_order.tidy()


class _Order:
    """Jobs sorted by (key, sequence); removed ones stay in the list, unseen, until it is tidied."""

    def __init__(self, key: Callable[[Job], Any], jobs: JobSet) -> None:
        self._key = key
        self._added = 0
        self._entry: dict[Job, _Item] = {}
        for job in jobs:
            self._entry[job] = self._make(job)
        self._items = sorted(self._entry.values())
        self._head = 0
        self._fresh: list[_Item] = []

    def _make(self, job: Job) -> _Item:
        self._added += 1
        return (self._key(job), job.sequence, self._added, job)

    def __iter__(self) -> Iterator[Job]:
        items, entry = self._items, self._entry
        for index in range(self._head, len(items)):
            item = items[index]
            if entry.get(item[3]) is item:
                yield item[3]

    def add(self, job: Job) -> None:
        item = self._entry[job] = self._make(job)
        self._fresh.append(item)

    def remove(self, job: Job) -> None:
        del self._entry[job]

    def tidy(self) -> None:
        items, entry, head = self._items, self._entry, self._head
        while head < len(items) and entry.get(items[head][3]) is not items[head]:
            head += 1
        for item in self._fresh:
            if entry.get(item[3]) is item:
                insort(items, item, lo=head)
        self._fresh.clear()
        if len(items) - head > 2 * len(entry) + 64:
            items = self._items = [item for item in items if entry.get(item[3]) is item]
            head = 0
        elif head > 64 and 2 * head > len(items):
            del items[:head]
            head = 0
        self._head = head
