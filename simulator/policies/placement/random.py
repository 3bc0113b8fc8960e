"""Random: any server that has room."""

from __future__ import annotations

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.core.rng import stream
from simulator.policies.api import placers
from simulator.policies.gang import room_for, small, take
from simulator.workload.jobs import Job, Placement


@placers.register("random")
class Random:
    """Any server that holds the whole job, each as likely; a share goes to any accelerator of it that has room.

    A gang too large for any server fills servers in a random order. As ``random_score.go`` and ``gpuSelMethod: random``
    of hkust-adsl/kubernetes-scheduler-simulator, commit 8f3d641, do it: the floor that a packing policy must beat.
    """

    def __init__(self) -> None:
        self.reset(stream(0, "placement"))

    def reset(self, rng: np.random.Generator) -> None:
        """Take the generator of a new run."""
        self._rng = rng

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        """Draw one of the servers that fit, else an order in which to fill them."""
        fits = np.flatnonzero(nodes.fits_for(job))
        if len(fits):
            return ((int(fits[self._rng.integers(len(fits))]), job.accelerators),)
        if small(job) or job.max_servers == 1:
            return None
        room = room_for(job, nodes)
        drawn = take(job, self._rng.permutation(np.flatnonzero(room)), room)
        if drawn is None and job.max_servers:
            return take(job, np.argsort(-room, kind="stable"), room)  # few large servers, wherever they are
        return drawn

    def device(self, job: Job, server: int, nodes: Allocator) -> int:
        """Any accelerator of ``server`` that has room for the share."""
        fits = np.flatnonzero(nodes.device_free[server] >= max(1, round(job.accelerators * 1000)))
        return int(fits[self._rng.integers(len(fits))])
