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
    that were there when it began, less those that were removed before it got to them.
    """

    __slots__ = ("_head", "_order", "_orders", "_tidied", "members")

    def __init__(self) -> None:
        self._order: list[Job | None] = []
        self.members: dict[Job, int] = {}
        """The jobs, in the order they came, each with its place in that order."""
        self._head = 0
        self._orders: dict[Callable[[Job], Any], _Order] = {}
        self._tidied = 0

    def __len__(self) -> int:
        return len(self.members)

    def __contains__(self, job: Job) -> bool:
        return job in self.members

    def __iter__(self) -> Iterator[Job]:
        return _present(self._order, self._head, len(self._order))

    def by(self, key: Callable[[Job], Any]) -> Iterator[Job]:
        """Loop in the order of ``key(job)``, ties in the order of submission."""
        order = self._orders.pop(key, None)
        if order is None:
            order = _Order(key, self)
            if len(self._orders) >= _KEEP:
                del self._orders[next(iter(self._orders))]
        self._orders[key] = order
        return order.loop(self._tidied, self.members)

    def add(self, job: Job) -> None:
        """Put a job at the end."""
        self.members[job] = len(self._order)
        self._order.append(job)
        for order in self._orders.values():
            order.fresh[job] = None

    def remove(self, job: Job) -> None:
        """Take a job out."""
        self._order[self.members.pop(job)] = None
        for order in self._orders.values():
            if order.entry.pop(job, None) is None:
                del order.fresh[job]

    def tidy(self) -> None:
        """Drop the gaps that removed jobs left; no loop that began before may go on after."""
        self._tidied += 1
        order, head = self._order, self._head
        if not self.members:
            order.clear()
            head = 0
        elif len(order) > 2 * len(self.members) + _SLACK:
            self._order = [job for job in order if job is not None]
            self.members = {job: index for index, job in enumerate(self._order) if job is not None}
            head = 0
        else:
            while order[head] is None:
                head += 1
        self._head = head


def _present(order: list[Job | None], head: int, end: int) -> Iterator[Job]:
    for index in range(head, end):
        job = order[index]
        if job is not None:
            yield job


class _Order:
    """Jobs sorted by (key, sequence); removed ones stay in the list, unseen, until it is tidied."""

    __slots__ = ("_added", "_head", "_items", "_key", "_looped", "entry", "fresh")

    def __init__(self, key: Callable[[Job], Any], jobs: JobSet) -> None:
        self._key = key
        self._added = 0
        self._items: list[_Item] = []
        self._head = 0
        self._looped = -1
        self.entry: dict[Job, _Item] = {}
        """The item that stands for each job that has been sorted in."""
        self.fresh: dict[Job, None] = dict.fromkeys(jobs)
        """Jobs that are yet to be sorted in."""

    def loop(self, tidied: int, members: dict[Job, int]) -> Iterator[Job]:
        """Loop over the jobs of now; ``tidied`` is the number of the last moment without loops."""
        if self._looped != tidied:
            self._looped = tidied
            self._tidy()
        elif self.fresh:
            self._items = self._items[self._head :]  # a loop over the old list may be under way
            self._head = 0
        if self.fresh:
            self._sort_in()
        return self._present(self._items, self._head, members)

    def _present(self, items: list[_Item], head: int, members: dict[Job, int]) -> Iterator[Job]:
        entry = self.entry
        for index in range(head, len(items)):
            item = items[index]
            job = item[3]
            if job in members and entry.get(job) is item:  # an order that is no longer kept up has old entries
                yield job

    def _sort_in(self) -> None:
        items, few = self._items, len(self.fresh) <= 8
        for job in self.fresh:
            self._added += 1
            item = self.entry[job] = (self._key(job), job.sequence, self._added, job)
            if few:
                insort(items, item, lo=self._head)
            else:
                items.append(item)
        if not few:
            items[:] = sorted(items[self._head :])
            self._head = 0
        self.fresh.clear()

    def _tidy(self) -> None:
        items, entry, head = self._items, self.entry, self._head
        if not entry:
            items.clear()
            head = 0
        elif len(items) - head > 2 * len(entry) + _SLACK:
            items[:] = [item for item in items if entry.get(item[3]) is item]
            head = 0
        else:
            while entry.get(items[head][3]) is not items[head]:
                head += 1
            if head > _SLACK and 2 * head > len(items):
                del items[:head]
                head = 0
        self._head = head
