"""Target tracking for a node pool."""

from __future__ import annotations

import math
from typing import Literal

from simulator.core.units import Ratio, Seconds
from simulator.policies.cooldowns import Cooldowns
from simulator.policies.supply import SupplyObservation, autoscalers


@autoscalers.register("target-tracking")
class TargetTracking:
    """Keeps demand over provisioned accelerators near a target, growing at once and shrinking slowly.

    The rule is that of AWS target tracking (Amazon EC2 Auto Scaling user guide, "Target tracking scaling policies"):
    wanted = ceil(nodes x metric / target). Growing waits for ``scale_out_cooldown`` since the last growth, shrinking
    for ``scale_in_cooldown`` since the last change of either kind. ``metric: demand`` counts held and asked-for
    accelerators, so that a queue calls for nodes; ``metric: utilization`` counts held ones only and cannot see a queue.
    Cooldowns default to 300 s, as there; ``interval`` to 60 s, the period of its metrics.
    """

    def __init__(
        self,
        target: Ratio = 0.8,
        metric: Literal["demand", "utilization"] = "demand",
        interval: Seconds = 60.0,
        scale_out_cooldown: Seconds = 300.0,
        scale_in_cooldown: Seconds = 300.0,
    ) -> None:
        if not 0 < target <= 1:
            raise ValueError(f"target is {target:g}; it must be above 0 and at most 1")
        if metric not in ("demand", "utilization"):
            raise ValueError(f"metric is {metric!r}; it must be 'demand' or 'utilization'")
        if not interval > 0:
            raise ValueError(f"interval is {interval:g} s; it must be above 0")
        self.target, self.metric, self.interval = target, metric, interval
        self._cooldowns = Cooldowns(scale_out_cooldown, scale_in_cooldown)

    def reset(self) -> None:
        """Forget earlier changes: a new run begins."""
        self._cooldowns.reset()

    def step(self, now: float, observation: SupplyObservation) -> int:
        """Return the number of nodes wanted."""
        have = observation.up + observation.booting
        demand = observation.allocated + (observation.queued if self.metric == "demand" else 0.0)
        wanted = math.ceil(demand / (observation.accelerators_per_node * self.target) - 1e-9)
        return self._cooldowns.settle(now, have, wanted)
