"""What a controller of one pool of nodes may go by."""

from __future__ import annotations

import math
from typing import Literal, get_args

from simulator.policies.supply import SupplyObservation

PoolMetric = Literal["demand", "utilization"]
"""Accelerators that are held and asked for, or held only, as a share of those of the nodes that are up."""


def demand(observation: SupplyObservation, metric: PoolMetric) -> float:
    """Accelerators that the metric counts."""
    return observation.allocated + (observation.queued if metric == "demand" else 0.0)


def mean(observation: SupplyObservation, metric: PoolMetric) -> float | None:
    """The metric, a share that may be above 1; None without nodes."""
    there = observation.up * observation.accelerators_per_node
    return demand(observation, metric) / there if there > 0 else None


def check(metric: PoolMetric, interval: float) -> None:
    """Raise ``ValueError`` for what no controller can go by."""
    if metric not in get_args(PoolMetric):
        raise ValueError(f"metric is {metric!r}; it must be {' or '.join(repr(each) for each in get_args(PoolMetric))}")
    if not 0 < interval < math.inf:
        raise ValueError(f"interval is {interval:g} s; it must be above 0")
