"""Step scaling: how far beyond a threshold, so many replicas more or less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulator.core.units import Seconds
from simulator.policies.capacity import Capacity
from simulator.policies.decision import Decision
from simulator.policies.replicas import Metric, check, load
from simulator.policies.serving import ServiceObservation, replica_scalers
from simulator.policies.steps import IN, OUT, Adjustment, Side, StepScaling


@replica_scalers.register("step-scaling")
class StepScalingOfReplicas:
    """Grows and shrinks by steps that depend on how far a metric per replica is beyond a threshold.

    AWS Application Auto Scaling (user guide and API reference 2016-02-06, read 2025). While the metric was at or above
    ``out_threshold`` in each of the last ``out_periods``, that of ``out_steps`` applies whose range holds the distance
    from it: ``{lower, upper, adjustment}``, from ``lower`` on and below ``upper``. At or below ``in_threshold`` it is
    one of ``in_steps``, above ``lower`` and up to ``upper``. ``adjustment_type`` says what the number means:
    ChangeInCapacity, ExactCapacity or PercentChangeInCapacity, where ``min_adjustment_magnitude`` is the fewest
    replicas that a percentage stands for. ``cooldown`` is 300 s as there; within it only a larger growth adds anything.
    ``warmup`` is that of EC2 Auto Scaling, none here. Periods default to 1, as in the AWS CDK 2, of ``interval``, 60 s.

    The default steps are the example of the EC2 guide ("Step adjustments"): a utilization from 50 % on, by per cent.
    Ours: ``metric``, as a share; and that a service without replicas gets one when it is asked for something.
    """

    version = "AWS Application Auto Scaling (2016-02-06, read 2025)"

    def __init__(
        self,
        metric: Metric = "busy",
        out_threshold: float = 0.5,
        out_steps: Sequence[Mapping[str, Any]] = OUT,
        in_threshold: float = 0.5,
        in_steps: Sequence[Mapping[str, Any]] = IN,
        adjustment_type: Adjustment = "PercentChangeInCapacity",
        min_adjustment_magnitude: int = 0,
        interval: Seconds = 60.0,
        out_periods: int = 1,
        in_periods: int = 1,
        cooldown: Seconds = 300.0,
        warmup: Seconds = 0.0,
    ) -> None:
        check(metric, 1.0, interval)
        self.metric, self.interval = metric, interval
        out = Side(True, out_threshold, out_steps, adjustment_type, min_adjustment_magnitude, out_periods)
        into = Side(False, in_threshold, in_steps, adjustment_type, min_adjustment_magnitude, in_periods)
        self._steps = StepScaling(out, into, Capacity(cooldown, cooldown, warmup), warmup > 0)

    def reset(self) -> None:
        """Forget earlier datapoints and changes: a new run begins."""
        self._steps.reset()

    def step(self, now: float, observation: ServiceObservation) -> Decision:
        """Return the number of replicas wanted."""
        ready = observation.ready
        known = ready > 0 and self.metric not in observation.missing
        mean = load(observation, self.metric) / ready if known else None
        decided = self._steps.step(now, ready, observation.coming, mean)
        if observation.replicas == 0 and observation.outstanding > 0:
            return Decision(1, "from zero", {"outstanding": observation.outstanding}, runner_up=0)
        return decided
