"""Scores of kube-scheduler: each says of every server that fits how well it suits a pod, as a whole number 0 to 100.

Sources: Kubernetes, ``pkg/scheduler/framework/plugins`` and the weights in ``apis/config/v1/default_plugins.go``
(kubernetes/kubernetes, commit 01db4ae); Volcano, ``pkg/scheduler/plugins/binpack`` (volcano-sh/volcano, 05ecf86).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.core.registry import Registry
from simulator.workload.jobs import Job

MOST = 100
"""Highest score (``MaxNodeScore``)."""


@dataclass(frozen=True, slots=True)
class Situation:
    """A job, and the servers (indices) that fit it, as a score sees them.

    ``weights`` says how much ``cores``, ``memory`` and ``accelerators`` count; ``shape`` are points (utilisation in
    percent, score 0 to 10); ``beside`` counts, by server, the running jobs of the same array.
    """

    job: Job
    nodes: Allocator
    servers: np.ndarray
    weights: Mapping[str, float]
    shape: Sequence[tuple[float, float]]
    beside: np.ndarray

    def resource(self, name: str) -> tuple[np.ndarray, np.ndarray, float]:
        """What is there and what will be used once the job is placed, by server, and what the job asks for.

        Thousandths of cores and accelerators, bytes of memory. What is without limit is there as 0: it does not count.
        """
        nodes, servers, job = self.nodes, self.servers, self.job
        if name == "cores":
            there, left, wanted = nodes.total_cores[servers] * 1000, nodes.free_cores[servers] * 1000, job.cores * 1000
        elif name == "memory":
            there, left, wanted = nodes.total_memory[servers], nodes.free_memory[servers], job.memory
        else:
            there, left = nodes.total[servers] * 1000.0, nodes.free[servers] * 1000.0 + nodes.beside[servers]
            wanted = job.accelerators * 1000
        there = np.where(np.isfinite(there), there, 0.0)
        used = np.where(there > 0, np.round(there) - np.round(np.where(there > 0, left, 0.0)) + round(wanted), 0.0)
        return np.round(there), used, float(round(wanted))

    def mean(self, score: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        """Weighted mean of ``score(there, used)`` over the resources that a server has, the integer part of it."""
        total, weight = np.zeros(len(self.servers)), np.zeros(len(self.servers))
        for name, counts in self.weights.items():
            there, used, _ = self.resource(name)
            has = there > 0
            total += np.where(has, score(np.where(has, there, 1.0), used) * counts, 0.0)
            weight += has * counts
        mean: np.ndarray = np.where(weight > 0, total // np.where(weight > 0, weight, 1.0), 0.0)
        return mean


Score = Callable[[Situation], np.ndarray]
scores: Registry[Score] = Registry("score", "simulator.policies.kube")
