"""The Gittins index of service."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from simulator.core.units import Ratio
from simulator.policies.api import ClusterView
from simulator.policies.levels import SLACK, Levels
from simulator.policies.order import Key, Keyed
from simulator.policies.orders import orders
from simulator.workload.jobs import Job, State

_SAMPLES = 1024
"""Services that an index is computed from; of more, as many quantiles."""


@orders.register("gittins")
class Gittins(Keyed):
    """Those first that, for the service they have had, are likeliest to end soon; needs a distribution, no estimates.

    Service is accelerators x seconds. Of a job that has had ``a`` the index is the largest ratio, over ``d``, of
    P(S - a <= d | S > a) to E[min(S - a, d) | S > a] (Gittins 1979; as 2D-Gittins in Gu et al., "Tiresias", NSDI
    2019, which fixes d; here a + d are the ages below, and the end). ``services`` is the distribution as a table of
    accelerator-seconds; without it, it is learned from the jobs that have finished, anew when there are ``growth``
    times as many, and until the first ``learn`` have, least attained service goes first. The index is that of the last
    of the ages ``quantum``, 2, 4, 8 ... x ``quantum`` (accelerator-seconds) that the job has passed, so a job changes
    place only then.
    """

    def __init__(
        self,
        services: Sequence[float] = (),
        quantum: float = 3250.0,
        learn: int = 30,
        growth: Ratio = 1.25,
    ) -> None:
        if not 0 < quantum < math.inf:
            raise ValueError(f"quantum is {quantum:g} accelerator-seconds; it must be a finite number above 0")
        if learn < 1:
            raise ValueError(f"learn is {learn}; it must be 1 or more")
        if not growth > 1:
            raise ValueError(f"growth is {growth:g}; it must be more than 1")
        if any(not 0 < each < math.inf for each in services):
            raise ValueError("services must be finite numbers above 0")
        super().__init__(self._waiting_place, "gittins")
        self.services, self.quantum, self.learn, self.growth = tuple(services), quantum, learn, growth
        self._ages = [0.0, *(quantum * 2.0**doubling for doubling in range(40))]
        self._levels = Levels(self._place)
        self.reset(None)

    def reset(self, rng: Any) -> None:
        """Forget the run before."""
        self._levels.clear()
        self.wake = math.inf
        self._seen: list[float] = []
        self._next = self.learn
        self._stale = False
        self._index = indices(self.services, self._ages) if self.services else [-age for age in self._ages]

    def on_finish(self, job: Job) -> None:
        """Learn how much service the job took."""
        if self.services or job.state is not State.COMPLETED:
            return
        self._seen.append(job.accelerators * job.ran)
        if len(self._seen) >= self._next:
            self._next = math.ceil(self.growth * len(self._seen))
            self._index = indices(self._seen, self._ages)
            self._stale = True

    def waiting(self, view: ClusterView) -> Iterator[Job]:
        """Loop over the jobs that wait, the highest index in front."""
        self._renew(view)
        return super().waiting(view)

    def rank(self, view: ClusterView) -> Key:
        """Index at this moment, the highest first; at equal ones who runs, then the order of submission."""
        self._renew(view)
        now, waiting = view.now, State.QUEUED

        def place(job: Job) -> Any:
            if job.state is waiting:
                return (self._waiting_place(job)[0], True, job.sequence)
            return (self._place(job, now)[0], False, job.sequence)

        return place

    def worst(self, view: ClusterView) -> Iterator[Job]:
        """Loop over the jobs that run, the lowest index in front."""
        return self._levels.worst(view)

    def after_pass(self, view: ClusterView, waiting: bool) -> None:
        """Wake when a running job reaches its next age."""
        self.wake = self._levels.next_change(view) if waiting else math.inf

    def _renew(self, view: ClusterView) -> None:
        """Sort everybody in anew when something was learned."""
        if self._stale:
            self._stale = False
            self._levels.clear()
            view.queue.again()
            view.running.again()

    def _age(self, service: float) -> int:
        return bisect_right(self._ages, service) - 1

    def _waiting_place(self, job: Job) -> Any:
        return (-self._index[self._age(job.accelerators * (job.ran + SLACK))], job.sequence)

    def _place(self, job: Job, now: float) -> tuple[float, float]:
        """Index of a running job, lowest last, and when it reaches its next age."""
        ran = job.ran + (now - job.since)
        age = self._age(job.accelerators * (ran + SLACK))
        if age + 1 == len(self._ages) or not job.accelerators:
            return -self._index[age], math.inf
        return -self._index[age], now + self._ages[age + 1] / job.accelerators - ran


def indices(services: Sequence[float], ages: Sequence[float]) -> list[float]:
    """Gittins index at each of ``ages`` (ascending), from samples of the service that jobs take; per unit of service.

    Looks ahead to the ages that follow and to the end of all jobs: to look ahead to each single sample would take the
    chance of the next one for a rule. An age that no sample exceeds has index 0: nothing is known of jobs that take so
    much, and they go last.
    """
    samples = np.sort(np.asarray(services, dtype=float))
    if len(samples) > _SAMPLES:
        samples = np.quantile(samples, (np.arange(_SAMPLES) + 0.5) / _SAMPLES)
    found = []
    for age in ages:
        left = samples[samples > age] - age
        if not len(left):
            found.append(0.0)
            continue
        ahead = np.array([*(later - age for later in ages if age < later < samples[-1]), left[-1]])
        ended = np.searchsorted(left, ahead, "right")
        cost = np.concatenate(([0.0], np.cumsum(left)))[ended] + ahead * (len(left) - ended)
        found.append(float(np.max(ended / cost)))
    return found
