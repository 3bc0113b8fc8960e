"""Finish-time fairness: nobody is slowed down much more than on a cluster of its own."""

from __future__ import annotations

import numpy as np

from simulator.policies.heterogeneity.isolation import fair_seconds
from simulator.policies.heterogeneity.objectives import objectives, traits
from simulator.policies.heterogeneity.problem import Problem, equal_share, proportional
from simulator.policies.heterogeneity.program import Program, levelled

_TOLERANCE = 1e-3
"""Relative, of rho: far below what rounds of minutes make of it."""


@objectives.register("finish-time-fairness")
@traits(looks_back=True)
def finish_time_fairness(task: Problem) -> np.ndarray:
    """The largest rho is as small as possible: the time of a job here over that on an equal share of the cluster.

    rho = (elapsed + remaining / pace) / (isolated + remaining / pace on an equal share), Mahajan et al., Themis (NSDI
    2020), in the form of Gavel (OSDI 2020), section 4.2. For a given rho the paces that are needed are known, and a
    linear program says by which factor they can be had; rho is where that factor is 1.
    """
    works = (task.pace > 0).any(axis=1)
    if not works.any():
        return np.zeros_like(task.pace)
    unit = proportional(task)
    paces = task.pace / unit[:, None]
    fair = np.where(works, fair_seconds(task), 1.0)
    program = Program(task)

    def needed(rho: float) -> np.ndarray:
        left = np.maximum(rho * fair - task.elapsed, 1e-9)
        return np.where(works, task.remaining / unit / left, 0.0)

    def rho_of(pace: np.ndarray) -> float:
        with np.errstate(divide="ignore", invalid="ignore"):
            each = (task.elapsed + task.remaining / pace) / fair
        return float(each[works].max())

    low, high = rho_of(task.pace.max(axis=1, initial=0.0)), rho_of((task.pace * equal_share(task)).sum(axis=1))
    shares, level = levelled(program, paces, needed(low))
    if level >= 1:
        return shares
    best = equal_share(task)
    low_value, high_value = np.log(level), 1.0
    for _ in range(40):
        if high - low <= _TOLERANCE * low:
            break
        step = low_value / (low_value - high_value)
        middle = low + (high - low) * min(max(step, 0.05), 0.95)
        shares, level = levelled(program, paces, needed(middle))
        if level >= 1:
            best, high, high_value = shares, middle, max(np.log(level), 1e-12)
            # what was found may do better than what was asked for
            reached = rho_of((task.pace * shares).sum(axis=1))
            high = max(low, min(high, reached))
        else:
            low, low_value = middle, np.log(level) if level > 0 else -50.0
    return best
