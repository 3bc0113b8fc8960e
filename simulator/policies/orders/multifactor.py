"""Slurm's multifactor priority."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from simulator.core.units import Seconds
from simulator.policies.api import ClusterView
from simulator.policies.fairness import PERIOD, WEEK, Factors
from simulator.policies.order import Keyed, Limit, turn
from simulator.policies.orders import orders
from simulator.policies.usage import group
from simulator.workload.jobs import Job


@orders.register("multifactor")
class Multifactor(Keyed):
    """The largest weighted sum of age, fair share, size, partition and quality of service first.

    Slurm 24.05, priority/multifactor, every ``period`` anew for all that wait: ``age`` x the wait as a part of
    ``max_age``, at most 1; ``fair_share`` x the factor of order ``fair-share``; ``job_size`` x the part of the cluster
    asked for (``favor_small``: the part not asked for); ``partition`` x what ``partitions`` gives it (0 to 1, 1 where
    nothing is said); ``qos`` x the job's ``priority`` as a part of ``top_priority``, from 0 to 1. Equals go by
    submission. Slurm's own weights are all 0; these are those of the example in its documentation, but for
    ``job_size`` (1,000 there), which lets a stream of wide jobs starve narrow ones. What the
    associations, nice values and TRES weights of Slurm add is not modelled.
    """

    def __init__(
        self,
        age: float = 1000.0,
        fair_share: float = 10_000.0,
        job_size: float = 0.0,
        partition: float = 1000.0,
        qos: float = 0.0,
        max_age: Seconds = WEEK,
        favor_small: bool = False,
        partitions: Mapping[str, float] | None = None,
        top_priority: float = 1.0,
        shares: Mapping[str, float] | None = None,
        algorithm: str = "fair-tree",
        half_life: Seconds = WEEK,
        period: Seconds = PERIOD,
        dampening: float = 1.0,
    ) -> None:
        weights = {"age": age, "fair_share": fair_share, "job_size": job_size, "partition": partition, "qos": qos}
        for name, weight in weights.items():
            if not 0 <= weight < math.inf:
                raise ValueError(f"{name} is {weight:g}; a weight must be a finite number, 0 or more")
        for name, value in (("max_age", max_age), ("top_priority", top_priority)):
            if not 0 < value < math.inf:
                raise ValueError(f"{name} is {value:g}; it must be a finite number above 0")
        super().__init__(self._place, "multifactor")
        self._weights = (age, fair_share, job_size, partition, qos)
        self._max_age, self._top, self._favor_small = max_age, top_priority, favor_small
        self._partitions = dict(partitions or {})
        self._factors = Factors(shares or {}, algorithm, half_life, period, dampening)
        self.interval = period
        self.reset(None)

    def reset(self, rng: Any) -> None:
        """Forget the run before."""
        self._factors.clear()
        self._now, self._capacity = 0.0, 1.0

    def on_submit(self, job: Job) -> None:
        """Note whose job comes."""
        self._factors.join(job)

    def on_finish(self, job: Job) -> None:
        """Charge what the job ran."""
        self._factors.leave(job)

    def waiting(self, view: ClusterView) -> Iterator[Job]:
        """Loop over the jobs that wait, the highest priority in front."""
        self._renew(view)
        return super().waiting(view)

    def fitting(self, view: ClusterView, limit: Limit, after: Job | None = None, length: Any = None) -> Iterator[Job]:
        """As ``Order.fitting``, without looking at the jobs that do not fit."""
        self._renew(view)
        return super().fitting(view, limit, after, length)

    def rank(self, view: ClusterView) -> Any:
        """Priority, as of the last reckoning."""
        self._renew(view)
        return self._place

    def worst(self, view: ClusterView) -> Iterator[Job]:
        """Loop over the jobs that run, the lowest priority in front."""
        return reversed(sorted(view.running, key=self.rank(view)))  # noqa: C413  (ties too are reversed)

    def priority(self, job: Job) -> float:
        """Priority as of the last reckoning; of a job that came since, at its coming."""
        age, fair_share, job_size, partition, qos = self._weights
        part = min(1.0, job.accelerators / self._capacity)
        return (
            age * min(1.0, max(0.0, self._now - job.submit) / self._max_age)
            + fair_share * self._factors.of.get(group(job), 0.0)
            + job_size * (1.0 - part if self._favor_small else part)
            + partition * self._partitions.get(job.partition, 1.0)
            + qos * min(1.0, max(0.0, job.priority / self._top))
        )

    def _place(self, job: Job) -> Any:
        return (-self.priority(job), *turn(job))

    def _renew(self, view: ClusterView) -> None:
        if self._factors.renew(view):
            self._now, self._capacity = view.now, max(1.0, float(view.nodes.capacity))
            view.queue.again()
