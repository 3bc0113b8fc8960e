"""Sia: goodput over several types of accelerators, as an integer program."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from simulator.core.units import Seconds
from simulator.policies.api import ClusterView, schedulers
from simulator.policies.elastic.pace import pace
from simulator.policies.elastic.program import solve
from simulator.policies.elastic.rounds import Rounds, Wish
from simulator.policies.elastic.separable import cheapest
from simulator.policies.elastic.sizes import Servers, choices, span
from simulator.workload.jobs import Job, State
from simulator.workload.speedup import Given

_LEAST = 1e-4
"""Least share of its goodput that a move leaves (artifact, ``sia.py``)."""
_ROUND = 2
"""Decimals of powered goodputs (artifact, ``sia.py``): differences below one part in a hundred move nobody."""


class Offer(NamedTuple):
    """What a job may have: accelerators of a type, and what it costs beside having nothing, below 0 if it is better."""

    wish: Wish
    cost: float


@schedulers.register("sia")
class Sia(Rounds):
    """Goodput-driven sizes and types for elastic jobs (Sia): one integer program a round over all configurations.

    After Jayaram Subramanya et al., "Sia" (SOSP 2023). A configuration is a type of accelerator and a number of them: a
    power of two within a server, or whole servers. Of each job the goodputs are divided by the least of them, and those
    that would move it count for (age - restarts x ``restart``) / (age + ``restart``), once it is older than a restart.
    The program chooses at most one configuration a job within what there is of each type, so that the sum of goodput^p
    is least, with ``penalty`` for each job that gets nothing. ``p``: below 0, nearer to 0 less fair. ``growth``: a job
    gets at most so many times the accelerators that it has had before.
    """

    name = "sia"
    avoid_interference = True

    def __init__(
        self,
        interval: Seconds = 60.0,
        p: float = -0.5,
        penalty: float = 1.1,
        growth: float = 2.0,
        restart: Seconds = 30.0,
    ) -> None:
        super().__init__(interval)
        if not -10 <= p < 0:
            raise ValueError(f"p is {p:g}; it must be from -10 to below 0")
        if not 1 < penalty < math.inf:
            raise ValueError(f"penalty is {penalty:g}; it must be a finite number above 1, or nothing would run")
        if not 1 < growth < math.inf:
            raise ValueError(f"growth is {growth:g}; it must be a finite number above 1")
        if not 0 <= restart < math.inf:
            raise ValueError(f"restart is {restart:g} s; it must be a finite number, 0 or more")
        self.p, self.penalty, self.growth, self.restart = p, penalty, growth, restart

    def wishes(self, view: ClusterView, jobs: list[Job]) -> Mapping[Job, Wish]:
        """Choose one configuration a job."""
        nodes = view.nodes
        types = {str(kind): Servers.of(nodes, str(kind)) for kind in sorted(set(nodes.types[nodes.up].tolist()))}
        rows = [self._offers(view, job, types) for job in jobs]
        if len(types) == 1:
            (servers,) = types.values()
            options = [[(offer.wish.size, offer.cost) for offer in row] for row in rows]
            picks = cheapest(options, servers.capacity)
        else:
            kinds = {kind: index for index, kind in enumerate(types)}
            entries = [[(kinds.get(o.wish.type or "", 0), o.wish.size, o.cost) for o in row] for row in rows]
            picks = solve(entries, [servers.capacity for servers in types.values()])
        return {job: row[pick].wish for job, row, pick in zip(jobs, rows, picks, strict=True)}

    def _offers(self, view: ClusterView, job: Job, types: Mapping[str, Servers]) -> list[Offer]:
        """Configurations of a job, the present one first, as equals stay."""
        held = math.ceil(job.held) if job.state is State.RUNNING else 0
        kind = str(view.nodes.types[job.placement[0][0]]) if held and job.placement else None
        if held and not job.preemptible:
            return [Offer(Wish(held, kind), 0.0)]
        paces = self._paces(view, job, types, held, kind)
        least = min(paces.values(), default=1.0)
        old = view.now - job.submit >= (job.restart if job.restart >= 0 else self.restart)
        moved = self.kept(view, job, self.restart) if held and old else 1.0
        offers = [Offer(Wish(0), self.penalty)]
        for wish, value in paces.items():
            goodput = value / least * (1.0 if wish == (held, kind) else max(moved, _LEAST))
            offers.append(Offer(wish, round(goodput**self.p, _ROUND)))
        present = (held, kind) if held else (0, None)
        return sorted(offers, key=lambda offer: offer.wish != present)

    def _paces(
        self, view: ClusterView, job: Job, types: Mapping[str, Servers], held: int, kind: str | None
    ) -> dict[Wish, float]:
        fraction = view.fraction(job)
        cap = self.growth * max(self.largest.get(job, 0), span(job)[0] / self.growth)
        allowed = view.nodes.allowed(job)
        found: dict[Wish, float] = {}
        for name, servers in types.items():
            if not np.any(allowed & (view.nodes.types == name)):
                continue
            for size in choices(job, servers.steps(), servers, cap):
                here = (size, name) == (held, kind)
                count = len(job.placement) if here else servers.needed(size)
                value = pace(job, Given(size, count, name), fraction)
                if value > 0 or here:
                    found[Wish(size, name)] = max(value, 1e-12)
        return found
