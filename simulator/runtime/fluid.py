"""Gangs at steady rates: what a job's collectives get of the network tells how fast it moves, until the jobs change."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from simulator.core.clock import Clock
from simulator.core.timer import Deadlines
from simulator.runtime.crowd import Crowd, PhasedStream
from simulator.runtime.fabric import Stream
from simulator.runtime.pattern import Pattern
from simulator.runtime.progress import elapse, rework
from simulator.workload.jobs import Job


class Fluid:
    """Moves jobs at ``job.speed`` seconds of work (as if alone) per second; calls ``arrived(job)`` at the end of one.

    A job that communicates is one stream on the network. With ``interleaved`` the stream counts for the share of the
    time that it is on (see ``models.contention``); without, as if it were always on, which is exact for jobs in step
    and an upper bound of the slowdown for others. ``crowd`` None: traffic takes its time and shares nothing.
    """

    def __init__(self, clock: Clock, crowd: Crowd | None, arrived: Callable[[Job], None], interleaved: bool) -> None:
        self._clock, self._crowd, self._interleaved = clock, crowd, interleaved
        self._ends: Deadlines[Job] = Deadlines(clock, arrived)
        self._members: dict[Job, tuple[PhasedStream, Pattern]] = {}

    def begin(self, job: Job, pattern: Pattern | None) -> None:
        """Let a job move; ``job.done`` of ``job.work`` is behind it."""
        job.speed = job.pace
        if pattern is not None and pattern.bursts and self._crowd is not None:
            job.speed = 0.0  # until the fabric gives a rate, at the end of this instant
            self._join(job, pattern)
            self._retime(job)
        elif job.speed == 1.0:  # alone, as most jobs are
            self._ends.set(job, max(job.since + job.restarting + (job.work - job.done), job.since))
        else:
            self._retime(job)

    def end(self, job: Job) -> None:
        """Stop moving a job."""
        self.settle(job)
        self._ends.clear(job)
        if self._members:
            self._leave(job)

    def settle(self, job: Job) -> None:
        """Bring the counters of a moving job up to now."""
        if job.restarting > 0:
            job.done += elapse(job, self._clock.now) * job.speed
            return
        now = self._clock.now
        elapsed = now - job.since
        job.since = now
        job.ran += elapsed
        job.done += elapsed * job.speed

    def set_pace(self, job: Job, pace: float) -> None:
        """Let a moving job that does not communicate go on at ``pace``."""
        if job not in self._members:
            self.settle(job)
            job.speed = job.pace = pace
            self._retime(job)

    def reroute(self, job: Job, pattern: Callable[[], Pattern]) -> None:
        """Let a job go on with the ways through the network that ``pattern()`` finds once its traffic is off it."""
        if job not in self._members:
            return
        before = self._members[job][1]
        self.settle(job)
        self._leave(job)
        after = pattern()
        rework(job, before, after)
        job.speed = 0.0
        self._join(job, after)
        self._retime(job)

    def _join(self, job: Job, pattern: Pattern) -> None:
        assert self._crowd is not None
        usage = pattern.usage
        stream = Stream(tuple(usage), tuple(usage.values()), 1.0, pattern.limit, partial(self._changed, job))
        duty = pattern.duty() if self._interleaved else None
        self._members[job] = (self._crowd.join(stream, duty), pattern)

    def _leave(self, job: Job) -> None:
        member, _ = self._members.pop(job, (None, None))
        if member is not None and self._crowd is not None:
            self._crowd.leave(member)

    def _changed(self, job: Job) -> None:
        member, pattern = self._members[job]
        stretch = pattern.pace / member.pace if member.pace > 0 else math.inf
        if abs(stretch - 1.0) < _ROUNDING:
            stretch = 1.0
        if self._interleaved and self._crowd is not None:
            self._crowd.set_duty(member, pattern.duty(stretch))
        speed = _speed(pattern, stretch)
        if speed != job.speed:
            self.settle(job)
            job.speed = speed
            self._retime(job)

    def _retime(self, job: Job) -> None:
        left = job.work - job.done
        end = job.since + job.restarting + left / job.speed if job.speed > 0 else math.inf
        self._ends.set(job, max(end, job.since))


_ROUNDING = 1e-12
"""Relative: how near to 1 a stretch is one."""


def _speed(pattern: Pattern, stretch: float) -> float:
    now = pattern.time(stretch)
    if now == 0:
        return 1.0
    return pattern.base / now if max(pattern.base, now) < math.inf else 0.0
