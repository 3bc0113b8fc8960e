"""Jobs of one tenant that wait, kept so that a pass looks at one job of each shape and never at all of them.

Jobs that ask for the same are of one *shape*: if the first of them cannot start, the others cannot either (the
scheduling equivalence of Kueue v0.19). What held a shape back is remembered until it may have changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Any

from simulator.workload.jobs import Job, State

Shape = tuple[Any, ...]
Key = Callable[[Job], tuple[Any, ...]]


def by_priority(job: Job) -> tuple[Any, ...]:
    """Order within a tenant: the highest priority, then who came first."""
    return (-job.priority, job.submit, job.sequence)


def by_length(job: Job) -> tuple[Any, ...]:
    """Order within a tenant: the highest priority, then the shortest by estimate."""
    return (-job.priority, job.estimate, job.submit, job.sequence)


ORDERS: dict[str, Key] = {"fifo": by_priority, "shortest": by_length}


def shape_of(job: Job) -> Shape:
    """Everything that decides where a job fits."""
    return (
        job.accelerators, job.cores, job.memory, job.accelerator_types, job.max_servers,
        job.partition, job.selector, job.tolerations, job.tenant,
    )  # fmt: skip


class Line:
    """The jobs of one tenant that wait.

    ``blocked`` maps shapes that cannot start now to what is in the way. A job that is no longer queued drops out by
    itself when it comes to the front.
    """

    __slots__ = ("_heaps", "_key", "_pushed", "_untold", "_waiting", "blocked", "name")

    def __init__(self, name: str, key: Key = by_priority) -> None:
        self.name, self._key = name, key
        self._heaps: dict[Shape, list[tuple[tuple[Any, ...], int, Job]]] = {}
        self._waiting: dict[Job, None] = {}
        self._pushed = 0
        self._untold: dict[Shape, list[Job]] = {}
        self.blocked: dict[Shape, str] = {}

    def push(self, job: Job) -> None:
        """Let a job wait; one that comes to the front of its shape gives it a new chance."""
        shape = shape_of(job)
        heap = self._heaps.setdefault(shape, [])
        self._pushed += 1
        self._waiting[job] = None
        heappush(heap, (self._key(job), self._pushed, job))
        self._untold.setdefault(shape, []).append(job)
        if heap[0][2] is job:
            self.blocked.pop(shape, None)

    def head(self, strict: bool = False) -> Job | None:
        """The best job that is not blocked; if ``strict``, the best of all, or None when that one is blocked."""
        waiting = self._waiting
        best: tuple[Any, ...] | None = None
        found: Job | None = None
        for shape, heap in list(self._heaps.items()):
            while heap and (heap[0][2] not in waiting or heap[0][2].state is not State.QUEUED):
                waiting.pop(heappop(heap)[2], None)
            if not heap:
                del self._heaps[shape]
                self._untold.pop(shape, None)
                self.blocked.pop(shape, None)
            elif (strict or shape not in self.blocked) and (best is None or heap[0][0] < best):
                best, found = heap[0][0], heap[0][2]
        if strict and found is not None and shape_of(found) in self.blocked:
            return None
        return found

    def take(self, job: Job) -> None:
        """Take out a job that is at the front of its shape and still queued."""
        heappop(self._heaps[shape_of(job)])
        del self._waiting[job]

    def block(self, job: Job, why: str) -> None:
        """Remember that jobs like this one cannot start now."""
        self.blocked[shape_of(job)] = why

    def unblock(self, why: str) -> None:
        """Forget what was held back for one reason."""
        for shape in [shape for shape, reason in self.blocked.items() if reason == why]:
            del self.blocked[shape]

    def untold(self, why: str) -> Iterator[Job]:
        """Jobs that are blocked for a reason and have not been told so yet; they are told by this."""
        for shape, reason in self.blocked.items():
            if reason == why and self._untold.get(shape):
                jobs, self._untold[shape] = self._untold[shape], []
                yield from (job for job in jobs if job in self._waiting and job.state is State.QUEUED)

    def untell(self, job: Job) -> None:
        """What a job has been told is no longer so."""
        self._untold.setdefault(shape_of(job), []).append(job)

    def holds(self, job: Job) -> bool:
        """Whether a job is in the line."""
        return job in self._waiting

    def drop(self, job: Job) -> None:
        """Take out a job wherever it stands."""
        del self._waiting[job]
