"""Makespan: all present jobs done as soon as possible."""

from __future__ import annotations

import numpy as np

from simulator.policies.heterogeneity.objectives import objectives
from simulator.policies.heterogeneity.problem import Problem, proportional
from simulator.policies.heterogeneity.program import Program, levelled


@objectives.register("makespan")
def makespan(task: Problem) -> np.ndarray:
    """The last of the present jobs ends as early as possible.

    Source: Gavel (OSDI 2020), section 4.2 and ``policies/min_total_duration.py``, which bisects over the makespan to
    5 %; here the inverse of the makespan is a variable of one linear program, which is exact.
    """
    unit = proportional(task)
    paces = task.pace / unit[:, None]
    asks = task.remaining / unit * (paces > 0).any(axis=1)
    if not asks.any():
        return np.zeros_like(task.pace)
    return levelled(Program(task), paces, asks / asks.max())[0]
