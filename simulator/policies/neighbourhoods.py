"""Which servers are near to each other: neighbourhoods of a topology, and gangs kept within as few hops as possible."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.gang import room_for, small, take, tightest
from simulator.workload.jobs import Job, Placement


class Neighbourhoods:
    """The neighbourhoods of a topology, numbered in the order of their first servers.

    ``of`` is the number of each server's neighbourhood, an int array of shape (servers,).
    """

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        names: dict[str, int] = {}
        hood = [names.setdefault(topology.neighbourhood(server.name), len(names)) for server in topology.servers]
        self.of = np.array(hood, dtype=np.int64)
        self._first = [hood.index(index) for index in range(len(names))]
        self._hops: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self._first)

    def room(self, room: np.ndarray) -> np.ndarray:
        """Sum of ``room`` (by server) in each neighbourhood."""
        return np.bincount(self.of, room, len(self)).astype(np.int64)

    def distances(self, hood: int) -> np.ndarray:
        """Hops from a neighbourhood to each, between their first servers."""
        if hood not in self._hops:
            here = self._first[hood]
            self._hops[hood] = np.array([self.topology.hops(here, there) for there in self._first])
        return self._hops[hood]

    def closest(self, near: np.ndarray, wanted: int) -> np.ndarray:
        """Neighbourhoods that together have room for ``wanted``, of the shortest reach; then the fewest, the fullest.

        They are gathered around each neighbourhood in turn, nearest ones first.
        """
        best: tuple[tuple[int, int, int], np.ndarray] | None = None
        for centre in np.flatnonzero(near).tolist():
            hops = self.distances(centre)
            order = np.lexsort((-near, hops))
            count = int(np.searchsorted(np.cumsum(near[order]), wanted)) + 1
            if count > len(order):
                break
            chosen = order[:count]
            score = (int(hops[chosen].max()), count, int(near[chosen].sum()))
            if best is None or score < best[0]:
                best = (score, chosen)
        return best[1] if best else np.flatnonzero(near)

    def servers(self, hoods: np.ndarray, room: np.ndarray) -> np.ndarray:
        """Servers of ``hoods``, in their order, that have room; the roomiest of each first."""
        rank = {hood: position for position, hood in enumerate(hoods.tolist())}
        members = np.flatnonzero(np.isin(self.of, hoods) & (room > 0))
        ranks = np.array([rank[hood] for hood in self.of[members].tolist()])
        return members[np.lexsort((-room[members], ranks))]

    def gather(self, job: Job, room: np.ndarray) -> Placement | None:
        """Place a gang in the fullest neighbourhood that holds it, else in those of the shortest reach, if any do."""
        near = self.room(room)
        holding = np.flatnonzero(near >= job.accelerators)
        if len(holding):
            hoods = holding[[np.argmin(near[holding])]]
        else:
            hoods = self.closest(near, int(job.accelerators))
        near_by = take(job, self.servers(hoods, room), room)
        if near_by is None and job.max_servers:
            return take(job, np.argsort(-room, kind="stable"), room)  # few large servers, wherever they are
        return near_by


class Known:
    """Neighbourhoods of the topology that was asked for last."""

    def __init__(self) -> None:
        self._hoods: Neighbourhoods | None = None

    def of(self, topology: Topology) -> Neighbourhoods:
        """Neighbourhoods of ``topology``, found once."""
        if self._hoods is None or self._hoods.topology is not topology:
            self._hoods = Neighbourhoods(topology)
        return self._hoods


def fullest_that_holds(job: Job, nodes: Allocator, room: np.ndarray) -> Placement | None:
    """The fullest server that holds the whole gang; None when none does."""
    whole = np.flatnonzero(room >= job.accelerators)
    return ((int(whole[np.argmin(nodes.free[whole])]), job.accelerators),) if len(whole) else None


class OneServerFirst(ABC):
    """A placement that keeps a job on one server where it can; subclasses say where gangs go that no server holds."""

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        """Take the fullest server that holds the job, else several; None where not enough is free."""
        if small(job):
            server = tightest(job, nodes)
            return None if server is None else ((server, job.accelerators),)
        room = room_for(job, nodes)
        whole = fullest_that_holds(job, nodes, room)
        if whole or int(room.sum()) < job.accelerators:
            return whole
        return self.over_several(job, nodes, room, topology)

    @abstractmethod
    def over_several(self, job: Job, nodes: Allocator, room: np.ndarray, topology: Topology) -> Placement | None:
        """Place a gang on several servers, of which each has ``room`` for so many of its accelerators."""
