"""Throughput for money."""

from __future__ import annotations

import numpy as np

from simulator.policies.heterogeneity.objectives import objectives
from simulator.policies.heterogeneity.problem import Problem, proportional
from simulator.policies.heterogeneity.program import Program


@objectives.register("cost")
def cost(task: Problem) -> np.ndarray:
    """The sum of paces over prices is as large as possible: jobs go where they get most for their money.

    Source: Gavel (OSDI 2020), section 4.2 and ``policies/max_sum_throughput.py`` (normalised by cost).
    """
    found = Program(task).maximise(value_for_money(task), np.zeros(0))
    return np.zeros_like(task.pace) if found is None else found.shares


def value_for_money(task: Problem) -> np.ndarray:
    """Pace of each job on each type, in multiples of ``proportional``, for each unit of money that it costs."""
    gain: np.ndarray = task.pace / proportional(task)[:, None] / (task.gang[:, None] * task.price)
    return gain


@objectives.register("cost-slo")
def cost_slo(task: Problem) -> np.ndarray:
    """As ``cost``, and jobs with a deadline get the pace that they need to make it.

    Source: Gavel (OSDI 2020), section 4.2, which drops all deadlines when not all can be met. Here a job that could not
    make it even alone on its fastest type asks for nothing, and of the others as much as possible is met.
    """
    unit = proportional(task)
    paces = task.pace / unit[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        floors = np.where(np.isfinite(task.deadline) & (task.deadline > 0), task.remaining / task.deadline / unit, 0.0)
    floors = np.where(floors <= paces.max(axis=1, initial=0.0), floors, 0.0)
    asking = np.flatnonzero(floors)
    gain = value_for_money(task)
    missing = np.zeros((task.jobs, len(asking)))
    missing[asking, np.arange(len(asking))] = -1.0
    penalty = np.full(len(asking), -1e3 * gain.max(initial=1.0))
    found = Program(task).maximise(gain, penalty, (paces, floors, missing))
    return np.zeros_like(task.pace) if found is None else found.shares
