"""Least laxity first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from simulator.core.units import Seconds
from simulator.policies.api import ClusterView
from simulator.policies.order import Key, Keyed, turn
from simulator.policies.orders import orders
from simulator.workload.jobs import Job, State


def latest_start(job: Job) -> Any:
    """Instant at which a waiting job must start to end by its deadline; of jobs that wait, laxities differ as these."""
    return (job.deadline - (job.estimate - job.done), *turn(job))


@orders.register("least-laxity")
class LeastLaxity(Keyed):
    """The job that could least wait any longer first, by estimate; those without a deadline last.

    Laxity is what is left until the deadline less what is left to run (Dertouzos and Mok 1989). Of a running job it
    stays, of a waiting one it falls: with preemption, jobs of equal laxity would take turns without end, so a running
    job keeps its place against a waiting one until that one has ``margin`` seconds less.
    """

    def __init__(self, margin: Seconds = 60.0) -> None:
        if not 0 <= margin < math.inf:
            raise ValueError(f"margin is {margin:g} s; it must be a finite number, 0 or more")
        super().__init__(latest_start, "least-laxity")
        self.margin = margin

    def rank(self, view: ClusterView) -> Key:
        """Laxity in seconds, ``margin`` less for a running job."""
        now, margin = view.now, self.margin

        def laxity(job: Job) -> float:
            left = job.deadline - now - view.remaining(job)
            return left - margin if job.state is State.RUNNING else left

        return laxity

    def worst(self, view: ClusterView) -> Iterator[Job]:
        """Loop over the running jobs, the one with most laxity in front."""
        found = sorted(view.running, key=self.rank(view))
        return reversed(found)
