"""Sizes for all jobs at once, where the worth of the whole is a sum over jobs: exact by dynamic programming."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Option = tuple[int, float]
"""A size (accelerators) and what it costs."""


def cheapest(options: Sequence[Sequence[Option]], capacity: int) -> list[int]:
    """Choose one option of each job so that sizes fit into ``capacity`` at the least total cost; return their indices.

    Every job needs an option of size 0, or one that always fits. Of equal choices the first option counts, and the
    first jobs go first. Bellman's recursion over the capacity: O(options x capacity).

    >>> cheapest([[(0, 9.0), (1, 4.0), (2, 1.0)], [(0, 9.0), (1, 3.0), (2, 2.5)]], 3)
    [2, 1]
    """
    best = np.zeros(capacity + 1)
    chosen: list[np.ndarray] = []
    for row in options:
        table = np.full((len(row), capacity + 1), math.inf)
        for index, (size, cost) in enumerate(row):
            if size <= capacity:
                table[index, size:] = best[: capacity + 1 - size] + cost
        pick = np.argmin(table, axis=0)
        best = table[pick, np.arange(capacity + 1)]
        chosen.append(pick.astype(np.int16))
    if options and not math.isfinite(best[-1]):
        raise ValueError(f"the smallest options of {len(options)} jobs do not fit into {capacity} accelerators")
    left, picks = capacity, []
    for row, pick in zip(reversed(options), reversed(chosen), strict=True):
        index = int(pick[left])
        left -= row[index][0]
        picks.append(index)
    return picks[::-1]


def power(value: float, p: float) -> float:
    """Cost of a job in a power mean of exponent ``p``: the mean is greatest where these sum up to the least.

    The power mean of x is (mean of x^p)^(1/p), for p = 0 the geometric mean; it grows as the sum of x^p falls where p
    is negative, and rises where it is positive.
    """
    if p == 0:
        return -math.log(value)
    return float(value**p) if p < 0 else -float(value**p)
