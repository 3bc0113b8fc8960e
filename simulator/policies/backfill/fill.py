"""Greedy backfilling."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

from simulator.policies.api import Action, ClusterView, Start
from simulator.policies.backfill import backfills
from simulator.policies.order import Limit, Order
from simulator.workload.jobs import Job


@backfills.register("fill")
class Fill:
    """Whoever fits passes, in order; needs no estimates, and lets wide jobs wait for as long as narrow ones come.

    ``depth`` limits how many waiting jobs are looked at behind the first that does not fit (0: all of them).
    """

    name = "fill"
    greedy = True

    def __init__(self, depth: int = 0) -> None:
        if depth < 0:
            raise ValueError(f"depth is {depth}; it must be 0 (no limit) or more")
        self.depth = depth

    def fill(self, view: ClusterView, order: Order) -> Iterator[Action]:
        """Start all jobs that fit, in order."""
        waiting = order.waiting(view)
        for head in waiting:
            placement = view.place(head)
            if placement is None:
                rest = islice(waiting, self.depth) if self.depth else order.fitting(view, _room(view), head)
                yield from _each(view, rest)
                return
            yield Start(head, placement)


def _each(view: ClusterView, jobs: Iterator[Job]) -> Iterator[Action]:
    for job in jobs:
        if view.free <= 0 and view.gangs_only:
            return
        placement = view.place(job)
        if placement is not None:
            yield Start(job, placement)


def _room(view: ClusterView) -> Limit:
    return lambda accelerators: math.inf if accelerators < 1 or accelerators <= view.free else -math.inf
