"""The better of a few replicas drawn at random."""

from __future__ import annotations

import numpy as np

from simulator.core.rng import stream
from simulator.policies.routing import least_loaded
from simulator.policies.serving import ReplicaView, RoutingView, routers
from simulator.workload.requests import Request


@routers.register("power-of-two")
class PowerOfTwo:
    """The least loaded of two, or more, replicas drawn at random.

    Mitzenmacher, The Power of Two Choices in Randomized Load Balancing (IEEE TPDS 12(10), 2001): two choices bring the
    fullest of n bins from about ln n / ln ln n balls down to ln ln n / ln 2. As ``power_of_two`` of SGLang's model
    gateway (sgl-project/sglang at 065f331) and Envoy's ``LEAST_REQUEST`` (1.35, ``choice_count`` 2) do it; Envoy may
    draw one replica twice. Ties by number.
    """

    def __init__(self, choices: int = 2) -> None:
        if choices < 1:
            raise ValueError(f"choices is {choices}; it must be 1 or more")
        self.choices = choices
        self._rng = stream(0, "router")

    def reset(self, rng: np.random.Generator) -> None:
        """Draw from ``rng`` from now on."""
        self._rng = rng

    def route(self, request: Request, view: RoutingView) -> ReplicaView:
        """Draw some replicas, and return the least loaded one."""
        replicas, draw = view.replicas, self._rng.random
        count = len(replicas)
        if self.choices >= count:
            return least_loaded(replicas)
        drawn: list[int] = []
        while len(drawn) < self.choices:
            index = int(draw() * count)
            if index not in drawn:
                drawn.append(index)
        return least_loaded([replicas[index] for index in sorted(drawn)])
