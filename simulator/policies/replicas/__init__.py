"""Replica autoscalers: how many replicas a service has."""

from __future__ import annotations

import math
from typing import Literal, get_args

from simulator.policies.serving import ServiceObservation

Metric = Literal["outstanding", "queued", "arrivals", "busy", "kv"]
"""What a scaler goes by, per replica: requests that have not ended, requests that wait, requests per second, share of
the time it computes, share of its KV blocks that requests hold."""


def load(observation: ServiceObservation, metric: Metric) -> float:
    """Sum of a metric over the replicas of a service. Those that are coming add nothing."""
    value = float(getattr(observation, metric))
    return value * observation.ready if metric in ("busy", "kv") else value


def enough(observation: ServiceObservation, metric: Metric, target: float) -> int:
    """Fewest replicas over which the metric is at most ``target`` each, so ``ceil(load / target)``.

    At least one for a service that has none and is asked for something: ``busy`` and ``kv`` cannot tell.
    """
    wanted = math.ceil(load(observation, metric) / target - 1e-9)
    idle = observation.ready + observation.coming == 0
    return max(wanted, 1) if idle and observation.outstanding > 0 else wanted


def check(metric: Metric, target: float, interval: float) -> None:
    """Raise ``ValueError`` for what no scaler can go by."""
    if metric not in get_args(Metric):
        raise ValueError(f"metric is {metric!r}; it must be one of {', '.join(get_args(Metric))}")
    if not 0 < target < math.inf:
        raise ValueError(f"target is {target:g}; it must be above 0")
    if metric in ("busy", "kv") and target > 1:
        raise ValueError(f"target is {target:g}; {metric} is a share, at most 1")
    if not 0 < interval < math.inf:
        raise ValueError(f"interval is {interval:g} s; it must be above 0")
