"""How long jobs would have taken on an equal share of the cluster, as far as they have come."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.policies.heterogeneity.problem import Problem, equal_share
from simulator.workload.jobs import Job


class Isolation:
    """Sums up, from one look to the next, the seconds that progress would have taken on equal shares.

    The number of jobs that share changes, so the equal share that counts is the one at the time of the progress.
    Source: Gavel (OSDI 2020), ``policies/finish_time_fairness.py``.
    """

    def __init__(self) -> None:
        self._known: dict[Job, tuple[float, float, float]] = {}

    def look(self, jobs: Sequence[Job], task: Problem) -> np.ndarray:
        """Seconds so far for each job; shape (jobs,)."""
        pace = (task.pace * equal_share(task)).sum(axis=1)
        found = np.zeros(len(jobs))
        for row, (job, left, now) in enumerate(zip(jobs, task.remaining.tolist(), pace.tolist(), strict=True)):
            seconds, before, then = self._known.get(job, (0.0, 1.0, now))
            found[row] = seconds + (max(0.0, before - left) / then if then > 0 else 0.0)
            self._known[job] = (float(found[row]), left, now)
        return found

    def forget(self, job: Job) -> None:
        """Drop what is kept of a job that is gone."""
        self._known.pop(job, None)


def fair_seconds(task: Problem) -> np.ndarray:
    """Seconds that each job takes in all on equal shares; infinite where it cannot run. Shape (jobs,)."""
    alone = (task.pace * equal_share(task)).sum(axis=1)
    with np.errstate(divide="ignore"):
        left: np.ndarray = np.where(alone > 0, task.remaining / alone, np.inf)
    whole: np.ndarray = task.isolated + left
    return whole
