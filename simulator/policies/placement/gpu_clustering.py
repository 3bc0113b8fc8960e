"""GPU clustering: jobs of one kind together."""

from __future__ import annotations

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.policies.api import placers
from simulator.policies.gang import best
from simulator.workload.jobs import Job, Placement

_QUARTER = 25


@placers.register("gpu-clustering")
class GpuClustering:
    """Servers that hold jobs of the same number of accelerators, best only those; then idle ones; then all others.

    Kinds of jobs are shares, and gangs of 1, 2, 3, ... accelerators. Scores, ties to the first server, by
    ``gpu_clustering_score.go`` of hkust-adsl/kubernetes-scheduler-simulator, commit 8f3d641: 75, 50, 25 or 0 for those
    four cases, plus up to 25 for accelerators in use; 0 for a job without any. The rule is that of Xiao et al., Gandiva
    (OSDI 2018), whose servers are bound to jobs of one size. It counts what runs where by ``on_start`` and ``on_end``.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self, rng: object = None) -> None:
        """Forget what ran: a new run begins."""
        self._counts: dict[int, dict[int, int]] = {}

    def on_start(self, job: Job) -> None:
        """Count a job on its servers."""
        self._count(job, 1)

    def on_end(self, job: Job) -> None:
        """Take a job off its servers."""
        self._count(job, -1)

    def _count(self, job: Job, by: int) -> None:
        if job.accelerators:
            there = self._counts.setdefault(int(job.accelerators), {})
            for server, _ in job.placement:
                there[server] = there.get(server, 0) + by
                if not there[server]:
                    del there[server]

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        """Take the server with the highest score; a gang too large for any goes to as few as possible."""
        return best(job, nodes, lambda fits: self._scores(job, nodes, fits))

    def _scores(self, job: Job, nodes: Allocator, fits: np.ndarray) -> np.ndarray:
        if not job.accelerators:
            return np.zeros(len(fits))
        kinds = np.zeros(len(nodes), dtype=np.int64)
        same = np.zeros(len(nodes), dtype=bool)
        for kind, servers in self._counts.items():
            where = list(servers)
            kinds[where] += 1
            if kind == int(job.accelerators):
                same[where] = True
        most = 1000 * nodes.most_accelerators
        used = _QUARTER * (most - 1000 * nodes.free[fits] - nodes.beside[fits]) // most
        kinds, same = kinds[fits], same[fits]
        cases = [same & (kinds == 1), same, kinds == 0]
        score: np.ndarray = used + np.select(cases, [3 * _QUARTER, 2 * _QUARTER, _QUARTER], 0)
        return score
