"""Target tracking with alarms and cooldowns."""

from __future__ import annotations

from simulator.core.units import Ratio, Seconds
from simulator.policies.capacity import Capacity
from simulator.policies.decision import Decision
from simulator.policies.replicas import Metric, check, enough, load
from simulator.policies.serving import ServiceObservation, replica_scalers
from simulator.policies.tracking import Tracking


@replica_scalers.register("target-tracking")
class TargetTracking:
    """Keeps a metric per replica near a target: grows after 3 periods above it, shrinks after 15 well below.

    AWS Application Auto Scaling (user guide and API reference 2016-02-06, read 2025), as for ECS services and SageMaker
    endpoints. Wanted = ceil(replicas x metric / target), when the metric was above the target in each of the last
    ``out_periods``, or below ``in_share`` of it in each of the last ``in_periods``; ``interval`` is the period, 60 s.
    The guide does not print these numbers: 3, 15 and 90 % are those of the alarms that it makes for ECS services
    (CPUUtilization > 30 for 3 datapoints, < 27 for 15). DynamoDB has 2, 15 and 80 % (re:Post, "dynamodb-auto-scaling").
    Both cooldowns are 300 s for ECS and SageMaker, 0 for DynamoDB; within ``scale_out_cooldown`` only a larger growth
    adds anything, and growing ends the wait of ``scale_in_cooldown``. ``warmup`` is that of EC2 Auto Scaling, 300 s
    there and none here: replicas that took their first request less than that ago do not count.

    Ours: ``metric`` and ``target`` (32 requests that have not ended); and a service without replicas gets as many as
    its load needs at once, where AWS has no datapoint and does nothing.
    """

    version = "AWS Application Auto Scaling (2016-02-06, read 2025)"

    def __init__(
        self,
        target: float = 32.0,
        metric: Metric = "outstanding",
        interval: Seconds = 60.0,
        out_periods: int = 3,
        in_periods: int = 15,
        in_share: Ratio = 0.9,
        scale_out_cooldown: Seconds = 300.0,
        scale_in_cooldown: Seconds = 300.0,
        warmup: Seconds = 0.0,
        scale_in: bool = True,
    ) -> None:
        check(metric, target, interval)
        self.target, self.metric, self.interval = target, metric, interval
        capacity = Capacity(scale_out_cooldown, scale_in_cooldown, warmup)
        self._tracking = Tracking(target, capacity, out_periods, in_periods, in_share, scale_in)

    def reset(self) -> None:
        """Forget earlier datapoints and changes: a new run begins."""
        self._tracking.reset()

    def step(self, now: float, observation: ServiceObservation) -> Decision:
        """Return the number of replicas wanted."""
        ready = observation.ready
        known = ready > 0 and self.metric not in observation.missing
        mean = load(observation, self.metric) / ready if known else None
        decided = self._tracking.step(now, ready, observation.coming, mean)
        if observation.replicas == 0 and observation.outstanding > 0:
            inputs = {"outstanding": observation.outstanding, "target": self.target}
            return Decision(enough(observation, self.metric, self.target), "from zero", inputs, runner_up=0)
        return decided
