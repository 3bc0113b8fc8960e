"""Least mean completion time on accelerators of several types."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

import numpy as np

from simulator.policies.api import Action, ClusterView, Start, schedulers
from simulator.policies.heterogeneity.fleet import Fleet
from simulator.policies.heterogeneity.matching import next_up
from simulator.workload.jobs import Job


@schedulers.register("allox")
class Allox:
    """Jobs are matched to accelerators and to places in their queues, for the least mean completion time (AlloX).

    Source: Le et al., "AlloX: Compute Allocation in Hybrid Clusters" (EuroSys 2020): a job that runs k-th from last on
    an accelerator adds k times its length there to the sum of completion times, so a minimum-cost matching of jobs to
    (accelerator, k) minimises it. Whoever comes first in a queue starts, running jobs are not moved. ``alpha`` is the
    share of the waiting jobs, oldest first, that are considered (1: all; less is fairer); as many as there are free
    accelerators always are. A gang counts as its accelerators times its length.
    """

    name = "allox"

    def __init__(self, alpha: float = 1.0, depth: int = 300) -> None:
        if not 0 < alpha <= 1:
            raise ValueError(f"alpha is {alpha:g}; it must be above 0 and at most 1")
        if depth < 1:
            raise ValueError(f"depth is {depth}; it must be 1 or more")
        self.alpha, self.depth = alpha, depth
        self.reset(None)

    def reset(self, rng: np.random.Generator | None) -> None:
        """Forget the last run."""
        self._fleet: Fleet | None = None

    def on_finish(self, job: Job) -> None:
        """Forget a job that is gone."""
        if self._fleet is not None:
            self._fleet.forget((job,))

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        """Match the waiting jobs to free accelerators and start the first of each."""
        if self._fleet is None:
            self._fleet = Fleet(view)
        fleet = self._fleet
        if not view.gangs_only:
            yield from (Start(job) for job in view.queue if job.accelerators < 1 and view.place(job) is not None)
        while view.free > 0:
            free = fleet.free()
            most = max(math.ceil(self.alpha * len(view.queue)), int(free.sum()))
            oldest = islice((job for job in view.queue if job.accelerators >= 1), min(most, self.depth))
            jobs = [job for job in oldest if job.accelerators <= free.max()]
            started = 0
            for job, kind in self._chosen(fleet, jobs, free):
                placement = fleet.place(job, kind)
                if placement is not None:
                    started += 1
                    yield Start(job, placement)
            if not started:
                return

    def _chosen(self, fleet: Fleet, jobs: list[Job], free: np.ndarray) -> Iterator[tuple[Job, int]]:
        """Jobs that start now and their types, the longest-waiting first."""
        if not jobs:
            return
        pace = fleet.paces(jobs)
        left = np.array([fleet.remaining(job) for job in jobs])
        gang = np.array([job.accelerators for job in jobs])
        with np.errstate(divide="ignore"):
            seconds = np.where(pace > 0, left[:, None] / pace, math.inf)
        for row, kind in next_up(seconds, gang, free):
            yield jobs[row], kind
