"""Time of one collective call alone, where no topology is given: latency and bandwidth of two tiers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from simulator.cluster.records import Accelerator, Link

Network = Callable[[str, str, float, tuple[int, int]], float]
"""(axis, collective, bytes, group) -> seconds of one call alone.

``bytes`` is the whole array of an ``all_reduce``, ``all_gather`` or ``reduce_scatter`` (as in nccl-tests), what one
rank sends in an ``all_to_all``, the message of a ``send``, and what one worker pushes in ``parameter_server`` or
``tree_aggregate``. ``group`` is (ranks in one scale-up domain, domains)."""


@dataclass(frozen=True, slots=True)
class TwoTiers:
    """Rings over a scale-up fabric and network cards, each rank with a card of its own.

    Rates in bytes/s per rank and direction, latencies in seconds per step. Source of the form: Thakur, Rabenseifner and
    Gropp (2005); of the latencies: NVIDIA/nccl src/graph/tuning.cc (ring, Simple).
    """

    inside: float
    outside: float
    step_inside: float = 3.4e-6
    step_outside: float = 14e-6
    base: float = 8.4e-6

    @classmethod
    def of(cls, accelerator: Accelerator, link: Link, links: float = 1.0) -> TwoTiers:
        """The fabric of an accelerator, and ``links`` links for each accelerator between servers."""
        inside = accelerator.scale_up_bandwidth or accelerator.host_bandwidth or link.goodput
        return cls(0.8 * inside, link.goodput * links)

    def __call__(self, axis: str, collective: str, size: float, group: tuple[int, int]) -> float:
        """Seconds of one call."""
        inner, outer = group
        ranks = inner * outer
        if ranks <= 1:
            return 0.0
        if collective == "send":
            rate, step = (self.outside, self.step_outside) if outer > 1 else (self.inside, self.step_inside)
            return self.base + step + size / rate
        if collective == "all_to_all":
            away = size * (ranks - inner) / ranks
            near = size * (inner - 1) / ranks
            steps = (inner - 1) * self.step_inside / 4 + (ranks - inner) * self.step_outside / 8
            return self.base + steps + max(near / self.inside, away / self.outside)
        rounds = 2 if collective == "all_reduce" else 1
        rate = self.inside if outer == 1 else min(self.inside, self.outside * inner)
        ring = rounds * ((ranks - outer) * self.step_inside + (outer > 1) * outer * self.step_outside)
        tree = 2 * ((inner - 1) * self.step_inside + math.ceil(math.log2(outer)) * self.step_outside)
        latency = min(ring, tree) if collective == "all_reduce" else ring
        return self.base + latency + rounds * (ranks - 1) / ranks * size / rate
