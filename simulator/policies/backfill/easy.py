"""EASY backfilling."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

from simulator.policies.api import Action, ClusterView, Start
from simulator.policies.backfill import backfills
from simulator.policies.estimates import Believing, Estimates
from simulator.policies.order import Order
from simulator.workload.jobs import Job


@backfills.register("easy")
class Easy(Believing):
    """Later jobs may pass if, by the estimates, they do not delay the head of the queue.

    Source: Lifka, "The ANL/IBM SP scheduling system" (1995). The head gets a reservation at the earliest instant at
    which enough accelerators are expected to be free, counted over the whole cluster; a later job may start now if it
    ends by then, or if it takes only accelerators that the head will not need. ``depth`` limits how many waiting jobs
    are looked at in one pass (0: all of them). ``estimates`` are ``user`` (what the job says), ``predicted`` (from the
    user's last jobs) or ``exact`` (the truth).
    """

    name = "easy"
    greedy = False

    def __init__(self, depth: int = 0, estimates: str | Estimates = "user") -> None:
        super().__init__(depth, estimates)

    def fill(self, view: ClusterView, order: Order) -> Iterator[Action]:
        """Start jobs in order while they fit, then fill the gap before the head's reservation."""
        waiting = order.waiting(view)
        for head in waiting:
            placement = view.place(head)
            if placement is None:
                yield from self.behind(view, order, head, waiting)
                return
            yield Start(head, placement)

    def behind(self, view: ClusterView, order: Order, head: Job, waiting: Iterator[Job]) -> Iterator[Action]:
        """Start jobs behind a head that does not fit now. ``waiting`` goes on behind it."""
        if view.free <= 0 and view.gangs_only:
            return
        gap = _Gap(view, head, self.estimates)
        every = order.fitting(view, gap.limit, head, self._length)
        for job in islice(waiting, self.depth) if self.depth else every:
            if view.free <= 0 and view.gangs_only:
                return
            in_time = gap.in_time(job)
            if in_time or job.accelerators <= gap.spare:
                placement = view.place(job)
                if placement is not None:
                    gap.spare -= 0.0 if in_time else job.accelerators
                    yield Start(job, placement)


class _Gap:
    """What is free until the head's reservation, and what the head leaves over then."""

    def __init__(self, view: ClusterView, head: Job, estimates: Estimates) -> None:
        self._view, self._estimates = view, estimates
        self._now = view.now
        self._at, self.spare = reservation(view, head, estimates)
        self._almost = (self._at - self._now) * (1 + 1e-12) + 1e-9 * abs(self._at)
        """A length that no job in time exceeds, rounding included."""

    def in_time(self, job: Job) -> bool:
        """Whether the job ends before the head begins."""
        return self._now + self._estimates.of(job) <= self._at

    def limit(self, accelerators: float) -> float:
        """Return the longest that a job of this size may run."""
        if accelerators >= 1 and accelerators > self._view.free:
            return -math.inf
        return math.inf if accelerators <= self.spare else self._almost


def reservation(view: ClusterView, head: Job, estimates: Estimates) -> tuple[float, float]:
    """Instant (s) at which the head is expected to fit, and the accelerators that it leaves over then."""
    free = view.free
    now = at = view.now
    for job in estimates.soonest(view):
        end = now + estimates.remaining(view, job)
        if free >= head.accelerators and end > at:
            break
        at = max(at, end)
        free += job.accelerators
    return (at, free - head.accelerators) if free >= head.accelerators else (math.inf, 0.0)
