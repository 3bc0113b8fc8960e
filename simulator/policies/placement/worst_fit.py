"""Worst fit: the emptiest server."""

from __future__ import annotations

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.api import placers
from simulator.policies.gang import best
from simulator.policies.vectors import free, largest, wanted
from simulator.workload.jobs import Job, Placement


@placers.register("worst-fit")
class WorstFit:
    """The server with most left once the job is there, cores and accelerators alike; a share to the emptiest device.

    A gang too large for any server goes to as few as possible; ``spread`` deals gangs out.
    """

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        """Take the server with most left over, ties to the first."""

        def left(fits: np.ndarray) -> np.ndarray:
            spare, want, most = free(nodes, fits), wanted(job), largest(nodes)
            return sum(((have - w) / m for have, w, m in zip(spare, want, most, strict=True)), np.zeros(len(fits)))

        return best(job, nodes, left)

    def device(self, job: Job, server: int, nodes: Allocator) -> int:
        """Accelerator of ``server`` with the most room."""
        return int(nodes.device_free[server].argmax())
