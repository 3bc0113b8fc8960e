"""Dot product: the server whose free resources look least like what the job asks for."""

from __future__ import annotations

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.api import placers
from simulator.policies.gang import best
from simulator.policies.vectors import free, largest, wanted
from simulator.workload.jobs import Job, Placement


@placers.register("dot-product")
class DotProduct:
    """The smallest product of what a job wants and what a server has free, over cores and accelerators, both to scale.

    Score: the integer part of 100 (1 - product / 2), ties to the first server, as ``dot_product_score.go`` has it with
    ``dimExtMethod: merge`` and ``normMethod: max`` (hkust-adsl/kubernetes-scheduler-simulator, commit 8f3d641), which
    turns the alignment of Grandl et al., Tetris (SIGCOMM 2014), round: there the largest product wins (``align``). A
    share goes to the accelerator that it fills up most.
    """

    def __init__(self, align: bool = False) -> None:
        self.align = align

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        """Take the server with the highest score; a gang too large for any goes to as few as possible."""

        def score(fits: np.ndarray) -> np.ndarray:
            product = np.zeros(len(fits))
            for have, want, most in zip(free(nodes, fits), wanted(job), largest(nodes), strict=True):
                product += (have / most) * (want / most)
            if self.align:
                return product
            whole: np.ndarray = (100 * (1 - product / 2)).astype(np.int64)
            return whole

        return best(job, nodes, score)
