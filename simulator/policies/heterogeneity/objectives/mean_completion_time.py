"""Least mean completion time: AlloX's matching, anew at each change."""

from __future__ import annotations

import numpy as np

from simulator.policies.heterogeneity.matching import next_up
from simulator.policies.heterogeneity.objectives import objectives
from simulator.policies.heterogeneity.problem import Problem


@objectives.register("mean-completion-time")
def mean_completion_time(task: Problem) -> np.ndarray:
    """Whoever comes first in the queues of a matching with the least mean completion time has all of its time.

    Source: Le et al., AlloX (EuroSys 2020), with preemption: all jobs are matched anew to all accelerators, where the
    scheduler ``allox`` leaves those that run where they are.
    """
    with np.errstate(divide="ignore"):
        seconds = np.where(task.pace > 0, task.remaining[:, None] / task.pace, np.inf)
    shares = np.zeros_like(task.pace)
    for job, kind in next_up(seconds, task.gang, task.capacity):
        shares[job, kind] = 1.0
    return shares
