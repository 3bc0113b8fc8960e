"""Least attained service."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from simulator.core.units import Seconds
from simulator.policies.api import Action, ClusterView, schedulers
from simulator.policies.order import preferring
from simulator.workload.jobs import Job, State


@schedulers.register("las")
class Las:
    """Least attained service, preemptive: those that have run least go first; needs no estimates.

    Service is seconds of running, counted in whole quanta so that equal jobs take turns and do not thrash; a running
    job keeps its place against a waiting one of its level. One-dimensional, as the discretised LAS that Gu et al.,
    "Tiresias" (NSDI 2019), start from; accelerators do not weigh in.
    """

    name = "las"

    def __init__(self, quantum: Seconds = 300.0) -> None:
        if not 0 < quantum < math.inf:
            raise ValueError(f"quantum is {quantum:g} s; it must be a finite number above 0")
        self.quantum = self.interval = quantum
        self._slack = 1e-9 * quantum
        """What rounding on the clock may take from a full quantum."""

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        """Give the cluster to the jobs with the fewest quanta behind them."""
        now, quantum, waiting = view.now + self._slack, self.quantum, State.QUEUED

        def level(job: Job) -> Any:
            if job.state is waiting:
                return (self._level_in_queue(job)[0], True, job.sequence)
            return ((job.ran + (now - job.since)) // quantum, False, job.sequence)

        return preferring(view, sorted(view.running, key=level), view.queue.by(self._level_in_queue), level)

    def _level_in_queue(self, job: Job) -> Any:
        """Level of a job that waits: it does not change until the job runs again."""
        return ((job.ran + self._slack) // self.quantum, job.sequence)
