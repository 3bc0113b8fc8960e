"""Conservative backfilling."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from itertools import islice
from typing import Any

from simulator.policies.api import Action, ClusterView, Start
from simulator.policies.backfill import backfills
from simulator.policies.estimates import Believing, Estimates
from simulator.policies.order import Order
from simulator.policies.profile import Profile
from simulator.workload.jobs import Job, State

Slot = tuple[float, float, float]
"""Begin (s), end (s), accelerators."""
_NEVER = (math.nan, math.nan, 0.0)


@backfills.register("conservative")
class Conservative(Believing):
    """Every waiting job has a reservation, and a later one may start early only if, by the estimates, it delays none.

    Source: Mu'alem and Feitelson, "Utilization, predictability, workloads, and user runtime estimates in scheduling
    the IBM SP2 with backfilling" (IEEE TPDS 2001). A job is given the first gap that holds it when it comes, counted
    over the whole cluster. When a job ends early, all reservations are moved up in the order of the queue, each as far
    as it goes; none is ever moved back, unless something that nobody foresaw takes accelerators away: a job that
    overruns its estimate, a stopped job, a server that goes down, free accelerators that lie scattered. Then all are
    made anew.

    ``depth`` limits reservations to the first so many jobs (0: all); they are made anew in each pass then, as Slurm's
    backfill does, and the rest waits. ``estimates`` are ``user`` (what the job says), ``predicted`` (from the user's
    last jobs) or ``exact`` (the truth).
    """

    name = "conservative"
    greedy = False

    def __init__(self, depth: int = 0, estimates: str | Estimates = "user") -> None:
        super().__init__(depth, estimates)
        self._forget()

    def _forget(self) -> None:
        self._profile: Profile | None = None
        self._capacity = self._in_use = 0.0
        self._overdue = 0.0
        """Instant (s) to which reservations are put that wait for jobs that have overrun: their end tells, no clock."""
        self.plan: dict[Job, Slot] = {}
        """Reservations of the jobs that wait."""
        self._held: dict[Job, Slot] = {}
        """What is taken for the jobs that run."""
        self._ends: list[tuple[float, int, Job]] = []
        self._fresh: dict[Job, None] = {}
        self._ended: list[Job] = []
        self._begins: list[tuple[float, int, Job]] = []

    def reset(self, rng: Any) -> None:
        """Forget the run before."""
        super().reset(rng)
        self._forget()

    def on_submit(self, job: Job) -> None:
        """Note a job that needs a reservation; one that was stopped upsets all."""
        super().on_submit(job)
        self._fresh[job] = None
        if job in self._held:
            self._profile = None

    def on_finish(self, job: Job) -> None:
        """Note what is free earlier than was thought; one that does not wait any more upsets all."""
        super().on_finish(job)
        if job in self.plan:
            self._profile = None
        self._ended.append(job)
        self._fresh.pop(job, None)

    def upset(self) -> None:
        """Make all reservations anew at the next look: others have started or stopped jobs."""
        self._profile = None

    @property
    def wake(self) -> float:
        """When the next reservation begins, in seconds of the run."""
        begins = self._begins
        while begins and self.plan.get(begins[0][2], _NEVER)[0] != begins[0][0]:
            heappop(begins)
        return begins[0][0] if begins and begins[0][0] > self._overdue else math.inf

    def fill(self, view: ClusterView, order: Order) -> Iterator[Action]:
        """Start the jobs whose reservation begins now."""
        if not self.plan and view.queue.accelerators <= view.free:
            yield from self._start_all(view, order)
            return
        if self.depth or not self._holds(view):
            jobs = order.waiting(view)
            self._make(view, islice(jobs, self.depth) if self.depth else jobs)
        else:
            if self._release(view):
                self._move_up(view, order)
            self._reserve_fresh(view, order)
        yield from self._start(view)

    def _start_all(self, view: ClusterView, order: Order) -> Iterator[Action]:
        """Start all that wait, where all fit at once and nothing is promised: there is nothing to plan."""
        self._profile = None
        self._fresh.clear()
        self._ended.clear()
        for job in order.waiting(view):
            placement = view.place(job)
            if placement is not None:
                yield Start(job, placement)

    def _holds(self, view: ClusterView) -> bool:
        """Whether the profile is still what it says."""
        if self._profile is None:
            return False
        ends, now = self._ends, view.now
        while ends and ends[0][0] <= now:
            _, _, job = heappop(ends)
            if job.state is State.RUNNING:
                return False
        for job in self._ended:
            self._in_use -= self._held[job][2] if job in self._held else 0.0
        nodes = view.nodes
        return self._capacity == nodes.capacity and abs(self._in_use - nodes.used) < 1e-6

    def _make(self, view: ClusterView, jobs: Iterable[Job]) -> None:
        """Make all reservations anew, in order."""
        now = view.now
        self._capacity, self._in_use = view.nodes.capacity, view.nodes.used
        self.plan, self._held, self._ends, self._begins = {}, {}, [], []
        self._fresh.clear()
        self._ended.clear()
        self._overdue = math.nextafter(now, math.inf)
        ends: list[float] = []
        sizes: list[float] = []
        for job in self.estimates.soonest(view):
            end = max(now + self.estimates.remaining(view, job), self._overdue)
            size = job.held or job.accelerators
            ends.append(end)
            sizes.append(size)
            self._hold(job, (now, end, size))
        self._profile = Profile(now, self._capacity - self._in_use, ends, sizes)
        for job in jobs:
            self._reserve(job, now)

    def _hold(self, job: Job, slot: Slot) -> None:
        self._held[job] = slot
        heappush(self._ends, (slot[1], job.sequence, job))

    def _reserve(self, job: Job, now: float, before: float = math.nan) -> None:
        """Reserve the first gap that holds a job, whose reservation began at ``before`` if it had one."""
        assert self._profile is not None
        length = self.estimates.of(job)
        begin = self._profile.earliest(job.accelerators, length, now)
        slot = (begin, begin + length, job.accelerators)
        if begin < math.inf:
            self._profile.take(*slot)
        self.plan[job] = slot
        if begin != before:
            heappush(self._begins, (begin, job.sequence, job))

    def _release(self, view: ClusterView) -> bool:
        """Give back what jobs that ended held for longer; return whether there was any."""
        assert self._profile is not None
        self._profile.forget(view.now)
        early = False
        for job in self._ended:
            slot = self._held.pop(job, None)
            if slot is not None and slot[1] > view.now:
                self._profile.give(view.now, slot[1], slot[2])
                early = True
        self._ended.clear()
        return early

    def _move_up(self, view: ClusterView, order: Order) -> None:
        """Let every reservation begin as early as it can, in order."""
        assert self._profile is not None
        now = view.now
        for job in order.waiting(view):
            slot = self.plan.get(job)
            if slot is None or slot[0] <= now:
                continue
            if slot[0] < math.inf:
                self._profile.give(*slot)
            self._reserve(job, now, slot[0])

    def _reserve_fresh(self, view: ClusterView, order: Order) -> None:
        fresh = self._fresh
        jobs = fresh if len(fresh) < 2 else [job for job in order.waiting(view) if job in fresh]
        for job in jobs:
            self._reserve(job, view.now)
        fresh.clear()

    def _start(self, view: ClusterView) -> Iterator[Action]:
        begins, now = self._begins, view.now
        while begins and begins[0][0] <= now:
            begin, _, job = heappop(begins)
            slot = self.plan.get(job)
            if slot is None or slot[0] != begin:
                continue
            placement = view.place(job)
            if placement is None:
                self._profile = None  # free, but not together: it is first in line at the next pass, when something
                self._overdue = math.inf  # has happened; to wake for those behind it would only move them on
                continue
            del self.plan[job]
            self._hold(job, slot)
            self._in_use += slot[2]
            yield Start(job, placement)
