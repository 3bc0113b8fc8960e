"""Topology: the fewest switch hops between the servers of a gang."""

from __future__ import annotations

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.api import placers
from simulator.policies.gang import room_for, small, tightest
from simulator.policies.neighbourhoods import Known, fullest_that_holds
from simulator.workload.jobs import Job, Placement


@placers.register("topology")
class FewestHops:
    """As close together as possible: one server, else one leaf switch, else the switches with the fewest hops between.

    Servers on the same switch form a neighbourhood. A gang that fits into none is built around each neighbourhood in
    turn, nearest ones first, and the choice with the shortest reach wins; ties go to the fullest.
    """

    def __init__(self) -> None:
        self._known = Known()

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        """Take the tightest server, neighbourhood or set of neighbourhoods that holds the gang."""
        if small(job):
            server = tightest(job, nodes)
            return None if server is None else ((server, job.accelerators),)
        room = room_for(job, nodes)
        return fullest_that_holds(job, nodes, room) or self._known.of(topology).gather(job, room)
