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

_QUEUED = State.QUEUED


@orders.register("tiresias")
class Tiresias(Keyed):
    """Jobs in a few queues by accelerators x seconds of service, the queue of those with least first; no estimates.

    Discretised 2D-LAS of Gu et al., "Tiresias" (NSDI 2019). ``thresholds`` are accelerator-seconds at which a job goes
    down a queue: n of them make n + 1 queues; the default is that of the authors' simulator (three queues, 3,250 and
    7,200). With ``dimensions: 1`` they are seconds (``dlas`` there). Within a queue, as in that simulator
    (SymbioticLab/Tiresias, commit 959f9b0, ``dlas_sim_jobs``), jobs stand in line: who runs stays in front, one that
    comes down goes to the end even if it runs, one that is stopped to the front of those that wait. With ``within:
    stay`` who runs stays even when it comes down, then goes who started first, then the order of submission. With
    ``promote`` above 0 (PROMOTEKNOB) a job that ran before, and has waited ``promote`` times as long as it has run
    since it was last at the top, goes back there with its service forgotten; 0, as in the simulator, turns that off.

    Accelerators count as asked for. The simulator takes seconds for accelerator-seconds when it reckons the next
    change of queue, so it notices late that gangs go down; here they do at the instant, and the cluster is asked then.
    """

    def __init__(
        self,
        thresholds: Sequence[float] = (3250.0, 7200.0),
        promote: Ratio = 0.0,
        dimensions: int = 2,
        within: str = "line",
    ) -> None:
        self.thresholds = [float(each) for each in thresholds]
        if not self.thresholds or any(not 0 < each < math.inf for each in self.thresholds):
            raise ValueError(f"thresholds are {list(thresholds)}; give one or more finite numbers above 0")
        if self.thresholds != sorted(set(self.thresholds)):
            raise ValueError(f"thresholds are {list(thresholds)}; each must be larger than the one before")
        if not 0 <= promote < math.inf:
            raise ValueError(f"promote is {promote:g}; it must be a finite number, 0 or more")
        if dimensions not in (1, 2):
            raise ValueError(f"dimensions is {dimensions}; it must be 1 (seconds) or 2 (accelerator-seconds)")
        if within not in ("stay", "line"):
            raise ValueError(f"within is {within!r}; it must be 'stay' or 'line'")
        super().__init__(self._waiting_level, "tiresias")
        self.promote, self.dimensions = promote, dimensions
        self._line = _Line() if within == "line" else None
        self._levels = Levels(self._level)
        self.reset(None)

    def reset(self, rng: Any) -> None:
        """Forget the run before."""
        self._levels.clear()
        self._change = math.inf
        self._forgotten: dict[Job, tuple[float, float]] = {}
        """Seconds of running and of waiting that a job had when it was last promoted."""
        self._promotions: list[tuple[float, int, Job]] = []
        if self._line:
            self._line.clear()

    def on_submit(self, job: Job) -> None:
        """Note where in line a job is, and when one that comes back will have waited for long enough."""
        if self._line:
            self._line.join(job, came_down=self._entered(job, job.since, job.ran) >= job.since - SLACK)
        if self.promote and job.ran > 0:
            ran, waited = self._forgotten.setdefault(job, (0.0, job.waited))
            at = job.since + max(0.0, self.promote * (job.ran - ran) - (job.waited - waited))
            heappush(self._promotions, (at, job.sequence, job))

    def on_finish(self, job: Job) -> None:
        """Forget the job."""
        self._forgotten.pop(job, None)
        if self._line:
            self._line.leave(job)

    def waiting(self, view: ClusterView) -> Iterator[Job]:
        """Loop over the jobs that wait, those with the least service in front."""
        self._promote(view)
        return super().waiting(view)

    def rank(self, view: ClusterView) -> Key:
        """Queue at this moment; within one who runs goes first, then who started first."""
        self._promote(view)
        now, waiting = view.now, _QUEUED

        def place(job: Job) -> Any:
            if job.state is waiting:
                level, *turn = self._waiting_level(job)
                return (level, 1, *turn)
            level, *turn = self._level(job, now)[0]
            comes_down = self._line is not None and job.since < turn[0] >= now - SLACK
            return (level, 2 if comes_down else 0, *turn)

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
            if job.state is _QUEUED and job.since <= at:
                self._forgotten[job] = (job.ran, job.waited + view.now - job.since)
                if self._line:
                    self._line.last(job, view.now)
                view.queue.again(job)

    def _served(self, job: Job, ran: float) -> float:
        if self._forgotten:
            before = self._forgotten.get(job)
            ran = ran - before[0] if before else ran
        return job.accelerators * ran if self.dimensions == 2 else ran

    def _width(self, job: Job) -> float:
        return job.accelerators if self.dimensions == 2 else 1.0

    def _queue(self, service: float) -> int:
        return bisect_right(self.thresholds, service)

    def _waiting_level(self, job: Job) -> Any:
        level = bisect_right(self.thresholds, self._served(job, job.ran + SLACK))
        if self._line:
            return (level, *self._line.place(job))
        return (level, job.start if job.start == job.start else math.inf, job.sequence)

    def _level(self, job: Job, now: float) -> tuple[tuple[Any, ...], float]:
        """Queue of a running job with its turn in it, and when it leaves that queue."""
        ran = job.ran + (now - job.since)
        queue = self._queue(self._served(job, ran + SLACK))
        turn: tuple[float, ...] = (job.start, job.sequence)
        if self._line:
            entered = self._entered(job, now, ran)
            turn = (entered, 1.0, job.sequence) if entered > job.since else (job.since, 0.0, *self._line.place(job))
        if queue == len(self.thresholds) or not self._width(job):
            return (queue, *turn), math.inf
        left = self.thresholds[queue] - self._served(job, ran)
        return (queue, *turn), now + left / self._width(job)

    def _entered(self, job: Job, now: float, ran: float) -> float:
        """When a job that had run for ``ran`` seconds by ``now`` came down to its queue; minus infinity at the top."""
        queue = self._queue(self._served(job, ran + SLACK))
        if not queue:
            return -math.inf
        return now - (self._served(job, ran) - self.thresholds[queue - 1]) / self._width(job)


class _Line:
    """Who waits in front of whom: newcomers at the end, who was stopped in front, as a list in each queue has it."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget the run before."""
        self._places: dict[Job, tuple[float, float]] = {}
        self._front = 0.0

    def join(self, job: Job, came_down: bool) -> None:
        """Put a job at the end if it is new or has just come down a queue, else to the front."""
        if job.ran > 0 and not came_down:
            self._front -= 1.0
            self._places[job] = (-1.0, self._front)
        else:
            self.last(job, job.since)

    def last(self, job: Job, now: float) -> None:
        """Put a job at the end, behind those of the same instant that were submitted before."""
        self._places[job] = (now, float(job.sequence))

    def leave(self, job: Job) -> None:
        """Forget a job."""
        self._places.pop(job, None)

    def place(self, job: Job) -> tuple[float, float]:
        """Return the place of a job that waits, or waited last; the smaller goes first."""
        return self._places.get(job, (0.0, float(job.sequence)))
