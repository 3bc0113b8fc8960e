"""The choice of one option a job over several pools of accelerators, as an integer program."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Entry = tuple[int, int, float]
"""A pool, the accelerators taken from it, and what that costs."""

_GAP = 1e-4
"""Relative distance from the best at which the search may stop (Sia's artifact: ``sia_solver_thresh``)."""


def solve(options: Sequence[Sequence[Entry]], capacity: Sequence[int]) -> list[int]:
    """Choose exactly one option of each job so that no pool is overdrawn, at the least total cost; return indices.

    Mixed-integer programming by HiGHS through scipy. Raises ``ValueError`` when nothing fits.

    >>> solve([[(0, 0, 5.0), (0, 1, 2.0), (1, 1, 1.0)], [(0, 0, 5.0), (1, 1, 1.0)]], [1, 1])
    [1, 1]
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    if not options:
        return []
    flat = [(job, *entry) for job, row in enumerate(options) for entry in row]
    job, pool, size, cost = (np.array(column) for column in zip(*flat, strict=True))
    count, jobs = len(flat), len(options)
    column = np.arange(count)
    once = csr_array((np.ones(count), (job, column)), shape=(jobs, count))
    used = csr_array((size.astype(float), (pool, column)), shape=(len(capacity), count))
    found = milp(
        cost,
        integrality=np.ones(count, dtype=np.int64),
        bounds=Bounds(0, 1),
        constraints=[LinearConstraint(once, 1, 1), LinearConstraint(used, 0, np.array(capacity, dtype=float))],
        options={"mip_rel_gap": _GAP},
    )
    if found.x is None:
        raise ValueError(f"no choice of {jobs} jobs fits into {list(capacity)} accelerators: {found.message}")
    picks = [-1] * jobs
    starts = np.concatenate([[0], np.cumsum([len(row) for row in options])])
    for index in np.flatnonzero(found.x > 0.5).tolist():
        picks[int(job[index])] = index - int(starts[job[index]])
    return picks
