"""Why jobs wait: the account of their time in the queue, by reason, at a constant price a pass.

Between two passes a waiting job is in one of these situations: too few accelerators are free for it (``capacity``);
enough are, but the placement found no place when the policy asked (``fragmentation``: scattered, of another type, or
without the cores and memory); the policy says why it holds the job back (``policy``); or others go first (``order``).
Time before a job may start at all (its begin, its dependencies, its array) is ``held``.

All jobs of one size are in the same of the situations that depend on what is free, so there is a clock for each size
and not for each job: a job notes what the clock shows when it comes, and takes the difference when it goes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

from simulator.core.clock import Clock
from simulator.workload.jobs import Job, State

_QUEUED = State.QUEUED
CAPACITY, FRAGMENTATION, ORDER = 0, 1, 2
Shown = tuple[float, float, float]


class _SizeClock:
    """How long jobs of one size have been in each situation, in seconds, as of ``since``."""

    __slots__ = ("count", "seconds", "since", "situation")

    def __init__(self, now: float) -> None:
        self.count = 0
        self.seconds = [0.0, 0.0, 0.0]
        self.since, self.situation = now, ORDER

    def turn(self, now: float, situation: int) -> None:
        self.seconds[self.situation] += now - self.since
        self.since, self.situation = now, situation

    def show(self, now: float) -> Shown:
        capacity, fragmentation, order = self.seconds
        elapsed = now - self.since
        if self.situation == CAPACITY:
            return capacity + elapsed, fragmentation, order
        if self.situation == FRAGMENTATION:
            return capacity, fragmentation + elapsed, order
        return capacity, fragmentation, order + elapsed


class Reasons:
    """The time that jobs wait, by reason; ``holds`` are job-seconds by what the policy said."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sizes: list[float] = []
        self._clocks: dict[float, _SizeClock] = {}
        self._came: dict[Job, Shown] = {}
        self._fresh: list[Job] = []
        self.enter = self._fresh.append
        """A job comes into the queue; most leave it in the very pass that follows, and are no work."""
        self._held_back: dict[Job, tuple[float, str]] = {}
        self._free = 0.0
        self._failed: dict[float, None] = {}
        self._stuck: dict[float, None] = {}
        self.holds: dict[str, float] = {}
        self.stranded = 0.0
        """Accelerator-seconds that were free while a job that asks for no more had no place."""
        self._stranded_since = 0.0

    def _begin(self, job: Job) -> None:
        now, size = self._clock.now, job.accelerators
        clock = self._clocks.get(size)
        if clock is None:
            clock = self._clocks[size] = _SizeClock(now)
        if not clock.count:
            insort(self._sizes, size)
            clock.turn(now, CAPACITY if size > self._free else ORDER)
        clock.count += 1
        self._came[job] = clock.show(now)

    def leave(self, job: Job) -> None:
        """A job stops waiting; its account is brought up to now."""
        if job not in self._came:
            return
        now, size = self._clock.now, job.accelerators
        clock = self._clocks[size]
        self._settle(job, clock, now)
        clock.count -= 1
        if not clock.count:
            del self._sizes[bisect_left(self._sizes, size)]
            if self._stuck:
                self._strand(now)
                self._stuck.pop(size, None)

    def hold(self, job: Job, reason: str) -> None:
        """The policy says why it holds a job back, from now on; an empty reason takes that back."""
        if job not in self._came:
            self._begin(job)
        now = self._clock.now
        before = self._held_back.get(job)
        if before is None or before[1] != reason:
            clock = self._clocks[job.accelerators]
            self._settle(job, clock, now)
            self._came[job] = clock.show(now)
            if reason:
                self._held_back[job] = (now, reason)

    def failed(self, size: float) -> None:
        """The placement found no place for a job of a size that is free."""
        self._failed[size] = None

    def passed(self, free: float) -> None:
        """A pass is over, and ``free`` accelerators are left."""
        now, sizes = self._clock.now, self._sizes
        if self._fresh:
            for job in self._fresh:
                if job.state is _QUEUED and job not in self._came:
                    self._begin(job)
            self._fresh.clear()
        if self._stuck:
            self._strand(now)
        self._stranded_since = now
        if not sizes:
            self._free = free
        elif free != self._free:
            low, high = (free, self._free) if free < self._free else (self._free, free)
            for size in sizes[bisect_right(sizes, low) : bisect_right(sizes, high)]:
                self._clocks[size].turn(now, CAPACITY if size > free else ORDER)
                if size > free:
                    self._stuck.pop(size, None)
            self._free = free
        if self._failed:
            for size in self._failed:
                clock = self._clocks.get(size)
                if clock is not None and clock.count and size <= free:
                    if clock.situation != FRAGMENTATION:
                        clock.turn(now, FRAGMENTATION)
                    self._stuck[size] = None
            self._failed.clear()

    def _strand(self, now: float) -> None:
        """Count what has been free, since the last count, beside a job without a place."""
        self.stranded += self._free * (now - self._stranded_since)
        self._stranded_since = now

    def close(self, now: float) -> None:
        """Bring what is still waiting, and what is stranded, up to ``now``, the end of the run."""
        for job in self._fresh:
            if job.state is State.QUEUED and job not in self._came:
                self._begin(job)
        if self._stuck:
            self._strand(max(now, self._stranded_since))
        for job in tuple(self._came):
            self._settle(job, self._clocks[job.accelerators], now)

    def _settle(self, job: Job, clock: _SizeClock, now: float) -> None:
        came = self._came.pop(job)
        held = self._held_back.pop(job, None) if self._held_back else None
        if held is not None:
            since, reason = held
            self.holds[reason] = self.holds.get(reason, 0.0) + now - since
            job.waits = job.waits.plus(policy=now - since)
            return
        shown = clock.show(now)
        if shown != came:
            job.waits = job.waits.plus(shown[0] - came[0], shown[1] - came[1], shown[2] - came[2])
