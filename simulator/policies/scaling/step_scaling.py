"""Step scaling for a node pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulator.core.units import Seconds
from simulator.policies.capacity import Capacity
from simulator.policies.decision import Decision
from simulator.policies.poolmetric import PoolMetric, check, demand, mean
from simulator.policies.steps import IN, OUT, Adjustment, Side, StepScaling
from simulator.policies.supply import SupplyObservation, autoscalers


@autoscalers.register("step-scaling")
class StepScalingOfNodes:
    """Grows and shrinks by steps that depend on how far demand over provisioned accelerators is beyond a threshold.

    Amazon EC2 Auto Scaling (user guide, 2025, "Step and simple scaling policies"). While the metric, a share, was at or
    above ``out_threshold`` in each of the last ``out_periods``, that of ``out_steps`` applies whose range holds the
    distance from it: ``{lower, upper, adjustment}``, from ``lower`` on and below ``upper``. At or below
    ``in_threshold`` it is one of ``in_steps``, above ``lower`` and up to ``upper``. ``adjustment_type`` says what the
    number means: ChangeInCapacity, ExactCapacity or PercentChangeInCapacity, where ``min_adjustment_magnitude`` is the
    fewest nodes that a percentage stands for. Nodes do not count until ``warmup`` after they came up, 300 s as there
    where nothing is set, so the same breach twice adds nothing; and nothing shrinks while nodes are coming or warming
    up. Periods default to 1, as in the AWS CDK 2, of ``interval``, 60 s. The default steps are the guide's example.

    Ours: ``metric``, as in ``target-tracking``, and that a pool without nodes gets one when something waits.
    """

    version = "Amazon EC2 Auto Scaling (2011-01-01, read 2025)"

    def __init__(
        self,
        metric: PoolMetric = "demand",
        out_threshold: float = 0.5,
        out_steps: Sequence[Mapping[str, Any]] = OUT,
        in_threshold: float = 0.5,
        in_steps: Sequence[Mapping[str, Any]] = IN,
        adjustment_type: Adjustment = "PercentChangeInCapacity",
        min_adjustment_magnitude: int = 0,
        interval: Seconds = 60.0,
        out_periods: int = 1,
        in_periods: int = 1,
        warmup: Seconds = 300.0,
    ) -> None:
        check(metric, interval)
        self.metric, self.interval = metric, interval
        out = Side(True, out_threshold, out_steps, adjustment_type, min_adjustment_magnitude, out_periods)
        into = Side(False, in_threshold, in_steps, adjustment_type, min_adjustment_magnitude, in_periods)
        self._steps = StepScaling(out, into, Capacity(warmup=warmup), True)

    def reset(self) -> None:
        """Forget earlier datapoints and changes: a new run begins."""
        self._steps.reset()

    def step(self, now: float, observation: SupplyObservation) -> Decision:
        """Return the number of nodes wanted."""
        decided = self._steps.step(now, observation.up, observation.booting, mean(observation, self.metric))
        asked = demand(observation, self.metric)
        if observation.up + observation.booting == 0 and asked > 0:
            return Decision(1, "from zero", {"demand": asked}, runner_up=0)
        return decided
