"""Target tracking for a node pool."""

from __future__ import annotations

import math

from simulator.core.units import Ratio, Seconds
from simulator.policies.capacity import Capacity
from simulator.policies.decision import Decision
from simulator.policies.poolmetric import PoolMetric, check, demand, mean
from simulator.policies.supply import SupplyObservation, autoscalers
from simulator.policies.tracking import Tracking


@autoscalers.register("target-tracking")
class TargetTracking:
    """Keeps demand over provisioned accelerators near a target: grows after 3 periods above it, shrinks after 15 below.

    Amazon EC2 Auto Scaling (user guide, 2025, "Target tracking scaling policies"): wanted = ceil(nodes x metric /
    target), when the metric was above the target in each of the last ``out_periods``, or below ``in_share`` of it in
    each of the last ``in_periods``; ``interval`` is the period, 60 s. The guide does not print these numbers: 3, 15 and
    70 % are those of the alarms that it makes (CPUUtilization > 50 for 3 datapoints, < 35 for 15). A node does not
    count until ``warmup`` after it came up, 300 s (the default cooldown, which is taken where no warm-up is set), and
    nothing shrinks while nodes are coming or warming up. EC2 groups that track a target have no cooldowns; here they
    are those of Application Auto Scaling, 0 s unless given.

    ``metric: demand`` counts held and asked-for accelerators, so that a queue calls for nodes; ``metric: utilization``
    counts held ones only and cannot see a queue. Ours: both, the target, and that a pool without nodes gets as many as
    its demand needs at once, where AWS has no datapoint and does nothing.
    """

    version = "Amazon EC2 Auto Scaling (2011-01-01, read 2025)"

    def __init__(
        self,
        target: Ratio = 0.8,
        metric: PoolMetric = "demand",
        interval: Seconds = 60.0,
        out_periods: int = 3,
        in_periods: int = 15,
        in_share: Ratio = 0.7,
        scale_out_cooldown: Seconds = 0.0,
        scale_in_cooldown: Seconds = 0.0,
        warmup: Seconds = 300.0,
        scale_in: bool = True,
    ) -> None:
        if not 0 < target <= 1:
            raise ValueError(f"target is {target:g}; it must be above 0 and at most 1")
        check(metric, interval)
        self.target, self.metric, self.interval = target, metric, interval
        capacity = Capacity(scale_out_cooldown, scale_in_cooldown, warmup)
        self._tracking = Tracking(target, capacity, out_periods, in_periods, in_share, scale_in)

    def reset(self) -> None:
        """Forget earlier datapoints and changes: a new run begins."""
        self._tracking.reset()

    def step(self, now: float, observation: SupplyObservation) -> Decision:
        """Return the number of nodes wanted."""
        decided = self._tracking.step(now, observation.up, observation.booting, mean(observation, self.metric))
        asked = demand(observation, self.metric)
        if observation.up + observation.booting == 0 and asked > 0:
            wanted = math.ceil(asked / (observation.accelerators_per_node * self.target) - 1e-9)
            return Decision(wanted, "from zero", {"demand": asked, "target": self.target}, runner_up=0)
        return decided
