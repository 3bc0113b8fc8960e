"""Target tracking with cooldowns."""

from __future__ import annotations

from simulator.core.units import Seconds
from simulator.policies.cooldowns import Cooldowns
from simulator.policies.replicas import Metric, check, enough
from simulator.policies.serving import ServiceObservation, replica_scalers


@replica_scalers.register("target-tracking")
class TargetTracking:
    """Keeps a metric per replica near a target, growing and shrinking after cooldowns.

    The rule of AWS target tracking (Application Auto Scaling user guide, 2025, as for SageMaker endpoints): wanted =
    ceil(sum of the metric / target). Growing waits for ``scale_out_cooldown`` since the last growth, shrinking for
    ``scale_in_cooldown`` since the last change of either kind; both are 300 s for SageMaker, ``interval`` is the 60 s
    of its metrics. A growth asks for what is missing beyond what is coming already. AWS acts on alarms over some
    minutes (3 periods to grow, 15 to shrink); this acts on one reading. ``metric`` and ``target`` are yours to choose;
    the default, 32 requests that have not ended, is ours.
    """

    imitates = "AWS Application Auto Scaling (2025)"

    def __init__(
        self,
        target: float = 32.0,
        metric: Metric = "outstanding",
        interval: Seconds = 60.0,
        scale_out_cooldown: Seconds = 300.0,
        scale_in_cooldown: Seconds = 300.0,
    ) -> None:
        check(metric, target, interval)
        self.target, self.metric, self.interval = target, metric, interval
        self._cooldowns = Cooldowns(scale_out_cooldown, scale_in_cooldown)

    def reset(self) -> None:
        """Forget earlier changes: a new run begins."""
        self._cooldowns.reset()

    def step(self, now: float, observation: ServiceObservation) -> int:
        """Return the number of replicas wanted."""
        have = observation.ready + observation.coming
        wanted = enough(observation, self.metric, self.target)
        return self._cooldowns.settle(now, have, wanted)
