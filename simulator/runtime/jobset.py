"""Jobs in order of arrival and by key, safe to loop over while they come and go."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from simulator.runtime.shelves import Shelves
from simulator.workload.jobs import Job

_Item = tuple[Any, int, int, Job]

_KEEP = 8
"""Orders kept up to date at once; the one unused for longest goes first."""
_SLACK = 64
"""Gaps that are not worth closing."""
_WORTH = 24
"""Jobs of an order for each new one from which sorting it in costs less than sorting all."""
_MILLI = 1000
"""Shares of an accelerator are counted in thousandths, as the allocator does, so that sums stay exact."""


class JobSet:
    """A set of jobs that keeps the order in which they came and any order by key that was asked for.

    Adding and removing cost O(1), and a bisection for each key when its order is next asked for. A loop sees the jobs
    that were there when it began, less those that are gone when it gets to them.
    """

    __slots__ = ("_kept", "_orders", "_parts", "_shares", "_shelves", "_whole", "members")

    def __init__(self) -> None:
        self.members: dict[Job, None] = {}
        """The jobs, in the order they came."""
        self._whole = 0.0
        self._shares = 0
        self._orders: dict[Callable[[Job], Any], _Order] = {}
        self._shelves: dict[tuple[Any, Any], Shelves] = {}
        self._kept: tuple[_Order | Shelves, ...] = ()
        """All orders and shelves: who is told of jobs that come and go."""
        self._parts: dict[Callable[[Job], Any], dict[Any, JobSet]] = {}

    def __len__(self) -> int:
        return len(self.members)

    def __contains__(self, job: Job) -> bool:
        return job in self.members

    def __iter__(self) -> Iterator[Job]:
        return self._present(tuple(self.members))

    @property
    def accelerators(self) -> float:
        """Accelerators that the jobs ask for, all together."""
        return (self._whole * _MILLI + self._shares) / _MILLI

    def _present(self, jobs: tuple[Job, ...]) -> Iterator[Job]:
        members = self.members
        for job in jobs:
            if job in members:
                yield job

    def by(self, key: Callable[[Job], Any], backwards: bool = False) -> Iterator[Job]:
        """Loop in the order of ``key(job)``, ties in the order of submission; ``backwards`` from the end of it."""
        members = self.members
        if len(members) < 2:
            return self._present(tuple(members))
        order = self._orders.pop(key, None)
        if order is None:
            order = _Order(key, members)
            self._keep(self._orders, order)
        self._orders[key] = order  # the last now
        order.refresh()
        return order.back(members) if backwards else order.loop(members)

    def fitting(
        self,
        key: Callable[[Job], Any],
        limit: Callable[[float], float],
        after: Job | None = None,
        length: Callable[[Job], float] | None = None,
    ) -> Iterator[Job]:
        """Loop in the order of ``key(job)`` over the jobs with ``length(job) <= limit(job.accelerators)``.

        The others are not looked at, so that one who fits is found among many who do not. A limit of minus infinity
        leaves all jobs of that size out. ``limit`` may fall while the loop goes on, and must not rise. ``after`` begins
        behind a job. Key and length must not change for a job while it is here; without ``length`` it is 0.
        """
        shelves = self._shelves.pop((key, length), None)
        if shelves is None:
            shelves = Shelves(key, length, self.members)
            self._keep(self._shelves, shelves)
        self._shelves[key, length] = shelves
        if shelves.fresh:
            shelves.refresh()
        return shelves.loop(limit, after)

    def _keep(self, orders: dict[Any, Any], order: _Order | Shelves) -> None:
        """Keep one more order up to date, instead of the one unused for longest when there are too many."""
        if len(orders) >= _KEEP:
            oldest = orders.pop(next(iter(orders)))
            self._kept = tuple(each for each in self._kept if each is not oldest)
        self._kept += (order,)

    def split(self, group: Callable[[Job], Any]) -> Mapping[Any, JobSet]:
        """Return the jobs by ``group(job)``, each group a set like this one; one that is empty may be there."""
        parts = self._parts.get(group)
        if parts is None:
            parts = self._parts[group] = {}
            for job in self.members:
                _part(parts, group(job)).add(job)
        return parts

    def again(self, job: Job | None = None) -> None:
        """Sort a job in anew, because a key of it has changed (None: all); one that is not here is left alone."""
        if job is not None and job not in self.members:
            return
        for order in self._kept:
            if job is None:
                order.entry.clear()
                order.fresh = dict.fromkeys(self.members)
            else:
                order.entry.pop(job, None)
                order.fresh[job] = None
        for group, parts in self._parts.items():
            for part in parts.values() if job is None else (parts[group(job)],):
                part.again(job)

    def add(self, job: Job) -> None:
        """Put a job at the end."""
        self.members[job] = None
        if job.accelerators >= 1:
            self._whole += job.accelerators
        else:
            self._shares += round(job.accelerators * _MILLI)
        for order in self._kept:
            order.fresh[job] = None
        if self._parts:
            for group, parts in self._parts.items():
                _part(parts, group(job)).add(job)

    def remove(self, job: Job) -> None:
        """Take a job out."""
        del self.members[job]
        if job.accelerators >= 1:
            self._whole -= job.accelerators
        else:
            self._shares -= round(job.accelerators * _MILLI)
        for order in self._kept:
            if order.entry.pop(job, None) is None:
                del order.fresh[job]
        if self._parts:
            for group, parts in self._parts.items():
                parts[group(job)].remove(job)


def _part(parts: dict[Any, JobSet], name: Any) -> JobSet:
    part = parts.get(name)
    if part is None:
        part = parts[name] = JobSet()
    return part


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

    def back(self, members: dict[Job, None]) -> Iterator[Job]:
        """Loop over the jobs that are sorted in, the last first."""
        items, entry = self._items, self.entry
        self._loops += 1
        try:
            for index in range(len(items) - 1, self._head - 1, -1):
                item = items[index]
                job = item[3]
                if job in members and entry.get(job) is item:
                    yield job
        finally:
            self._loops -= 1

    def refresh(self) -> None:
        """Drop what is gone from both ends, and sort in what came."""
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
            while entry.get(items[-1][3]) is not items[-1]:
                items.pop()
            if len(items) > 2 * len(entry) + _SLACK:
                items[:] = [item for item in items if entry.get(item[3]) is item]
                head = 0
        self._head = head
        if self.fresh:
            self._sort_in(items, head)

    def _sort_in(self, items: list[_Item], head: int) -> None:
        added, entry, few = self._added, self.entry, len(self.fresh) <= max(8, len(items) // _WORTH)
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
