"""Fair share with decay."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from heapq import merge
from typing import Any

from simulator.core.units import Seconds
from simulator.policies.api import ClusterView
from simulator.policies.fairness import PERIOD, WEEK, Factors
from simulator.policies.order import Key, Limit, Order, turn
from simulator.policies.orders import orders
from simulator.policies.usage import Group, group
from simulator.workload.jobs import Job


@orders.register("fair-share")
class FairShare(Order):
    """The users first that used least of their share lately; the jobs of one in the order of submission.

    Use is accelerator-seconds with a half-life (Slurm's PriorityDecayHalfLife, 7 days), reckoned anew every ``period``
    (PriorityCalcPeriod, 5 minutes). ``algorithm`` is ``fair-tree``, Slurm's default since 19.05, or ``classic``:
    F = 2^(-U / (S ``dampening``)). ``shares`` are those of the tenants (1 where nothing is said); users of a tenant
    share alike. Slurm 24.05, with the fair-share factor alone; for all factors see ``multifactor``.
    """

    name = "fair-share"

    def __init__(
        self,
        shares: Mapping[str, float] | None = None,
        algorithm: str = "fair-tree",
        half_life: Seconds = WEEK,
        period: Seconds = PERIOD,
        dampening: float = 1.0,
    ) -> None:
        self._factors = Factors(shares or {}, algorithm, half_life, period, dampening)
        self.interval = period
        self._ranked: list[list[Group]] = []

    def reset(self, rng: Any) -> None:
        """Forget the run before."""
        self._factors.clear()

    def on_submit(self, job: Job) -> None:
        """Note whose job comes."""
        self._factors.join(job)

    def on_finish(self, job: Job) -> None:
        """Charge what the job ran."""
        self._factors.leave(job)

    def factors(self, view: ClusterView) -> Mapping[Group, float]:
        """Fair-share factor of each (tenant, user), as of the last reckoning."""
        if self._factors.renew(view):
            self._ranked = _by_factor(self._factors.of)
        return self._factors.of

    def waiting(self, view: ClusterView) -> Iterator[Job]:
        """Loop over the jobs that wait, those of the user with the largest factor in front."""
        self.factors(view)
        parts = view.queue.split(group)
        for equals in self._ranked:
            yield from _merged([parts[each].by(turn) for each in equals if each in parts])

    def fitting(
        self, view: ClusterView, limit: Limit, after: Job | None = None, length: Key | None = None
    ) -> Iterator[Job]:
        """As ``Order.fitting``, without looking at the jobs that do not fit."""
        factors = self.factors(view)
        parts = view.queue.split(group)
        begin = math.inf if after is None else factors[group(after)]
        for equals in self._ranked:
            factor = factors[equals[0]]
            if factor <= begin:
                start = after if factor == begin else None
                yield from _merged(
                    [parts[each].fitting(turn, limit, start, length) for each in equals if each in parts]
                )

    def rank(self, view: ClusterView) -> Key:
        """Factor of the job's user, the largest first; equals in the order of submission."""
        factors = self.factors(view)
        return lambda job: (-factors[group(job)], *turn(job), job.sequence)


def _merged(loops: list[Iterator[Job]]) -> Iterator[Job]:
    return loops[0] if len(loops) == 1 else merge(*loops, key=_full_turn)


def _full_turn(job: Job) -> Any:
    return (*turn(job), job.sequence)


def _by_factor(factors: Mapping[Group, float]) -> list[list[Group]]:
    """Users of equal factor together, the largest factor first."""
    found: dict[float, list[Group]] = {}
    for each, factor in factors.items():
        found.setdefault(factor, []).append(each)
    return [found[factor] for factor in sorted(found, reverse=True)]
