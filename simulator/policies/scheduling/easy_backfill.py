"""EASY backfilling."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from simulator.policies.api import Action, ClusterView, Start, schedulers
from simulator.policies.order import soonest
from simulator.workload.jobs import Job


def turn(job: Job) -> tuple[float, float, float]:
    """Order of submission; among jobs of the same instant the shorter, then the smaller one goes first."""
    return (job.submit, job.estimate, job.accelerators)


@schedulers.register("easy-backfill")
class EasyBackfill:
    """FIFO in which later jobs may pass if, by the estimates, they do not delay the head of the queue (EASY).

    Source: Lifka, "The ANL/IBM SP scheduling system" (1995). The head gets a reservation at the earliest instant at
    which enough accelerators are expected to be free, counted over the whole cluster; a later job may start now if it
    ends by then, or if it takes only accelerators that the head will not need. ``depth`` limits how many waiting jobs
    are looked at in one pass (0: all of them).
    """

    name = "easy-backfill"

    def __init__(self, depth: int = 0) -> None:
        if depth < 0:
            raise ValueError(f"depth is {depth}; it must be 0 (no limit) or more")
        self.depth = depth

    def schedule(self, view: ClusterView) -> Iterator[Action]:
        """Start jobs in order while they fit, then fill the gap before the head's reservation."""
        waiting = view.queue.by(turn)
        for head in waiting:
            placement = view.place(head)
            if placement is None:
                yield from self._fill(view, head, waiting)
                return
            yield Start(head, placement)

    def _fill(self, view: ClusterView, head: Job, waiting: Iterator[Job]) -> Iterator[Action]:
        at, spare = _reservation(view, head)
        now, free = view.now, view.free
        for job in islice(waiting, self.depth or None):
            size = job.accelerators
            if free <= 0 and view.gangs_only:
                return
            if size >= 1 and size > free:
                continue
            in_time = now + view.estimate(job) <= at
            if not (in_time or size <= spare):
                continue
            placement = view.place(job)
            if placement is not None:
                spare -= 0.0 if in_time else size
                yield Start(job, placement)
                free = view.free


def _reservation(view: ClusterView, head: Job) -> tuple[float, float]:
    """Instant (s) at which the head is expected to fit, and the accelerators that it leaves over then."""
    free = view.free
    now = at = view.now
    for job in soonest(view):
        end = now + view.remaining(job)
        if free >= head.accelerators and end > at:
            break
        at = max(at, end)
        free += job.accelerators
    return (at, free - head.accelerators) if free >= head.accelerators else (float("inf"), 0.0)
