"""GPU packing: shared accelerators before free ones, busy servers before idle ones."""

from __future__ import annotations

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.api import placers
from simulator.policies.gang import best
from simulator.workload.jobs import Job, Placement

_MOST = 100


@placers.register("gpu-packing")
class GpuPacking:
    """Accelerators that are shared already before free ones of busy servers, and those before idle servers.

    Scores, ties to the first server, by ``gpu_packing_score.go`` of hkust-adsl/kubernetes-scheduler-simulator, commit
    8f3d641: on a shared accelerator 100 less a tenth of its free percent; with n free accelerators of a server in use
    50 - n, at least 33; on an idle server of n accelerators 33 - n, at least n. A job without accelerators takes the
    first server that fits.
    """

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        """Take the server with the highest score; a gang too large for any goes to as few as possible."""
        return best(job, nodes, lambda fits: _scores(job.accelerators, nodes.device_free[fits], nodes.total[fits]))


def _scores(accelerators: float, devices: np.ndarray, total: np.ndarray) -> np.ndarray:
    if not accelerators:
        return np.zeros(len(total))
    idle = (devices == 1000).sum(axis=1) == total
    score = np.maximum(_MOST // 2 - max(1, int(accelerators)), _MOST // 3) * np.ones(len(total), dtype=np.int64)
    if accelerators < 1:
        beside = np.where((devices >= round(accelerators * 1000)) & (devices < 1000), devices, 1000).min(axis=1)
        score = np.where(beside < 1000, np.maximum(_MOST - beside * 100 // 1000 // 10, _MOST // 2), score)
    scores: np.ndarray = np.where(idle, np.maximum(_MOST // 3 - total, total), score)
    return scores
