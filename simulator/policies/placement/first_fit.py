"""First fit: the first server that has room."""

from __future__ import annotations

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.api import placers
from simulator.policies.gang import room_for, small, take
from simulator.workload.jobs import Job, Placement


@placers.register("first-fit")
class FirstFit:
    """The first server, in the order of the topology, that holds the whole job; larger gangs fill servers in order."""

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        """Take the first server that fits, else the first ones that hold the gang together."""
        fitting = nodes.fits_for(job)
        first = int(fitting.argmax()) if len(fitting) else 0
        if len(fitting) and fitting[first]:
            return ((first, job.accelerators),)
        if small(job) or job.max_servers == 1:
            return None
        room = room_for(job, nodes)
        in_order = take(job, np.flatnonzero(room), room)
        if in_order is None and job.max_servers:
            return take(job, np.argsort(-room, kind="stable"), room)  # few large servers, wherever they are
        return in_order
