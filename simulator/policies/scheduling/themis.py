"""Finish-time fairness by auctions of leases."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from simulator.core.units import Ratio, Seconds
from simulator.policies.api import Action, ClusterView, Start, schedulers
from simulator.policies.heterogeneity.auction import award
from simulator.policies.heterogeneity.fleet import Fleet
from simulator.policies.heterogeneity.isolation import Isolation, fair_seconds
from simulator.policies.heterogeneity.moves import MOMENT, Moves
from simulator.policies.heterogeneity.problem import Problem, problem
from simulator.workload.jobs import Job, State


@schedulers.register("themis")
class Themis:
    """Free accelerators are auctioned for a lease to the jobs that are treated worst so far (Themis).

    Source: Mahajan et al., "Themis: Fair and Efficient GPU Cluster Scheduling" (NSDI 2020). How a job is treated is its
    finish-time fairness rho: its time here over that on an equal share of the cluster. The 1 - ``filter`` of the
    bidders with the largest rho take part; accelerators go where the product of the gains in 1/rho is largest, what is
    left over to the others, the worst treated first. When its ``lease`` ends a job bids again, with the rest; who wins
    on the same type goes on without a restart. Gangs are of fixed size, one job is one app, and bids are true, so
    there are no hidden payments.
    """

    name = "themis"

    def __init__(self, lease: Seconds = 600.0, filter: Ratio = 0.8) -> None:
        if not 0 < lease < math.inf:
            raise ValueError(f"lease is {lease:g} s; it must be a finite number above 0")
        if not 0 <= filter < 1:
            raise ValueError(f"filter is {filter:g}; it must be from 0 to below 1")
        self.lease, self.filter = lease, filter
        self.wake = math.inf
        self.reset(None)

    def reset(self, rng: np.random.Generator | None) -> None:
        """Forget the last run."""
        self._fleet: Fleet | None = None
        self._moves = Moves()
        self._isolation = Isolation()
        self._expires: dict[Job, float] = {}
        self.wake = math.inf

    def on_finish(self, job: Job) -> None:
        """Forget a job that is gone."""
        if self._fleet is not None:
            self._fleet.forget((job,))
        self._moves.forget(job)
        self._isolation.forget(job)
        self._expires.pop(job, None)

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        """Auction what is free and what has expired."""
        if self._fleet is None:
            self._fleet = Fleet(view)
        fleet, moves, now = self._fleet, self._moves, view.now
        moves.new_pass()
        if not view.gangs_only:
            yield from (Start(job) for job in view.queue if job.accelerators < 1 and view.place(job) is not None)
        yield from moves.start(fleet)
        bidders = self._bidders(view)
        if any(job.state is State.QUEUED for job in bidders):
            kinds = self._auction(view, fleet, bidders)
            for job, kind in zip(bidders, kinds, strict=True):
                if kind >= 0:
                    self._expires[job] = now + self.lease
            yield from moves.carry_out(fleet, bidders, kinds)
        ends = [self._expires.get(job, math.inf) for job in view.running if job.preemptible]
        self.wake = now + MOMENT if moves.held_back() and view.free > 0 else min(ends, default=math.inf)

    def _bidders(self, view: ClusterView) -> list[Job]:
        """Gangs that wait, and those whose lease has come to its end."""
        limit = view.now * (1 + 1e-12)
        ended = [job for job in view.running if job.preemptible and self._expires.get(job, math.inf) <= limit]
        waiting = [job for job in view.queue if job.accelerators >= 1]
        return sorted([*ended, *waiting], key=lambda job: job.sequence)

    def _auction(self, view: ClusterView, fleet: Fleet, bidders: list[Job]) -> list[int]:
        """Type that each bidder gets, or -1."""
        every = [job for job in (*view.running, *view.queue) if job.accelerators > 0]
        task = self._task(view, fleet, every)
        place = {job: row for row, job in enumerate(every)}
        rows = np.array([place[job] for job in bidders])
        fair = fair_seconds(task)[rows]
        few = task.subset(rows)
        offered = fleet.free()
        for job in bidders:
            kind = fleet.kind(job)
            if kind >= 0:
                offered[kind] += job.accelerators
        return award(few, fair, offered, self.filter, self.lease)

    def _task(self, view: ClusterView, fleet: Fleet, jobs: Sequence[Job]) -> Problem:
        task = problem(
            fleet.paces(jobs),
            fleet.capacity(),
            np.array([job.accelerators for job in jobs]),
            remaining=np.array([fleet.remaining(job) for job in jobs]),
            elapsed=np.array([view.now - job.submit for job in jobs]),
        )
        task.isolated[:] = self._isolation.look(jobs, task)
        return task
