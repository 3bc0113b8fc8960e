"""The life of a gang: start, move, stop for others, end."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Protocol

from simulator.cluster.allocation import Allocator
from simulator.core.clock import Clock
from simulator.runtime.pattern import Pattern
from simulator.runtime.slots import Slots
from simulator.workload.jobs import BatchJob, Job, Placement, State


class Motion(Protocol):
    """Moves jobs on the clock, and keeps ``since``, ``ran``, ``done``, ``overhead`` and ``restarting`` of each."""

    def begin(self, job: Job, pattern: Pattern | None) -> None:
        """Let a job move; without a pattern it does not communicate."""

    def end(self, job: Job) -> None:
        """Stop moving a job."""

    def settle(self, job: Job) -> None:
        """Bring the counters of a moving job up to now."""

    def reroute(self, job: Job, pattern: Callable[[], Pattern]) -> None:
        """Let a job go on with the ways through the network that ``pattern()`` finds once its traffic is off it."""


class Patterns(Protocol):
    """Tells what a job does on the accelerators that it was given."""

    def __call__(self, job: Job) -> Pattern:
        """Return the iteration of a job at its placement."""
        ...


class Gangs:
    """Runs jobs on the accelerators they were given, and calls ``ended(job)`` when one is through.

    ``restart`` is what a job loses, in seconds, each time it comes back after a preemption. ``motion`` makes what moves
    the jobs, given whom to tell when one has done all its work.
    """

    def __init__(
        self,
        clock: Clock,
        nodes: Allocator,
        patterns: Patterns,
        motion: Callable[[Callable[[Job], None]], Motion],
        restart: float,
        slots: Slots,
    ) -> None:
        self._clock, self._nodes, self._restart, self._slots = clock, nodes, restart, slots
        self._pattern = patterns
        self._patterns: dict[Job, Pattern] = {}
        self._motion = motion(self._arrived)
        self.ended: Callable[[Job], None] = _nobody

    def start(self, job: Job, placement: Placement) -> None:
        """Start or resume a queued job; raises ``ValueError`` naming the server when it does not fit there."""
        now = self._clock.now
        self._take(job, placement)
        self._slots.take(job)
        job.waited += now - job.since
        job.since = now
        job.state = State.RUNNING
        if job.start != job.start:
            job.start = now
        else:
            job.restarting = self._restart
        if type(job) is BatchJob and not job.communication:
            job.work = job.duration
            self._motion.begin(job, None)
        else:
            self._connect(job)

    def stop(self, job: Job) -> None:
        """Stop a running job and take its accelerators back; its finished work is kept."""
        self._motion.end(job)
        self._release(job)
        job.state = State.QUEUED
        job.preemptions += 1

    def settle(self, job: Job) -> None:
        """Bring the counters of a running job up to now."""
        self._motion.settle(job)

    def _arrived(self, job: Job) -> None:
        """End a job that has done all its work."""
        self._motion.end(job)
        self._release(job)
        pattern = self._patterns.get(job)
        job.work = job.done = pattern.work if pattern else job.work  # not by the detours of links that were down
        job.end = self._clock.now
        job.state = State.COMPLETED
        self.ended(job)

    def forget(self, job: Job) -> float | None:
        """Drop what is kept about a job; return the share of its work that was exposed communication, if it has any."""
        pattern = self._patterns.pop(job, None)
        return pattern.share if pattern else None

    def reroute(self) -> None:
        """The ways through the network have changed: let every running job that communicates take the new ones."""
        for job in [job for job in self._patterns if job.state is State.RUNNING]:
            self._motion.reroute(job, partial(self._pattern, job))

    def _connect(self, job: Job) -> None:
        pattern = self._patterns[job] = self._pattern(job)
        before, job.work = job.work, pattern.work
        if 0 < before < math.inf:
            job.done *= job.work / before
        self._motion.begin(job, pattern)

    def _take(self, job: Job, placement: Placement) -> None:
        if len(placement) == 1:
            server, taken = placement[0]
            job.devices = (self._nodes.take(server, taken, job.cores, job.memory),)
            job.placement = placement
            return
        devices: list[int] = []
        try:
            for server, taken in placement:
                devices.append(self._nodes.take(server, taken, *_part(job, taken)))
        except ValueError:
            for (server, taken), device in zip(placement, devices, strict=False):
                self._nodes.give(server, taken, *_part(job, taken), device)
            raise
        job.placement, job.devices = placement, tuple(devices)

    def _release(self, job: Job) -> None:
        self._slots.give(job)
        if len(job.placement) == 1:
            server, taken = job.placement[0]
            self._nodes.give(server, taken, job.cores, job.memory, job.devices[0])
            return
        for (server, taken), device in zip(job.placement, job.devices, strict=True):
            self._nodes.give(server, taken, *_part(job, taken), device)


def _part(job: Job, taken: float) -> tuple[float, float]:
    """Cores and memory (bytes) that go with ``taken`` of the job's accelerators."""
    return job.cores * taken / job.accelerators, job.memory * taken / job.accelerators


def _nobody(job: Job) -> None:
    """Nobody wants to know yet."""
