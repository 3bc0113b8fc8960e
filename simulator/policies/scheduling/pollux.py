"""Pollux: goodput, shared fairly."""

from __future__ import annotations

import math
from collections.abc import Mapping

from simulator.core.units import Seconds
from simulator.policies.api import ClusterView, schedulers
from simulator.policies.elastic.pace import kind_of, pace
from simulator.policies.elastic.rounds import Rounds, Wish
from simulator.policies.elastic.separable import Option, cheapest, power
from simulator.policies.elastic.sizes import Servers, choices, span
from simulator.workload.jobs import Job, State
from simulator.workload.speedup import Given

_LEAST = 1e-3
"""Speedup of a job that gets nothing, so that a negative power of it is finite (artifact, ``pollux.py``)."""


@schedulers.register("pollux")
class Pollux(Rounds):
    """Goodput-driven sizes for elastic jobs (Pollux): maximises the power mean of their speedups over a fair share.

    After Qiao et al., "Pollux" (OSDI 2021). The speedup of a job is its goodput relative to that on an equal share of
    the cluster; one that would change place counts for (age - restarts x ``restart``) / (age + ``restart``) of it, so
    that who restarts often stays. ``p``: exponent of the mean, below 0 fairer. ``growth``: a job gets at most so many
    times the accelerators that it has had before, as nobody knows yet how it scales.

    The artifact searches sizes and places together with a genetic algorithm. Here sizes are powers of two within a
    server and whole servers beyond, which keeps gangs over servers apart (its interference avoidance); with them the
    mean is a sum over jobs, whose best is found exactly, in milliseconds. Places follow. A wide job of a fixed size
    counts as one job, and waits while as many small ones want its accelerators.
    """

    name = "pollux"
    avoid_interference = True

    def __init__(self, interval: Seconds = 60.0, p: float = -1.0, growth: float = 2.0, restart: Seconds = 30.0) -> None:
        super().__init__(interval)
        if not -10 <= p <= 1:
            raise ValueError(f"p is {p:g}; it must be from -10 to 1")
        if not 1 < growth < math.inf:
            raise ValueError(f"growth is {growth:g}; it must be a finite number above 1")
        if not 0 <= restart < math.inf:
            raise ValueError(f"restart is {restart:g} s; it must be a finite number, 0 or more")
        self.p, self.growth, self.restart = p, growth, restart

    def wishes(self, view: ClusterView, jobs: list[Job]) -> Mapping[Job, Wish]:
        """Choose sizes that maximise the power mean of all speedups."""
        servers = Servers.of(view.nodes)
        fair = max(1, math.ceil(servers.capacity / len(jobs)))
        steps = servers.steps()
        rows = [self._options(view, job, steps, servers, fair) for job in jobs]
        picks = cheapest(rows, servers.capacity)
        return {job: Wish(row[pick][0]) for job, row, pick in zip(jobs, rows, picks, strict=True)}

    def _options(self, view: ClusterView, job: Job, steps: list[int], servers: Servers, fair: int) -> list[Option]:
        """Sizes and their costs; that of the present comes first, as equals stay."""
        running = job.state is State.RUNNING
        if running and not job.preemptible:
            return [(math.ceil(job.held), 0.0)]
        least, most = span(job)
        held = math.ceil(job.held) if running else 0
        fraction, kind = view.fraction(job), kind_of(view, job)
        share = min(max(fair, least), max(least, most))
        base = pace(job, Given(share, servers.needed(share), kind), fraction)
        factor = self.kept(view, job, self.restart)
        options: list[Option] = [(0, self._cost(0.0))]
        for size in choices(job, steps, servers, self.growth * max(self.largest.get(job, 0), least / self.growth)):
            there = size == held
            count = len(job.placement) if there else servers.needed(size)
            speedup = pace(job, Given(size, count, kind), fraction) / base if base > 0 else 1.0
            options.append((size, self._cost(speedup * (1.0 if there else factor))))
        return sorted(options, key=lambda option: option[0] != held)

    def _cost(self, speedup: float) -> float:
        return power(speedup + _LEAST, self.p)
