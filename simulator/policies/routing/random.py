"""Any replica."""

from __future__ import annotations

import numpy as np

from simulator.core.rng import stream
from simulator.policies.serving import ReplicaView, RoutingView, routers
from simulator.workload.requests import Request


@routers.register("random")
class Random:
    """Any replica, each as likely as the others."""

    def __init__(self) -> None:
        self._rng = stream(0, "router")

    def reset(self, rng: np.random.Generator) -> None:
        """Draw from ``rng`` from now on."""
        self._rng = rng

    def route(self, request: Request, view: RoutingView) -> ReplicaView:
        """Return a replica drawn at random."""
        replicas = view.replicas
        return replicas[int(self._rng.random() * len(replicas))]
