"""kube-scheduler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from simulator.cluster.allocation import Allocator
from simulator.cluster.topology import Topology
from simulator.core.rng import stream
from simulator.policies import kube
from simulator.policies.api import placers
from simulator.policies.gang import small, split
from simulator.policies.kube import Situation
from simulator.workload.jobs import Job, Placement

_SCORES = {"least-allocated": 1.0, "balanced-allocation": 1.0, "pod-topology-spread": 2.0}
_RESOURCES = ("cores", "memory", "accelerators")


@placers.register("kube")
class Kube:
    """Filters and weighted scores of the Kubernetes scheduler, ties drawn by lot; a pod is a job on one server.

    Filters: NodeResourcesFit, NodeAffinity (``nodeSelector``), TaintToleration (``NoSchedule``), NodeUnschedulable.
    ``scores`` are names with weights, ``simulator.policies.kube`` has them; the default is what a default
    kube-scheduler gives different scores for here: NodeResourcesFit with LeastAllocated 1, BalancedAllocation 1,
    PodTopologySpread 2 (``default_plugins.go``, commit 01db4ae). ``resources`` weighs what they count: cores 1 and
    memory 1, as there; accelerators are an extended resource, and count only when named. ``shape`` are the points
    (utilisation in percent, score 0 to 10) of RequestedToCapacityRatio. All servers are scored; a gang too large for
    any goes to as few as possible.
    """

    def __init__(
        self,
        scores: Mapping[str, float] | None = None,
        resources: Mapping[str, float] | None = None,
        shape: Sequence[tuple[float, float]] = ((0, 0), (100, 10)),
    ) -> None:
        self.weights = dict(_SCORES if scores is None else scores)
        self.resources = dict({"cores": 1.0, "memory": 1.0} if resources is None else resources)
        self.shape = tuple(sorted((float(use), float(score)) for use, score in shape))
        _check(self.weights, self.resources, self.shape)
        self._scores = [(kube.scores.get(name), weight) for name, weight in self.weights.items()]
        self.reset(stream(0, "placement"))

    def reset(self, rng: np.random.Generator) -> None:
        """Take the generator of a new run, and forget what ran."""
        self._rng = rng
        self._running: dict[str, dict[int, int]] = {}

    def on_start(self, job: Job) -> None:
        """Count a job of an array on its servers."""
        self._count(job, 1)

    def on_end(self, job: Job) -> None:
        """Take a job of an array off its servers."""
        self._count(job, -1)

    def _count(self, job: Job, by: int) -> None:
        if job.array:
            there = self._running.setdefault(job.array, {})
            for server, _ in job.placement:
                there[server] = there.get(server, 0) + by

    def place(self, job: Job, nodes: Allocator, topology: Topology) -> Placement | None:
        """Take one of the servers with the highest weighted sum of scores."""
        fits = np.flatnonzero(nodes.fits_for(job))
        if not len(fits):
            return None if small(job) or job.max_servers == 1 else split(job, nodes)
        beside = np.zeros(len(nodes))
        for server, count in self._running.get(job.array, {}).items():
            beside[server] = count
        situation = Situation(job, nodes, fits, self.resources, self.shape, beside)
        total = sum((weight * score(situation) for score, weight in self._scores), np.zeros(len(fits)))
        highest = fits[np.flatnonzero(total == total.max())]
        chosen = highest[self._rng.integers(len(highest))] if len(highest) > 1 else highest[0]
        return ((int(chosen), job.accelerators),)


def _check(weights: Mapping[str, float], resources: Mapping[str, float], shape: Sequence[tuple[float, float]]) -> None:
    for name, weight in weights.items():
        kube.scores.get(name)
        if not weight >= 0:
            raise ValueError(f"scores: the weight of {name} is {weight:g}; it must be 0 or more")
    for name, weight in resources.items():
        if name not in _RESOURCES:
            raise ValueError(f"resources: {name!r} is none of {', '.join(_RESOURCES)}")
        if not weight >= 0:
            raise ValueError(f"resources: the weight of {name} is {weight:g}; it must be 0 or more")
    uses = [use for use, _ in shape]
    if not shape or len(set(uses)) < len(uses) or not all(0 <= use <= 100 and 0 <= score <= 10 for use, score in shape):
        raise ValueError(
            f"shape is {[list(point) for point in shape]}; it must be points (utilisation 0 to 100, score 0 to 10), "
            "each utilisation once"
        )
