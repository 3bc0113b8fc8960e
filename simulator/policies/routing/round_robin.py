"""One replica after the other."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from simulator.policies.serving import ReplicaView, RoutingView, routers
from simulator.workload.requests import Request


def _number(replica: ReplicaView) -> int:
    return replica.number


@routers.register("round-robin")
class RoundRobin:
    """One replica after the other, by number; those that come later join at the end of the round."""

    def __init__(self) -> None:
        self._last = -1

    def reset(self, rng: np.random.Generator) -> None:
        """Begin with the first replica again."""
        self._last = -1

    def route(self, request: Request, view: RoutingView) -> ReplicaView:
        """Return the replica with the next higher number, or the first one after the last."""
        replicas = view.replicas
        chosen = replicas[bisect_right(replicas, self._last, key=_number) % len(replicas)]
        self._last = chosen.number
        return chosen
