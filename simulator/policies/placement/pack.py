"""Pack: as few servers as possible."""

from __future__ import annotations

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.api import placers
from simulator.policies.gang import best, small, split, tightest
from simulator.workload.jobs import Job, Placement


@placers.register("pack")
class Pack:
    """As few servers as possible, the fullest that still fit (best fit); keeps large holes whole."""

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        """Take the fullest server that holds the whole job, else the emptiest ones and the best fit for the rest."""
        if small(job):
            server = tightest(job, nodes)
            return None if server is None else ((server, job.accelerators),)
        if not nodes.open_to(job):
            return best(job, nodes, lambda fits: -nodes.free[fits])
        server = nodes.tightest(job.accelerators)
        return split(job, nodes) if server is None else ((server, job.accelerators),)
