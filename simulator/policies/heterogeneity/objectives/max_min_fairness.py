"""Max-min fairness: least attained service across types of accelerators."""

from __future__ import annotations

import numpy as np

from simulator.policies.heterogeneity.objectives import objectives
from simulator.policies.heterogeneity.problem import Problem, normalised
from simulator.policies.heterogeneity.program import Program, classes, levelled


@objectives.register("max-min-fairness")
def max_min_fairness(task: Problem) -> np.ndarray:
    """The job that is worst off gets as much as it can; what is left over goes where it does most.

    Maximises the least ``normalised`` pace (Gavel, OSDI 2020, section 4.1: the heterogeneity-aware LAS), then, among
    the allocations that reach it, the sum of them. Jobs that are alike form classes, which is exact.
    """
    paces = normalised(task)
    first, member, count = classes(paces, task.gang)
    if len(first) == 1:
        return np.tile(_alike(paces[0], task.gang[0] * count[0], task.capacity), (task.jobs, 1))
    asks = (paces[first] > 0).any(axis=1).astype(float)
    if not asks.any():
        return np.zeros_like(task.pace)
    shares, _ = levelled(Program(task.subset(first), count), paces[first], asks)
    found: np.ndarray = shares[member]
    return found


def _alike(paces: np.ndarray, wanted: float, capacity: np.ndarray) -> np.ndarray:
    """Shares of jobs that are all alike and want so many accelerators together: fastest types first, all the same."""
    shares = np.zeros_like(paces)
    left = 1.0
    for kind in np.argsort(-paces, kind="stable").tolist():
        if paces[kind] > 0:
            shares[kind] = min(left, capacity[kind] / wanted)
            left -= shares[kind]
    return shares
