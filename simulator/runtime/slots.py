"""Which accelerators of a server a job holds, by number, where each has network links of its own."""

from __future__ import annotations

from heapq import heappop, heappush

from simulator.cluster.topology import Topology
from simulator.core.errors import InputError
from simulator.workload.jobs import Job

Member = tuple[int, int]
"""A server and one of its accelerators, both by index."""
MOST_RANKS = 1_000_000
"""Accelerators of one job that communicates."""


class Slots:
    """Hands out the lowest free numbers of each server, and takes them back.

    Where all accelerators of a server leave it by one trunk, every job counts its own from 0.
    """

    def __init__(self, topology: Topology) -> None:
        self.numbered = topology.wired
        """Whether there is anything to hand out."""
        self._next: dict[int, int] = {}
        self._back: dict[int, list[int]] = {}
        self._held: dict[Job, tuple[Member, ...]] = {}

    def take(self, job: Job) -> None:
        """Give a job that was placed its accelerators."""
        if self.numbered:
            self._held[job] = tuple((server, self._lowest(server)) for server, _ in _wanted(job))

    def give(self, job: Job) -> None:
        """Take back what a job had."""
        for server, device in self._held.pop(job, ()):
            heappush(self._back.setdefault(server, []), device)

    def members(self, job: Job) -> tuple[Member, ...]:
        """Return the accelerators of a job that was placed, in the order of its ranks."""
        held = self._held.get(job)
        return _wanted(job) if held is None else held

    def _lowest(self, server: int) -> int:
        """Take the lowest number that is free: of those given back, else the first that nobody had yet."""
        back = self._back.get(server)
        if back:
            return heappop(back)
        device = self._next.get(server, 0)
        self._next[server] = device + 1
        return device


def _wanted(job: Job) -> tuple[Member, ...]:
    if job.accelerators > MOST_RANKS:
        raise InputError(f"{job.accelerators:,.0f} ranks are too many: at most {MOST_RANKS:,} can communicate")
    return tuple((server, device) for server, taken in sorted(job.placement) for device in range(int(taken)))
