"""Slow machines: a gang goes at the pace of the slowest server that it is on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, Protocol

from simulator.runtime.pattern import Pattern
from simulator.workload.jobs import Job


class Mover(Protocol):
    """What a motion can do about it."""

    def settle(self, job: Job) -> None:
        """Bring the counters of a moving job up to now."""

    def set_pace(self, job: Job, pace: float) -> None:
        """Let a moving job that is on no link go on at another pace; leave others alone."""

    def reroute(self, job: Job, pattern: Callable[[], Pattern]) -> None:
        """Let a job that is on links go on with another pattern; leave others alone."""


class _Drag(NamedTuple):
    """As of when a job is slowed: its work (s) then, behind it and in all, and what each second of work adds."""

    work: float
    done: float
    extra: float


class Drags:
    """Slows the computing of gangs on slow servers; ``paces`` are those below 1, by server.

    A job that communicates computes slower and sends as before; any other moves at the pace. The time that this adds to
    a job that communicates goes on ``job.dragged``, so that it is not taken for time on the network.
    """

    def __init__(self, motion: Mover, pattern: Callable[[Job], Pattern]) -> None:
        self._motion, self._pattern = motion, pattern
        self.paces: dict[int, float] = {}
        self._dragged: dict[Job, _Drag] = {}

    def pace(self, job: Job) -> float:
        """Pace of the slowest server that a job is on; 1 for one that is on none."""
        return min((self.paces.get(server, 1.0) for server, _ in job.placement), default=1.0)

    def pattern(self, job: Job) -> Pattern:
        """The iteration of a job at its placement, on machines as they are now."""
        return slowed(self._pattern(job), self.pace(job))

    def went(self, job: Job) -> None:
        """A moving job has come to a stand: count its work as on machines that are not slow."""
        drag = self._dragged.pop(job, None)
        if drag is None:
            return
        self._count(job, drag)
        if drag.work != job.work and job.work > 0:
            job.done *= drag.work / job.work
            job.work = drag.work
        job.pace = 1.0

    def came(self, job: Job, pattern: Pattern | None) -> None:
        """A job has begun to move, at full pace: slow it if a server is slow; ``pattern`` is its own."""
        pace = self.pace(job)
        if pace >= 1.0 or job.life is not None or (pattern is not None and not pattern.base > 0):
            return
        work = job.work
        self._motion.set_pace(job, pace if pattern is None else pattern.base / slowed(pattern, pace).base)
        if pattern is not None and pattern.bursts:
            self._motion.reroute(job, lambda: self.pattern(job))
        self._motion.settle(job)
        self._dragged[job] = _Drag(work, job.done, _extra(job, work, pattern))

    def changed(self, job: Job, pattern: Pattern | None) -> None:
        """The ways of a dragged job, or the machines of a moving one, have changed: go on with both as they are."""
        self._motion.settle(job)
        drag = self._dragged.pop(job, None)
        if drag is not None:
            self._count(job, drag)
            self._motion.set_pace(job, 1.0)
            if pattern is not None and pattern.bursts:
                self._motion.reroute(job, lambda: self._pattern(job))
        self.came(job, pattern)

    def slows(self, job: Job) -> bool:
        """Whether a job is slowed now."""
        return job in self._dragged

    def _count(self, job: Job, drag: _Drag) -> None:
        job.dragged += max(0.0, job.done - drag.done) * drag.extra


def slowed(pattern: Pattern, pace: float) -> Pattern:
    """Return the iteration with its computing drawn out by a pace below 1; bursts hide behind more computing then.

    >>> slowed(Pattern(3.0, inside=1.0), 0.5).base
    7.0
    """
    if pace >= 1.0:
        return pattern
    bursts = tuple(replace(burst, hidden=burst.hidden / pace) for burst in pattern.bursts)
    made = replace(pattern, compute=pattern.compute / pace, bursts=bursts, given=None)
    if pattern.given is None or not pattern.base > 0:
        return made
    return replace(made, given=pattern.given * made.base / pattern.base)


def _extra(job: Job, work: float, pattern: Pattern | None) -> float:
    """Seconds that slow machines add to each second of work as a slowed job counts it."""
    if pattern is None:
        return 0.0
    if job.work == work:
        return 1.0 / job.pace - 1.0 if job.pace > 0 else 0.0
    return max(0.0, (job.work - work) / job.work) if job.work > 0 else 0.0
