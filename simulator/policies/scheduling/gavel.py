"""Heterogeneity-aware shares of accelerators of several types."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from simulator.core.units import Seconds, parse
from simulator.policies.api import Action, ClusterView, Reject, Share, Start, schedulers
from simulator.policies.heterogeneity.fleet import Fleet
from simulator.policies.heterogeneity.isolation import Isolation
from simulator.policies.heterogeneity.leases import Leases
from simulator.policies.heterogeneity.moves import MOMENT
from simulator.policies.heterogeneity.objectives import objectives
from simulator.policies.heterogeneity.problem import Problem, problem, proportional, spread_out
from simulator.workload.jobs import Job, State
from simulator.workload.options import one_of

_WAYS = ("rounds", "ideal")
_WITHIN = ("fairness", "fifo")
_LEAST = 1e-6
"""Shares of time below this are rounding of the solver."""


@schedulers.register("gavel")
class Gavel:
    """Shares of time on each type of accelerator from a linear program, carried out in rounds (Gavel).

    Source: Narayanan et al., "Heterogeneity-Aware Cluster Scheduling Policies for Deep Learning Workloads" (OSDI 2020).
    ``objective`` is what the shares are best for (``simulator list objectives``); ``aware: false`` takes a job to be
    equally fast on all types, which makes the baselines of the paper. ``execution: rounds`` gives each type for
    ``round`` seconds to the jobs that have had least of their share; ``ideal`` gives everybody its share all the time,
    which only batch jobs can have. What jobs have had is counted anew after ``memory`` (1920 s in Gavel's code).
    What becomes free before a round is over goes to jobs that wait; ``refill: false`` leaves it idle, as Gavel does.

    ``entities`` maps tenants to ``{weight: 2, policy: fairness | fifo}`` for the objective ``hierarchical``; a tenant
    that is not named has weight 1 and shares among its jobs. ``prices`` maps types to prices ("$2.48/h") for the
    objectives ``cost`` and ``cost-slo``; a type that is not named costs 1. A job's weight is its ``priority``, if that
    is above 0, else 1.
    """

    name = "gavel"
    always = True

    def __init__(
        self,
        objective: str = "max-min-fairness",
        execution: str = "rounds",
        aware: bool = True,
        round: Seconds = 360.0,
        memory: Seconds = 1920.0,
        refill: bool = True,
        entities: Mapping[str, Mapping[str, Any]] | None = None,
        prices: Mapping[str, Any] | None = None,
    ) -> None:
        for name, value in (("round", round), ("memory", memory)):
            if not 0 < value < math.inf:
                raise ValueError(f"{name} is {value:g} s; it must be a finite number above 0")
        self.objective = objective
        self._allocate = objectives.get(objective)
        self.conserving = getattr(self._allocate, "conserving", True)
        self.execution = one_of("execution", execution, _WAYS)
        self.aware, self.round, self.memory, self.refill = aware, round, memory, refill
        self._entities = _entities(entities or {})
        self._prices = _prices(prices or {})
        self.wake = math.inf
        self.reset(np.random.default_rng(0))

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the last run."""
        self._rng = rng
        self._fleet: Fleet | None = None
        self._leases = Leases(self.round, self.memory)
        self._members: tuple[Job, ...] = ()
        self._shares = np.zeros((0, 0))
        self._there = np.zeros(0)
        self._order: tuple[int, ...] = ()
        self._given: dict[Job, dict[str, float]] = {}
        self._isolation = Isolation()
        self.wake = math.inf

    def on_finish(self, job: Job) -> None:
        """Forget a job that is gone."""
        if self._fleet is not None:
            self._fleet.forget((job,))
        self._leases.forget(job)
        self._given.pop(job, None)
        self._isolation.forget(job)

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        """Begin a round when it is time, else fill what is free; or give everybody its share."""
        if self._fleet is None:
            self._fleet = Fleet(view, self.aware)
        self._leases.moves.new_pass()
        jobs = [*view.running, *view.queue]
        if not view.gangs_only:
            yield from self._without_accelerators(view, jobs)
        jobs = sorted((job for job in jobs if job.accelerators > 0), key=lambda job: job.sequence)
        if self.execution == "ideal":
            yield from self._ideal(view, self._fleet, jobs)
        elif self._leases.over(view.now) or not (self.refill or len(view.running)):
            yield from self._round(view, self._fleet, jobs)
        else:
            yield from self._between(view, self._fleet, jobs)

    def _without_accelerators(self, view: ClusterView, jobs: list[Job]) -> Iterator[Action]:
        """Start what needs no accelerator; in an ideal world there are none but shares."""
        for job in jobs:
            if job.accelerators == 0 and job.state is State.QUEUED:
                if self.execution == "ideal":
                    yield Reject(job, "gavel, execution ideal: it shares accelerators, and the job needs none")
                elif view.place(job) is not None:
                    yield Start(job)

    def _round(self, view: ClusterView, fleet: Fleet, jobs: list[Job]) -> Iterator[Action]:
        leases = self._leases
        leases.account(view, fleet)
        leases.count_anew(view.now, self._members, self._shares)
        self._refresh(view, fleet, jobs)
        if not self.aware:
            self._order = tuple(self._rng.permutation(len(fleet.types)).tolist())
        yield from leases.begin(view, fleet, jobs, self._shares, self._order, self.conserving)
        yield from self._rest(view, fleet, jobs)

    def _between(self, view: ClusterView, fleet: Fleet, jobs: list[Job]) -> Iterator[Action]:
        """Before the round is over: give free accelerators to whoever waits."""
        if view.free > 0 or not view.gangs_only:
            if self.refill and not self.conserving:
                self._refresh(view, fleet, jobs)
            yield from self._rest(view, fleet, jobs)

    def _rest(self, view: ClusterView, fleet: Fleet, jobs: list[Job]) -> Iterator[Action]:
        yield from self._leases.moves.start(fleet)
        if self.refill:
            shares = self._shares_of(jobs, len(fleet.types))
            yield from self._leases.fill(fleet, jobs, shares, self._order, self.conserving)
        if not view.gangs_only:
            for job in jobs:
                if job.accelerators < 1 and self._leases.moves.waits(job) and view.place(job) is not None:
                    yield Start(job)
        self.wake = view.now + MOMENT if self._leases.moves.held_back() and view.free > 0 else self._leases.ends

    def _ideal(self, view: ClusterView, fleet: Fleet, jobs: list[Job]) -> Iterator[Action]:
        if not self._refresh(view, fleet, jobs):
            return
        for job, row in zip(jobs, self._shares, strict=True):
            given = {kind: share for kind, share in zip(fleet.types, row.tolist(), strict=True) if share > _LEAST}
            if given != self._given.get(job, {}):
                self._given[job] = given
                yield Share(job, given)

    def _refresh(self, view: ClusterView, fleet: Fleet, jobs: list[Job]) -> bool:
        """Solve again if other jobs or accelerators are there than the last time; whether they are."""
        members, there = tuple(jobs), fleet.capacity()
        if members == self._members and np.array_equal(there, self._there):
            return False
        self._there = there
        task = self._problem(view, fleet, jobs)
        shares = self._allocate(task)
        self._shares = shares if self.aware else spread_out(task, shares)
        self._members = members
        if self.aware:
            speed = (task.pace / proportional(task)[:, None]).sum(axis=0)
            self._order = tuple(np.argsort(-speed, kind="stable").tolist())
        elif not self._order:
            self._order = tuple(range(len(fleet.types)))
        return True

    def _shares_of(self, jobs: list[Job], types: int) -> np.ndarray:
        """Shares by job; 0 for those that came after the last solution."""
        if tuple(jobs) == self._members:
            return self._shares
        row = {job: index for index, job in enumerate(self._members)}
        known = np.vstack([self._shares.reshape(-1, types), np.zeros(types)])
        found: np.ndarray = known[[row.get(job, -1) for job in jobs]]
        return found

    def _problem(self, view: ClusterView, fleet: Fleet, jobs: list[Job]) -> Problem:
        now = view.now
        tenants = list(dict.fromkeys([*self._entities, *(job.tenant for job in jobs)]))
        index = {tenant: place for place, tenant in enumerate(tenants)}
        known = [self._entities.get(tenant, (1.0, False)) for tenant in tenants] or [(1.0, False)]
        entity = np.array([index[job.tenant] for job in jobs], dtype=np.int64)
        task = problem(
            fleet.paces(jobs),
            fleet.capacity(),
            np.array([job.accelerators for job in jobs]),
            weight=np.array([job.priority if job.priority > 0 else 1.0 for job in jobs]),
            remaining=np.array([fleet.remaining(job) for job in jobs]),
            elapsed=np.array([now - job.submit for job in jobs]),
            deadline=np.array([job.deadline - now for job in jobs]),
            price=[self._prices.get(kind, 1.0) for kind in fleet.types],
            entity=entity,
            entity_weight=[weight for weight, _ in known][: int(entity.max(initial=0)) + 1],
            entity_fifo=[fifo for _, fifo in known][: int(entity.max(initial=0)) + 1],
        )
        if getattr(self._allocate, "looks_back", False):
            task.isolated[:] = self._isolation.look(jobs, task)
        return task


def _entities(given: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[float, bool]]:
    """Weights of tenants, and whether they serve their jobs first in, first out."""
    found = {}
    for tenant, said in given.items():
        weight = said.get("weight", 1.0)
        if not isinstance(weight, int | float) or not 0 < weight < math.inf:
            raise ValueError(f"entities, {tenant}: weight is {weight!r}; it must be a finite number above 0")
        policy = one_of(f"entities, {tenant}: policy", str(said.get("policy", "fairness")), _WITHIN)
        unknown = [key for key in said if key not in ("weight", "policy")]
        if unknown:
            raise ValueError(f"entities, {tenant}: {unknown[0]!r} is not known; there are weight and policy")
        found[tenant] = (float(weight), policy == "fifo")
    return found


def _prices(given: Mapping[str, Any]) -> dict[str, float]:
    """Prices by type, in US dollars a second where they are texts."""
    found = {}
    for kind, value in given.items():
        price = parse(value, "price") if isinstance(value, str) else value
        if not isinstance(price, int | float) or not 0 < price < math.inf:
            raise ValueError(f"prices, {kind}: the price is {value!r}; it must be a finite number above 0")
        found[kind] = float(price)
    return found
