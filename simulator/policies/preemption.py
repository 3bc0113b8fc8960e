"""Who has to go for whom: the best-ranked jobs that fit together have the cluster."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from simulator.policies.api import Action, ClusterView, Preempt, Start
from simulator.policies.order import Order
from simulator.workload.jobs import Job


def take_over(view: ClusterView, order: Order, passing: bool = True) -> Iterator[Action]:
    """Let the jobs that ``order`` ranks first have the cluster, stopping others where needed.

    Each job in turn, waiting or running, is chosen if it fits in what the better ones leave; without ``passing`` the
    first waiting one that does not fit ends the choice. Running jobs that were not chosen are stopped, worst first,
    only as far as the chosen ones that wait need their accelerators. If all that wait fits, nobody is stopped. Counted
    over the whole cluster, so where types differ a job may be stopped in vain.

    The work is in proportion to the jobs that change places, not to those that wait or run.
    """
    if view.queue.accelerators <= view.free:
        yield from (Start(job) for job in view.queue)
        return
    choice = _Choice(view, order)
    starts = choice.of(passing)
    needed = sum(job.accelerators for job in starts) - view.free if starts else 0.0
    losers = choice.losers() if needed > 0 else []
    while needed > 0 and losers:
        loser = losers.pop()
        needed -= held(loser)
        yield Preempt(loser)
    for job in starts:
        if job.accelerators < 1 or job.accelerators <= view.free:
            yield Start(job)


def held(job: Job) -> float:
    """Accelerators that a running job has, which for an elastic one is not what it asked for."""
    return job.held or job.accelerators


class _Choice:
    """The choice of one pass, made from the worst running job upwards.

    ``_short`` is what the waiting jobs chosen so far need beyond what is free. As long as the running jobs behind a
    waiting one hold that much and the job's own accelerators, all running jobs before it have been chosen, and it is.
    Once they do not, the choice goes on from the first running job that did not fit: ``_left`` is what is left there.
    """

    def __init__(self, view: ClusterView, order: Order) -> None:
        self._view, self._order = view, order
        self._rank = order.rank(view)
        self._worst = (job for job in order.worst(view) if job.preemptible)
        self._short = view.nodes.used - view.nodes.capacity
        self._tail: list[Job] = []
        """Running jobs, worst first, as far as they had to be looked at."""
        self._sums = [0.0]
        """What the first so many of the tail hold."""
        self._behind = 0
        """How many of the tail are behind the waiting job that is looked at."""
        self._cut = 0
        """How many of the tail hold ``_short``: the last of them is the first running job that does not fit."""
        self._closed = False
        """Whether no other running job is behind the waiting ones that follow."""
        self._bound = math.inf
        """The most accelerators that a job may have that is still to be chosen."""
        self._left = math.nan
        self._dropped: list[Job] = []

    def of(self, passing: bool) -> list[Job]:
        """Return the waiting jobs that are to start, in order."""
        starts = []
        while self._sums[-1] < self._short and self._extend(None):
            pass
        self._move_cut()
        gangs_only = self._view.gangs_only
        for job in self._order.fitting(self._view, self._limit):
            if self._fits(job):
                starts.append(job)
            elif not passing:
                break
            if self._bound < 1 and gangs_only:
                break  # nobody is left who might fit
        return starts

    def losers(self) -> list[Job]:
        """Return the running jobs that were not chosen, in order."""
        if self._left != self._left and self._short > 0:
            self._drop_first()
        while self._cut > 0:
            self._settle_next()
        return self._dropped

    def _limit(self, accelerators: float) -> float:
        return math.inf if accelerators <= self._bound else -math.inf

    def _fits(self, job: Job) -> bool:
        """Choose a waiting job if it fits."""
        rank, tail = self._rank(job), self._tail
        if self._left == self._left:
            return self._fits_in_rest(job, rank)
        while self._behind and not rank < self._rank(tail[self._behind - 1]):
            self._behind -= 1
            self._closed = True
        if self._short > 0 and self._cut > self._behind:
            self._drop_first()
            return self._fits_in_rest(job, rank)
        wanted = self._short + job.accelerators
        while not self._closed and self._sums[-1] < wanted:
            self._closed = not self._extend(rank)
        room = self._sums[self._behind] - self._short
        if job.accelerators > room:
            self._bound = room
            return False
        self._short = wanted
        self._move_cut()
        return True

    def _extend(self, rank: Any) -> bool:
        """Look at one more running job; False when there is none behind ``rank`` (None: at all)."""
        job = next(self._worst, None)
        if job is None or (rank is not None and not rank < self._rank(job)):
            return False
        self._tail.append(job)
        self._sums.append(self._sums[-1] + held(job))
        self._behind = len(self._tail)
        return True

    def _move_cut(self) -> None:
        while self._sums[self._cut] < self._short and self._cut < len(self._tail):
            self._cut += 1

    def _drop_first(self) -> None:
        """Go on behind the first running job that does not fit."""
        self._bound = self._left = self._sums[self._cut] - self._short
        self._cut -= 1
        self._dropped.append(self._tail[self._cut])

    def _settle_next(self) -> None:
        """Choose the next running job if it fits."""
        self._cut -= 1
        job = self._tail[self._cut]
        if held(job) <= self._left:
            self._left -= held(job)
        else:
            self._dropped.append(job)

    def _fits_in_rest(self, job: Job, rank: Any) -> bool:
        while self._cut and not rank < self._rank(self._tail[self._cut - 1]):
            self._settle_next()
        fits = job.accelerators <= self._left
        if fits:
            self._left -= job.accelerators
        self._bound = self._left
        return fits
