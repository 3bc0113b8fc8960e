"""Topology: the fewest switch hops between the servers of a gang."""

from __future__ import annotations

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.api import placers
from simulator.policies.neighbourhoods import Known, OneServerFirst
from simulator.workload.jobs import Job, Placement


@placers.register("topology")
class FewestHops(OneServerFirst):
    """As close together as possible: one server, else one leaf switch, else the switches with the fewest hops between.

    Servers on the same switch form a neighbourhood. A gang that fits into none is built around each neighbourhood in
    turn, nearest ones first, and the choice with the shortest reach wins; ties go to the fullest.
    """

    def __init__(self) -> None:
        self._known = Known()

    def over_several(self, job: Job, nodes: Allocator, room: np.ndarray, topology: Topology) -> Placement | None:
        """Take the tightest neighbourhood, or set of neighbourhoods, that holds the gang."""
        return self._known.of(topology).gather(job, room)
