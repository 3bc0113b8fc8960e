"""Weighted fairness between entities, and fairness or FIFO among the jobs of each."""

from __future__ import annotations

import numpy as np

from simulator.policies.heterogeneity.objectives import objectives
from simulator.policies.heterogeneity.problem import Problem, proportional
from simulator.policies.heterogeneity.program import Program, classes

_LEAST = 1e-7
"""Shadow prices below this part of the largest are rounding of the solver."""


@objectives.register("hierarchical")
def hierarchical(task: Problem) -> np.ndarray:
    """Water is poured over all jobs at rates that follow the weights, until nobody can get more.

    Source: Gavel (OSDI 2020), section 4.3. An entity's weight is split over its jobs that can still get more, by their
    weights, or goes to the oldest of them when the entity serves its jobs first in, first out. Each step raises all
    levels as far as possible; jobs that stand in the way (those with a shadow price, by complementary slackness) keep
    theirs, and the entity's weight moves on. Gavel finds them by a mixed-integer program. With one entity this is
    max-min fairness in full: the second worst off gets as much as possible too, and so on.
    """
    unit = task.gang / proportional(task)
    paces = task.pace * unit[:, None]
    order = np.where(task.entity_fifo[task.entity], np.arange(task.jobs), -1)
    first, member, count = classes(paces, task.gang, task.weight, task.entity, order)
    few, paces, order = task.subset(first), paces[first], order[first]
    program = Program(few, count)
    level = np.zeros(len(first))
    open_ = (paces > 0).any(axis=1)
    shares = np.zeros_like(paces)
    nothing = np.zeros_like(paces)
    while open_.any():
        rates = _rates(few, count, open_, order)
        found = program.maximise(nothing, np.ones(1), (paces, level * (1 - 1e-9), rates[:, None]))
        if found is None:
            break
        shares = found.shares
        level = level + rates * found.extra[0]
        prices = found.prices * (rates > 0)
        stopped = open_ & (prices > _LEAST * prices.max(initial=0.0))
        if not stopped.any():  # nothing limits them: each has all of its time on its fastest type
            stopped = open_ & (rates > 0)
        open_ &= ~stopped
    by_job: np.ndarray = shares[member]
    return by_job


def _rates(task: Problem, count: np.ndarray, open_: np.ndarray, order: np.ndarray) -> np.ndarray:
    """How fast the level of each class rises: its job's part of the weight of its entity."""
    rates = np.zeros(len(open_))
    for entity, (weight, oldest_first) in enumerate(zip(task.entity_weight, task.entity_fifo, strict=True)):
        mine = open_ & (task.entity == entity)
        if not mine.any():
            continue
        if oldest_first:
            oldest = min(np.flatnonzero(mine).tolist(), key=lambda row: order[row])
            rates[oldest] = weight
        else:
            rates[mine] = weight * task.weight[mine] / (task.weight * count)[mine].sum()
    return rates
