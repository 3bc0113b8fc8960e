"""Topology: the fewest switch hops between the servers of a gang."""

from __future__ import annotations

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.api import placers
from simulator.policies.gang import room_for, small, take, tightest
from simulator.workload.jobs import Job, Placement


@placers.register("topology")
class FewestHops:
    """As close together as possible: one server, else one leaf switch, else the switches with the fewest hops between.

    Servers on the same switch form a neighbourhood. A gang that fits into none is built around each neighbourhood in
    turn, nearest ones first, and the choice with the shortest reach wins; ties go to the fullest.
    """

    def __init__(self) -> None:
        self._topology: Topology | None = None

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        """Take the tightest server, neighbourhood or set of neighbourhoods that holds the gang."""
        if small(job):
            server = tightest(job, nodes)
            return None if server is None else ((server, job.accelerators),)
        room = room_for(job, nodes)
        whole = np.flatnonzero(room >= job.accelerators)
        if len(whole):
            return ((int(whole[np.argmin(nodes.free[whole])]), job.accelerators),)
        self._learn(topology)
        near = np.bincount(self._hood, room, len(self._first)).astype(np.int64)
        holding = np.flatnonzero(near >= job.accelerators)
        if len(holding):
            hoods = holding[[np.argmin(near[holding])]]
        else:
            hoods = self._closest(near, int(job.accelerators))
        near_by = take(job, self._servers(hoods, room), room)
        if near_by is None and job.max_servers:
            return take(job, np.argsort(-room, kind="stable"), room)  # few large servers, wherever they are
        return near_by

    def _learn(self, topology: Topology) -> None:
        if self._topology is topology:
            return
        self._topology = topology
        names: dict[str, int] = {}
        hood = [names.setdefault(topology.neighbourhood(server.name), len(names)) for server in topology.servers]
        self._hood = np.array(hood, dtype=np.int64)
        self._first = [hood.index(index) for index in range(len(names))]
        self._hops: dict[int, np.ndarray] = {}

    def _distances(self, hood: int) -> np.ndarray:
        if hood not in self._hops:
            assert self._topology is not None
            here = self._first[hood]
            self._hops[hood] = np.array([self._topology.hops(here, there) for there in self._first])
        return self._hops[hood]

    def _closest(self, near: np.ndarray, wanted: int) -> np.ndarray:
        best: tuple[tuple[int, int, int], np.ndarray] | None = None
        for centre in np.flatnonzero(near).tolist():
            hops = self._distances(centre)
            order = np.lexsort((-near, hops))
            count = int(np.searchsorted(np.cumsum(near[order]), wanted)) + 1
            if count > len(order):
                break
            chosen = order[:count]
            score = (int(hops[chosen].max()), count, int(near[chosen].sum()))
            if best is None or score < best[0]:
                best = (score, chosen)
        return best[1] if best else np.flatnonzero(near)

    def _servers(self, hoods: np.ndarray, room: np.ndarray) -> np.ndarray:
        rank = {hood: position for position, hood in enumerate(hoods.tolist())}
        members = np.flatnonzero(np.isin(self._hood, hoods) & (room > 0))
        ranks = np.array([rank[hood] for hood in self._hood[members].tolist()])
        return members[np.lexsort((-room[members], ranks))]
