"""Pack: as few servers as possible."""

from __future__ import annotations

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.api import placers
from simulator.policies.gang import best, small, split, tightest
from simulator.workload.jobs import Job, Placement


@placers.register("pack")
class Pack:
    """As few servers as possible, the fullest that still fit (best fit); keeps large holes whole.

    With ``consolidate`` a gang waits until it has as few servers as would hold it if all were idle, as Helios enforces
    it (Hu et al., SC 2021; HeliosArtifact, ``policies/placer/consolidate.py``): 8 accelerators on one server of 8, 16
    on two. It then waits longer, and its traffic stays at home.
    """

    def __init__(self, consolidate: bool = False) -> None:
        self.consolidate = consolidate

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        """Take the fullest server that holds the whole job, else the emptiest ones and the best fit for the rest."""
        if small(job):
            server = tightest(job, nodes)
            return None if server is None else ((server, job.accelerators),)
        if not nodes.open_to(job):
            return self._together(job, nodes, best(job, nodes, lambda fits: -nodes.free[fits]))
        server = nodes.tightest(job.accelerators)
        return self._together(job, nodes, split(job, nodes)) if server is None else ((server, job.accelerators),)

    def _together(self, job: Job, nodes: Allocator, found: Placement | None) -> Placement | None:
        if not self.consolidate or found is None or len(found) == 1 or len(found) <= _fewest(job, nodes):
            return found
        return None


def _fewest(job: Job, nodes: Allocator) -> int:
    """Count the servers that would hold a gang if those that it may use were idle."""
    room = np.where(nodes.allowed(job), nodes.total, 0).astype(float)
    for wanted, there in ((job.cores, nodes.total_cores), (job.memory, nodes.total_memory)):
        if wanted:
            room = np.minimum(room, np.floor(there * (job.accelerators / wanted) * (1 + 1e-12)))
    held = np.cumsum(np.sort(room)[::-1])
    return int(np.searchsorted(held, job.accelerators)) + 1
