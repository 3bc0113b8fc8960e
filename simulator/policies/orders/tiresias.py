"""Two-dimensional least attained service in a few queues."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import Any

from simulator.core.units import Ratio
from simulator.policies.api import ClusterView
from simulator.policies.levels import SLACK, Levels
from simulator.policies.order import Key, Keyed
from simulator.policies.orders import orders
from simulator.workload.jobs import Job, State


@orders.register("tiresias")
class Tiresias(Keyed):
    """Jobs in a few queues by accelerators x seconds of service, the queue of those with least first; no estimates.

    Discretised 2D-LAS of Gu et al., "Tiresias" (NSDI 2019). ``thresholds`` are accelerator-seconds at which a job goes
    down a queue: n of them make n + 1 queues; the default is that of the authors' simulator (three queues, 3,250 and
    7,200). Within a queue who runs stays, then who started first, then the order of submission. With ``promote`` above
    0 (PROMOTEKNOB) a job that ran before, and has waited ``promote`` times as long as it has run since it was last at
    the top, goes back there with its service forgotten; 0, the default of the simulator too, turns that off.

    Accelerators count as asked for. Authors' code checks thresholds when something else happens; here a job goes down
    at the instant, and the cluster is asked about it then.
    """

    def __init__(self, thresholds: Sequence[float] = (3250.0, 7200.0), promote: Ratio = 0.0) -> None:
        self.thresholds = [float(each) for each in thresholds]
        if not self.thresholds or any(not 0 < each < math.inf for each in self.thresholds):
            raise ValueError(f"thresholds are {list(thresholds)}; give one or more finite numbers above 0")
        if self.thresholds != sorted(set(self.thresholds)):
            raise ValueError(f"thresholds are {list(thresholds)}; each must be larger than the one before")
        if not 0 <= promote < math.inf:
            raise ValueError(f"promote is {promote:g}; it must be a finite number, 0 or more")
        super().__init__(self._waiting_level, "tiresias")
        self.promote = promote
        self._levels = Levels(self._level)
        self.reset(None)

    def reset(self, rng: Any) -> None:
        """Forget the run before."""
        self._levels.clear()
        self._change = math.inf
        self._forgotten: dict[Job, tuple[float, float]] = {}
        """Seconds of running and of waiting that a job had when it was last promoted."""
        self._promotions: list[tuple[float, int, Job]] = []

    def on_submit(self, job: Job) -> None:
        """Note when a job that comes back will have waited for long enough."""
        if self.promote and job.ran > 0:
            ran, waited = self._forgotten.setdefault(job, (0.0, job.waited))
            at = job.since + max(0.0, self.promote * (job.ran - ran) - (job.waited - waited))
            heappush(self._promotions, (at, job.sequence, job))

    def on_finish(self, job: Job) -> None:
        """Forget the job."""
        self._forgotten.pop(job, None)

    def waiting(self, view: ClusterView) -> Iterator[Job]:
        """Loop over the jobs that wait, those with the least service in front."""
        self._promote(view)
        return super().waiting(view)

    def rank(self, view: ClusterView) -> Key:
        """Queue at this moment; within one who runs goes first, then who started first."""
        self._promote(view)
        now, waiting = view.now, State.QUEUED

        def place(job: Job) -> Any:
            if job.state is waiting:
                level, start, sequence = self._waiting_level(job)
                return (level, True, start, sequence)
            return (self._level(job, now)[0][0], False, job.start, job.sequence)

        return place

    def worst(self, view: ClusterView) -> Iterator[Job]:
        """Loop over the jobs that run, those with the most service in front."""
        return self._levels.worst(view)

    def after_pass(self, view: ClusterView, waiting: bool) -> None:
        """Find out when the next running job goes down."""
        self._change = self._levels.next_change(view) if waiting else math.inf

    @property
    def wake(self) -> float:
        """When the next waiting job is promoted, or a running one goes down, in seconds of the run."""
        return min(self._change, self._promotions[0][0] if self._promotions else math.inf)

    def _promote(self, view: ClusterView) -> None:
        """Bring to the top the jobs that have waited for long enough."""
        heap = self._promotions
        while heap and heap[0][0] <= view.now:
            at, _, job = heappop(heap)
            if job.state is State.QUEUED and job.since <= at:
                self._forgotten[job] = (job.ran, job.waited + view.now - job.since)
                view.queue.again(job)

    def _served(self, job: Job, ran: float) -> float:
        before = self._forgotten.get(job)
        return job.accelerators * (ran - before[0] if before else ran)

    def _queue(self, service: float) -> int:
        return bisect_right(self.thresholds, service)

    def _waiting_level(self, job: Job) -> Any:
        start = job.start if job.start == job.start else math.inf
        return (self._queue(self._served(job, job.ran + SLACK)), start, job.sequence)

    def _level(self, job: Job, now: float) -> tuple[tuple[int, float], float]:
        """Queue of a running job with its start, and when it leaves that queue."""
        ran = job.ran + (now - job.since)
        queue = self._queue(self._served(job, ran + SLACK))
        if queue == len(self.thresholds) or not job.accelerators:
            return (queue, job.start), math.inf
        left = self.thresholds[queue] - self._served(job, ran)
        return (queue, job.start), now + left / job.accelerators
