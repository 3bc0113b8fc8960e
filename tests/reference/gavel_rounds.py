"""A twin of rounds with leases that steps from round to round over arrays, without clock, cluster or engine.

As Gavel (OSDI 2020) simulates it: all starts and stops at the boundaries of rounds, accelerators of a job that ends
idle until the round is over, no cost of moving. ``jobs`` are (submit s, row of paces in shares of the job a second).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from simulator.policies.heterogeneity.problem import problem
from simulator.policies.heterogeneity.rounds import choose


def run(
    jobs: Sequence[tuple[float, np.ndarray]],
    capacity: Sequence[int],
    allocate: Callable[..., np.ndarray],
    order: Callable[[], Sequence[int]],
    seconds: float = 360.0,
    between: float = 0.0,
    latecomers: bool = True,
    prompt: bool = True,
    stop: int | None = None,
    conserving: bool = True,
) -> np.ndarray:
    """Completion times (s after submission) by job.

    ``allocate(task)`` is an objective; it is asked when jobs have come or gone, and what jobs received is counted anew
    at most every ``between`` seconds. Not ``prompt``: it is asked only then too, and ``latecomers`` says whether jobs
    may run before they have been in an allocation.
    """
    kinds = len(capacity)
    room = np.array(capacity, dtype=float)
    took = np.full(len(jobs), np.nan)
    index: list[int] = []
    pace, left, received, deficit, shares = (np.zeros((0, kinds)) for _ in range(5))
    left = np.zeros(0)
    now, last, stale, fresh, coming = 0.0, -np.inf, False, False, 0
    while coming < len(jobs) or index:
        if not index:
            now = max(now, jobs[coming][0])
        while coming < len(jobs) and jobs[coming][0] <= now:
            index.append(coming)
            pace = np.vstack([pace, jobs[coming][1]])
            left = np.append(left, 1.0)
            received = np.vstack([received, np.full(kinds, seconds / 2)])
            deficit, shares = (np.vstack([a, np.zeros(kinds)]) for a in (deficit, shares))
            coming += 1
            stale = True
        if (stale or prompt) and now - last >= between:
            deficit += shares * (now - max(last, 0.0)) - (received - seconds / 2)
            received[:] = seconds / 2
            last = now
            fresh = True
        if stale and (fresh or prompt):
            waited = np.array([now - jobs[job][0] for job in index])
            shares = allocate(problem(pace, room, remaining=left, elapsed=waited))
            stale = fresh = False
        known = shares.sum(axis=1) > 0
        can = pace if latecomers else np.where(known[:, None], pace, 0.0)
        kind = choose(shares, received, deficit, can, np.ones(len(index)), room, order(), conserving)
        runs = np.flatnonzero(kind >= 0)
        speed = pace[runs, kind[runs]]
        needs = left[runs] / speed
        length = min(seconds, float(needs.max(initial=0.0)) or seconds)
        received[runs, kind[runs]] += np.minimum(needs, length)
        left[runs] -= speed * length
        done = runs[needs <= length]
        if len(done):
            for row in done.tolist():
                took[index[row]] = now + left[row] / pace[row, kind[row]] + length - jobs[index[row]][0]
            keep = np.ones(len(index), dtype=bool)
            keep[done] = False
            index = [job for job, stays in zip(index, keep.tolist(), strict=True) if stays]
            pace, left, received, deficit, shares = (a[keep] for a in (pace, left, received, deficit, shares))
            stale = True
        now += length
        if stop is not None and not np.isnan(took[:stop]).any():
            break
    return took
