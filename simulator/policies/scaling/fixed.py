"""A fixed number of nodes."""

from __future__ import annotations

import math

from simulator.core.units import Seconds
from simulator.policies.decision import Decision
from simulator.policies.nodes import checks
from simulator.policies.supply import SupplyObservation, autoscalers


@autoscalers.register("fixed")
class Fixed:
    """Keeps a number of nodes, whatever happens: the cluster that is not elastic, to compare with.

    ``nodes`` are filled into groups in their order, as far as minima and maxima let it; without it as many as may be
    up are kept. ``interval`` (60 s, ours) is how soon a node that failed is replaced.
    """

    version = "ours"

    def __init__(self, nodes: int | None = None, interval: Seconds = 60.0) -> None:
        checks.interval(interval)
        if nodes is not None:
            checks.counts(nodes=nodes)
        self.nodes, self.interval = nodes, interval

    def step(self, now: float, observation: SupplyObservation) -> Decision:
        """Return the number."""
        most = sum(group.maximum for group in observation.groups) if observation.groups else _MANY
        return Decision(most if self.nodes is None else self.nodes, "fixed")


_MANY = math.floor(1e6)
"""More nodes than any cluster has, for an observation that says nothing of groups."""
