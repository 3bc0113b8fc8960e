"""Linear programs over allocations, solved by HiGHS through scipy.

Every program has the shares of time of all (job, type) pairs that can run as its first variables, under the two
conditions that hold for every allocation: no job has more than all of its time, and no type is used beyond its number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.policies.heterogeneity.problem import Problem

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Solution:
    """An allocation, the values of the other variables, and the shadow prices of the demands (0 or more)."""

    shares: Array
    extra: Array
    prices: Array


class Program:
    """The conditions of one problem, to be solved for several objectives.

    ``counts`` says how many equal jobs a row stands for.
    """

    def __init__(self, task: Problem, counts: Array | None = None) -> None:
        from scipy.sparse import csr_array

        self._csr = csr_array
        self.task = task
        self.counts = np.ones(task.jobs) if counts is None else counts
        self.row, self.column = np.nonzero(task.pace > 0)
        jobs, types = task.pace.shape
        used = (task.gang * self.counts)[self.row]
        entry = np.arange(len(self.row))
        self._limits = np.concatenate([np.ones(jobs), task.capacity])
        self._shape = (jobs + types, len(entry))
        self._base = (
            np.concatenate([np.ones(len(entry)), used]),
            np.concatenate([self.row, jobs + self.column]),
            np.concatenate([entry, entry]),
        )

    def maximise(
        self, gain: Array, extra: Array, demands: tuple[Array, Array, Array] | None = None, upper: float = np.inf
    ) -> Solution | None:
        """Maximise ``sum(gain * shares) + sum(extra * others)``; None when the demands cannot be met.

        ``gain`` has shape (jobs, types), ``extra`` one number for each other variable, which lie from 0 to ``upper``.
        ``demands`` are (paces, floors, others): for each job, ``sum(paces * shares) >= floors + others @ variables``,
        of shapes (jobs, types), (jobs,), (jobs, len(extra)); a job whose paces are all 0 and floor not above 0 demands
        nothing.
        """
        from scipy.optimize import linprog

        if not self._shape[1] + len(extra):
            return Solution(np.zeros_like(gain), extra, np.zeros(len(gain)))
        value, row, column = self._base
        limits, (rows, entries) = self._limits, self._shape
        asking = np.zeros(0, dtype=np.int64)
        if demands is not None:
            paces, floors, others = demands
            asking = np.flatnonzero((floors > 0) | (others != 0).any(axis=1))
            place = np.full(len(floors), -1)
            place[asking] = rows + np.arange(len(asking))
            keep = np.flatnonzero(place[self.row] >= 0)
            more_row, more_column = np.nonzero(others[asking])
            value = np.concatenate([value, -paces[self.row, self.column][keep], others[asking][more_row, more_column]])
            row = np.concatenate([row, place[self.row][keep], rows + more_row])
            column = np.concatenate([column, keep, entries + more_column])
            limits = np.concatenate([limits, -floors[asking]])
        width = entries + len(extra)
        matrix = self._csr((value, (row, column)), shape=(len(limits), width))
        cost = -np.concatenate([gain[self.row, self.column], extra])
        bounds = np.zeros((width, 2))
        bounds[:entries, 1], bounds[entries:, 1] = 1.0, upper
        solve: Any = linprog  # its types know no sparse matrices
        found = solve(cost, A_ub=matrix, b_ub=limits, bounds=bounds, method="highs")
        if found.status == 2:
            return None
        if found.status != 0:
            raise RuntimeError(f"HiGHS gave up on a program of {width} variables: {found.message}")
        shares = np.zeros_like(self.task.pace)
        shares[self.row, self.column] = found.x[:entries]
        prices = np.zeros(self.task.jobs)
        prices[asking] = -found.ineqlin.marginals[rows:]
        return Solution(self.feasible(shares), found.x[entries:], prices)

    def feasible(self, shares: Array) -> Array:
        """Take away what rounding of the solver put above the limits."""
        shares = np.clip(shares, 0.0, 1.0)
        shares /= np.maximum(shares.sum(axis=1), 1.0)[:, None]
        load = (self.task.gang * self.counts) @ shares
        with np.errstate(invalid="ignore", divide="ignore"):
            over = np.where(load > self.task.capacity, self.task.capacity / load, 1.0)
        fitting: Array = shares * np.where(np.isfinite(over), over, 0.0)
        return fitting

    def spare(self, shares: Array) -> bool:
        """Whether accelerators are left over while a job could use more of its time."""
        load = (self.task.gang * self.counts) @ shares
        return bool((load < self.task.capacity * (1 - 1e-6)).any() and (shares.sum(axis=1) < 1 - 1e-6).any())


def classes(*columns: Array) -> tuple[Array, Array, Array]:
    """Group equal rows of arrays: (index of one member of each class, class of each row, members of each class).

    Jobs that are alike in all that an objective looks at get equal shares in some optimal allocation, as the set of
    allocations is convex; so a program over classes is exact, and much smaller. Numbers that differ by less than 1e-10
    are equal.
    """
    table = np.round(np.column_stack(columns), 10) + 0.0
    if not len(table):
        none = np.zeros(0, dtype=np.int64)
        return none, none, np.zeros(0)
    raw = np.ascontiguousarray(table).view([("", table.dtype)] * table.shape[1]).ravel()
    _, first, member, count = np.unique(raw, return_index=True, return_inverse=True, return_counts=True)
    return first, member.ravel(), count.astype(float)


def levelled(program: Program, paces: Array, asks: Array) -> tuple[Array, float]:
    """Shares that give every job the same multiple of what it ``asks``, the largest there is, and that multiple.

    ``paces`` has shape (jobs, types), ``asks`` (jobs,). What is left over then goes where the sum of paces over asks
    gains most.
    """
    nothing = np.zeros_like(paces)
    found = program.maximise(nothing, np.ones(1), (paces, np.zeros(len(asks)), asks[:, None]))
    if found is None:
        return nothing, 0.0
    level = float(found.extra[0])
    shares = found.shares
    if program.spare(shares):
        gain = np.where(asks[:, None] > 0, paces * program.counts[:, None], 0.0)
        floors = asks * level * (1 - 1e-7)
        better = program.maximise(gain, np.zeros(0), (paces, floors, np.zeros((len(asks), 0))))
        shares = shares if better is None else better.shares
    return shares, level
