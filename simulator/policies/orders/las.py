"""Least attained service, in one dimension."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from simulator.core.units import Seconds
from simulator.policies.api import ClusterView
from simulator.policies.levels import Levels
from simulator.policies.order import Key, Keyed
from simulator.policies.orders import orders
from simulator.workload.jobs import Job, State

_QUEUED = State.QUEUED


_SHORTEST = 1e-3
"""Seconds: with shorter turns a run does nothing but take turns."""


@orders.register("las")
class Las(Keyed):
    """Those that have run for the fewest whole quanta first; needs no estimates.

    Service is seconds of running, restarts included, counted in whole quanta so that equal jobs take turns and do not
    thrash; a running job keeps its place against a waiting one of its level. As the discretised LAS that Gu et al.,
    "Tiresias" (NSDI 2019), start from; accelerators do not weigh in.
    """

    def __init__(self, quantum: Seconds = 300.0) -> None:
        if not _SHORTEST <= quantum < math.inf:
            raise ValueError(f"quantum is {quantum:g} s; it must be a finite number of at least {_SHORTEST:g} s")
        super().__init__(self._level_in_queue, "las")
        self.quantum = self.interval = quantum
        self._slack = 1e-9 * quantum
        """What rounding on the clock may take from a full quantum."""
        self._levels = Levels(self._level)

    def _level_in_queue(self, job: Job) -> Any:
        """Level of a job that waits: it does not change until the job runs again."""
        return ((job.ran + self._slack) // self.quantum, job.sequence)

    def rank(self, view: ClusterView) -> Key:
        """Level at this moment; at equal levels who runs goes first, then the order of submission."""
        now, quantum, waiting, in_queue = view.now + self._slack, self.quantum, _QUEUED, self._level_in_queue

        def level(job: Job) -> Any:
            if job.state is waiting:
                return (in_queue(job)[0], True, job.sequence)
            return ((job.ran + (now - job.since)) // quantum, False, job.sequence)

        return level

    def worst(self, view: ClusterView) -> Iterator[Job]:
        """Loop over the jobs that run, the highest level in front."""
        return self._levels.worst(view)

    def reset(self, rng: Any) -> None:
        """Forget the run before."""
        self._levels.clear()

    def _level(self, job: Job, now: float) -> tuple[float, float]:
        """Level of a running job, and when it leaves it."""
        level = (job.ran + (now + self._slack - job.since)) // self.quantum
        return level, job.since + (level + 1.0) * self.quantum - self._slack - job.ran
