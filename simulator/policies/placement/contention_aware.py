"""Contention-aware: gangs kept off links that others load."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.api import placers
from simulator.policies.gang import split, take
from simulator.policies.neighbourhoods import Known, Neighbourhoods, OneServerFirst
from simulator.workload.jobs import BatchJob, Job, Placement

_MOST_NEAR = 8
"""Neighbourhoods that each hold the whole gang and are tried."""


@placers.register("contention-aware")
class ContentionAware(OneServerFirst):
    """Of several sets of servers the one on whose links the gang and those who run there slow each other down least.

    Tried are, where no server holds the gang: the servers with the fewest hops between, each of up to eight
    neighbourhoods that hold it (the fullest first), the fewest servers, and the emptiest, if they do not lie in more
    neighbourhoods than the first: a gang that leaves them loads the links of many others to come.

    A gang is modelled as a ring over its servers, in order, that sends on every link as much as its servers can put out
    (where accelerators have links of their own, as much as the first of each server, on its rail). The slow-down of a
    gang is the largest ratio of what is sent on one of its links to what the link carries, at least 1; that set wins
    for which the largest slow-down of the gang and of all whose links it would share is least, ties in the order above.
    So it keeps gangs from sharing links as CASSINI (Rajasekaran et al., NSDI 2024) does, without its shifts in time. A
    ``BatchJob`` without ``communication`` sends nothing, and goes to the fewest hops.
    """

    def __init__(self) -> None:
        self._known = Known()
        self._topology: Topology | None = None
        self.reset()

    def reset(self, rng: object = None) -> None:
        """Forget what ran: a new run begins."""
        self._rings: dict[Job, Placement] = {}
        self._loads: dict[Job, dict[int, float]] = {}
        self._total: dict[int, float] = {}
        self._topology = None

    def on_start(self, job: Job) -> None:
        """Remember where a gang runs that sends over the network."""
        if len(job.placement) > 1 and _communicates(job):
            self._rings[job] = job.placement
            if self._topology is not None:
                self._add(job, self._load(job.placement, self._topology))

    def on_end(self, job: Job) -> None:
        """Forget a gang."""
        if self._rings.pop(job, None) is not None:
            for link, load in self._loads.pop(job, {}).items():
                self._total[link] -= load

    def over_several(self, job: Job, nodes: Allocator, room: np.ndarray, topology: Topology) -> Placement | None:
        """Take the set with the least slow-down to either side."""
        hoods = self._known.of(topology)
        nearest = hoods.gather(job, room)
        if nearest is None or not topology.has_network or not _communicates(job):
            return nearest
        self._meet(topology)
        reach = _reach(nearest, hoods)
        others = [each for each in _others(job, nodes, room, hoods) if _reach(each, hoods) <= reach]
        candidates = list(dict.fromkeys([nearest, *others]))
        return min(candidates, key=lambda each: self._slow_down(each, topology)) if len(candidates) > 1 else nearest

    def _slow_down(self, placement: Placement, topology: Topology) -> float:
        """The largest slow-down, of the gang there or of one that it shares a link with."""
        load = self._load(placement, topology)
        worst = 1.0
        for link, sent in load.items():
            worst = max(worst, (self._total.get(link, 0.0) + sent) / topology.capacity.item(link))
        return round(worst, 9)

    def _load(self, placement: Placement, topology: Topology) -> dict[int, float]:
        """Bytes/s that a ring over the servers would send on each link."""
        load: dict[int, float] = {}
        ring = [server for server, _ in placement]
        for here, there in zip(ring, ring[1:] + ring[:1], strict=True):
            links = topology.path(topology.endpoint(here, 0), topology.endpoint(there, 0))
            out = topology.capacity.item(links[0]) if links else 0.0
            for link in links:
                load[link] = load.get(link, 0.0) + out
        return load

    def _add(self, job: Job, load: dict[int, float]) -> None:
        self._loads[job] = load
        for link, sent in load.items():
            self._total[link] = self._total.get(link, 0.0) + sent

    def _meet(self, topology: Topology) -> None:
        """Lay the rings of those who run over the links of a topology that is seen for the first time."""
        if self._topology is topology:
            return
        self._topology = topology
        self._loads, self._total = {}, {}
        for job, placement in self._rings.items():
            self._add(job, self._load(placement, topology))


def _others(job: Job, nodes: Allocator, room: np.ndarray, hoods: Neighbourhoods) -> Iterator[Placement]:
    near = hoods.room(room)
    holding = np.flatnonzero(near >= job.accelerators)
    for hood in holding[np.argsort(near[holding], kind="stable")][:_MOST_NEAR]:
        within = take(job, hoods.servers(np.array([hood]), room), room)
        if within:
            yield within
    fewest = split(job, nodes)
    if fewest:
        yield fewest
    idle = take(job, np.lexsort((-room, -nodes.total, room < nodes.total)), room)
    if idle:
        yield idle


def _reach(placement: Placement, hoods: Neighbourhoods) -> int:
    """Neighbourhoods that a gang lies in."""
    return len(np.unique(hoods.of[[server for server, _ in placement]]))


def _communicates(job: Job) -> bool:
    return not isinstance(job, BatchJob) or job.communication > 0
