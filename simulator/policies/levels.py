"""Levels of service that running jobs climb at known instants: kept in order without looking at all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Any

from simulator.policies.api import ClusterView
from simulator.workload.jobs import Job, State

_RUNNING = State.RUNNING
SLACK = 1e-6
"""Seconds of running that rounding on the clock may take from what a level wants, whether the job runs or waits."""


class Levels:
    """The running jobs by level, the highest first, at equal levels the last submitted first.

    ``level(job, now)`` is that of a running job at ``now`` (s), and the instant (s) at which it leaves that level if it
    runs on (infinite: never). Only jobs that left their level since the last look are sorted in anew.
    """

    def __init__(self, level: Callable[[Job, float], tuple[Any, float]]) -> None:
        self._level = level
        self.clear()

    def clear(self) -> None:
        """Forget the jobs of an earlier run."""
        self._now = 0.0
        self._due: dict[Job, float] = {}
        self._heap: list[tuple[float, int, Job]] = []

    def worst(self, view: ClusterView) -> Iterator[Job]:
        """Loop over the running jobs, the highest level in front."""
        self._look(view)
        return view.running.by(self._place, backwards=True)

    def next_change(self, view: ClusterView) -> float:
        """Instant (s) from which on a running job may be on another level."""
        now, running = view.now, view.running
        if len(running) < 2:
            return min((self._level(job, now)[1] for job in running), default=math.inf)
        next(self.worst(view), None)  # sorts in those that have just started
        return self._heap[0][0] if self._heap else math.inf

    def _look(self, view: ClusterView) -> None:
        """Have the jobs sorted in anew that have left their level."""
        now = self._now = view.now
        heap, due, running = self._heap, self._due, view.running
        while heap:
            at, _, job = heap[0]
            valid = due.get(job) == at
            if valid and at > now:
                return
            heappop(heap)
            if valid:
                del due[job]
                if job.state is _RUNNING:
                    running.again(job)

    def _place(self, job: Job) -> tuple[Any, int]:
        """Level at the present look, and with it the time of the next."""
        now = self._now
        level, at = self._level(job, now)
        if at < math.inf:
            at = max(at, math.nextafter(now, math.inf))
            self._due[job] = at
            heappush(self._heap, (at, job.sequence, job))
        return (level, job.sequence)
