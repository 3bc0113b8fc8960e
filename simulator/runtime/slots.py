"""Which accelerators of a server a job holds, by number, where each has network links of its own."""

from __future__ import annotations

from heapq import heappop, heappush

from simulator.cluster.topology import Topology
from simulator.workload.jobs import Job

Member = tuple[int, int]
"""A server and one of its accelerators, both by index."""


class Slots:
    """Hands out the lowest free numbers of each server, and takes them back.

    Where all accelerators of a server leave it by one trunk, every job counts its own from 0.
    """

    def __init__(self, topology: Topology) -> None:
        self._numbered = topology.wired
        self._free: dict[int, list[int]] = {}
        self._held: dict[Job, tuple[Member, ...]] = {}
        self._topology = topology

    def take(self, job: Job) -> None:
        """Give a job that was placed its accelerators."""
        if self._numbered:
            wanted = [server for server, taken in sorted(job.placement) for _ in range(int(taken))]
            self._held[job] = tuple((server, heappop(self._of(server))) for server in wanted)

    def give(self, job: Job) -> None:
        """Take back what a job had."""
        for server, device in self._held.pop(job, ()):
            heappush(self._free[server], device)

    def members(self, job: Job) -> tuple[Member, ...]:
        """Return the accelerators of a job that was placed, in the order of its ranks."""
        held = self._held.get(job)
        if held is not None:
            return held
        return tuple((server, device) for server, taken in sorted(job.placement) for device in range(int(taken)))

    def _of(self, server: int) -> list[int]:
        free = self._free.get(server)
        if free is None:
            free = self._free[server] = list(range(self._topology.servers[server].accelerators))
        return free
