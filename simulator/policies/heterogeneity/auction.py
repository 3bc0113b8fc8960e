"""The auction of Themis: accelerators for a lease, to gangs that bid with their finish-time fairness."""

from __future__ import annotations

import math

import numpy as np

from simulator.policies.heterogeneity.problem import Problem


def award(task: Problem, fair: np.ndarray, offered: np.ndarray, filter: float, lease: float) -> list[int]:
    """Type that each bidder gets until the end of its lease, or -1.

    ``fair`` (jobs,) is the seconds that a job takes on an equal share of the cluster, ``offered`` (types,) what is
    auctioned. A bid for a type is rho if the job runs there to its end; who gets nothing runs on its fastest type one
    ``lease`` (s) later. The 1 - ``filter`` with the largest rho come first, by the gain in log(1/rho) for each
    accelerator, greedily, which makes the product of 1/rho large; the rest follows by falling rho.

    Source: Mahajan et al., Themis (NSDI 2020), section 3.3, with fixed gangs.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(task.pace > 0, task.remaining[:, None] / task.pace, np.inf)
        rho = (task.elapsed[:, None] + left) / fair[:, None]
        waits = (task.elapsed + lease + left.min(axis=1)) / fair
        gain = np.where(np.isfinite(rho), np.log(waits[:, None] / rho), -np.inf) / task.gang[:, None]
    worst = np.argsort(-waits, kind="stable")
    part = max(1, math.ceil(round((1 - filter) * task.jobs, 9)))
    room = offered.copy()
    kinds = np.full(task.jobs, -1)

    def give(row: int, kind: int) -> None:
        if kinds[row] < 0 and math.isfinite(left[row, kind]) and task.gang[row] <= room[kind]:
            kinds[row] = kind
            room[kind] -= task.gang[row]

    bids = [(-gain[row, kind], order, kind, row) for order, row in enumerate(worst[:part]) for kind in range(len(room))]
    for _, _, kind, row in sorted(bids):
        give(int(row), int(kind))
    for row in worst[part:].tolist():
        for kind in np.argsort(left[row], kind="stable").tolist():
            give(row, kind)
    found: list[int] = kinds.tolist()
    return found
