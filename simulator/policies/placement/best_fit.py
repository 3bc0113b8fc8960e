"""Best fit: the server with least left over, cores and accelerators together."""

from __future__ import annotations

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.api import placers
from simulator.policies.gang import best
from simulator.policies.vectors import free, largest, wanted
from simulator.workload.jobs import Job, Placement


@placers.register("best-fit")
class BestFit:
    """The server that has least left once the job is there: half cores, half accelerators, against the largest server.

    Score: the integer part of 100 (1 - sum of (free - wanted) / largest / 2), ties to the first server. It is that of
    ``best_fit_score.go`` in hkust-adsl/kubernetes-scheduler-simulator, commit 8f3d641 (Weng et al., USENIX ATC 2023;
    the heuristic is that of Panigrahy et al., "Heuristics for Vector Bin Packing", 2011). A share goes to the
    accelerator that it fills up most.
    """

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        """Take the server with the highest score; a gang too large for any goes to as few as possible."""
        return best(job, nodes, lambda fits: left_over(job, nodes, fits))


def left_over(job: Job, nodes: Allocator, fits: np.ndarray) -> np.ndarray:
    """Score of each server of ``fits`` (indices), 0 to 100: the less is left over the higher."""
    left = np.zeros(len(fits))
    for have, want, most in zip(free(nodes, fits), wanted(job), largest(nodes), strict=True):
        left += np.maximum(have - want, 0.0) / most * 0.5
    score: np.ndarray = ((1.0 - left) * 100).astype(np.int64)
    return score
