"""The life of a gang: start, move, stop for others, end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from simulator.cluster.allocation import Allocator
from simulator.core.clock import Clock
from simulator.core.timer import Deadlines
from simulator.runtime.drags import Drags
from simulator.runtime.neighbours import Neighbours
from simulator.runtime.pattern import Pattern
from simulator.runtime.progress import fraction_of, lose_since_checkpoint, repace
from simulator.runtime.savers import Account, NoSaver, Saver
from simulator.runtime.slots import Slots
from simulator.workload.jobs import BatchJob, Job, Placement, State


class Motion(Protocol):
    """Moves jobs on the clock, and keeps ``since``, ``ran``, ``done``, ``overhead`` and ``restarting`` of each."""

    def begin(self, job: Job, pattern: Pattern | None) -> None:
        """Let a job move; without a pattern it does not communicate, and moves at its ``pace``."""

    def end(self, job: Job) -> None:
        """Stop moving a job."""

    def settle(self, job: Job) -> None:
        """Bring the counters of a moving job up to now."""

    def set_pace(self, job: Job, pace: float) -> None:
        """Let a moving job that does not communicate go on at another pace."""

    def reroute(self, job: Job, pattern: Callable[[], Pattern]) -> None:
        """Let a job go on with the ways through the network that ``pattern()`` finds once its traffic is off it."""


class Patterns(Protocol):
    """Tells what a job does on the accelerators that it was given."""

    def __call__(self, job: Job) -> Pattern:
        """Return the iteration of a job at its placement."""
        ...


class Gangs:
    """Runs jobs on the accelerators they were given, and calls ``ended(job)`` when one is through or out of time.

    ``restart`` is what a job loses, in seconds, each time it comes back after a stop or a move, unless it says so
    itself. ``motion`` makes what moves the jobs, given whom to tell when one has done all its work. ``neighbours``
    slows jobs that share an accelerator.
    """

    def __init__(
        self,
        clock: Clock,
        nodes: Allocator,
        patterns: Patterns,
        motion: Callable[[Callable[[Job], None]], Motion],
        restart: float,
        slots: Slots,
        neighbours: Neighbours | None = None,
    ) -> None:
        self._clock, self._nodes, self._restart, self._slots = clock, nodes, restart, slots
        self._pattern = patterns
        self._patterns: dict[Job, Pattern] = {}
        self._motion = motion(self._arrived)
        self._limits: Deadlines[Job] = Deadlines(clock, self._out_of_time)
        self._neighbours = neighbours
        if neighbours is not None:
            neighbours.set_pace = self._motion.set_pace
        self.device: Callable[[Job, int, Allocator], int] | None = None
        """The placement policy's choice of the accelerator that a share goes to."""
        self.ended: Callable[[Job], None] = _nobody
        self.drags = Drags(self._motion, patterns)
        self.saver: Saver = NoSaver()
        self._standing: dict[Job, tuple[Account, float]] = {}
        """Jobs that stand still where they are: the account that this goes on, and their speed before."""
        self._astray: dict[Job, None] = {}
        """Those of them whose ways through the network have changed meanwhile."""

    def start(self, job: Job, placement: Placement) -> None:
        """Start or resume a waiting job; raises ``ValueError`` naming the server when it does not fit there."""
        now = self._clock.now
        self._take(job, placement)
        job.waited += now - job.since
        job.since = now
        job.state = _RUNNING
        if job.start != job.start:
            job.start = now
        else:
            self._pay_restart(job)
        self._go(job)

    def stop(self, job: Job) -> None:
        """Stop a running job and take its accelerators back; the work since its last checkpoint is lost."""
        self._halt(job)
        self._release(job)
        if not self.saver.lose(job) and job.checkpoint:
            lose_since_checkpoint(job)
        job.state = _QUEUED
        job.preemptions += 1

    def lift(self, job: Job) -> Placement:
        """Take the accelerators of a running job away for a moment, and return where they were; it stands still."""
        placement = job.placement
        self._halt(job)
        self._release(job)
        return placement

    def put(self, job: Job, placement: Placement, moved: bool) -> None:
        """Let a job that was lifted go on; one that ``moved`` pays its restart.

        Raises ``ValueError`` naming the server when it does not fit there.
        """
        self._take(job, placement)
        if moved:
            job.moves += 1
            self._pay_restart(job)
        self._go(job)

    def _pay_restart(self, job: Job) -> None:
        job.restarting = (self._restart if job.restart < 0 else job.restart) + self.saver.load(job)

    def settle(self, job: Job) -> None:
        """Bring the counters of a running job up to now."""
        if job in self._standing:
            self._stand(job)
        else:
            self._motion.settle(job)

    def pause(self, job: Job, account: Account) -> None:
        """Let a running job stand still on its accelerators until ``resume``, and count the time on ``account``.

        One that stands still already goes on doing so, on the new account.
        """
        if job in self._standing:
            self._stand(job)
            speed = self._standing[job][1]
        else:
            self._motion.end(job)
            self.drags.went(job)
            speed, job.speed = job.speed, 0.0
        if account == "hung":
            self.saver.halted(job)
        self._standing[job] = (account, speed)

    def resume(self, job: Job) -> None:
        """Let a job that stood still go on; one that does not stand still is left alone."""
        if job in self._standing:
            self._stand(job)
            account, _ = self._standing.pop(job)
            pattern = self._patterns.get(job)
            self._motion.begin(job, pattern)
            if job in self._astray:
                del self._astray[job]
                self._motion.reroute(job, partial(self._pattern, job))
            if self.drags.paces:
                self.drags.came(job, pattern)
            if account == "hung" and job.saving is not None:
                self.saver.began(job)

    def stands(self, job: Job) -> bool:
        """Whether a running job stands still."""
        return job in self._standing

    def slow(self, server: int, pace: float, jobs: Iterable[Job]) -> None:
        """Let a server compute at ``pace``, 1 for as fast as it can; ``jobs`` are those that run."""
        paces = self.drags.paces
        if pace < 1.0:
            paces[server] = pace
        else:
            paces.pop(server, None)
        for job in jobs:
            on_it = any(server == other for other, _ in job.placement)
            if on_it and job.life is None and job not in self._standing:
                self.drags.changed(job, self._patterns.get(job))

    def _stand(self, job: Job) -> None:
        """Count the time for which a job has stood still."""
        now, account = self._clock.now, self._standing[job][0]
        elapsed = now - job.since
        job.since = now
        job.ran += elapsed
        setattr(job, account, getattr(job, account) + elapsed)

    def share(self, job: Job, seconds: float, held: float) -> None:
        """Let a job run as a fluid on ``held`` accelerators, ``seconds`` for all of it; infinite: let it wait."""
        now = self._clock.now
        if job.state is State.RUNNING:
            self._halt(job)
            self._count(job)
        else:
            job.waited += now - job.since
            job.since = now
            job.start = now if job.start != job.start else job.start
        job.service_since, job.held = job.ran, held
        if seconds == math.inf:
            job.state = State.QUEUED
            return
        fraction, job.given = fraction_of(job, job.done), None
        job.work, job.done = seconds, fraction * seconds
        job.state = State.RUNNING
        self._begin(job, None)

    def finish(self, job: Job) -> None:
        """End a running job that runs until it is told to stop."""
        self.settle(job)
        job.work = job.done
        self._arrived(job)

    def _arrived(self, job: Job) -> None:
        """End a job that has done all its work."""
        self._halt(job)
        self._release(job)
        if self._patterns:
            pattern = self._patterns.get(job)
            job.work = pattern.work if pattern else job.work  # not by the detours of links that were down
        job.done = job.work
        job.end = self._clock.now
        job.state = _COMPLETED
        self.ended(job)

    def _out_of_time(self, job: Job) -> None:
        """Kill a job at its limit, unless it is through at this very instant."""
        self.settle(job)
        if job.done >= job.work * (1 - _ROUNDING):
            return
        self._halt(job)
        self._release(job)
        job.end = self._clock.now
        job.state = State.TIMEOUT
        self.ended(job)

    def forget(self, job: Job) -> float | None:
        """Drop what is kept about a job; return the share of its work that was exposed communication, if it has any."""
        self.saver.forget(job)
        pattern = self._patterns.pop(job, None) if self._patterns else None
        return pattern.share if pattern else None

    def reroute(self) -> None:
        """The ways through the network have changed: let every running job that communicates take the new ones."""
        for job in [job for job in self._patterns if job.state is State.RUNNING]:
            if job in self._standing:
                self._astray[job] = None
            elif self.drags.slows(job):
                self.drags.changed(job, self._patterns[job])
            else:
                self._motion.reroute(job, partial(self._pattern, job))

    def _go(self, job: Job) -> None:
        """Let a job that has its accelerators move."""
        if job.speedup is not None:
            repace(job, self._nodes)
            if job.work == math.inf:
                raise ValueError(f"it makes no progress on {_told(job)}")
        if job.life is not None:
            job.work = math.inf
            self._begin(job, None)
            job.life.began()
            return
        if type(job) is not BatchJob or job.communication:
            self._connect(job)
            return
        if job.speedup is None:
            job.work = job.duration
        self._begin(job, None)
        if self._neighbours is not None:
            self._neighbours.came(job)

    def _begin(self, job: Job, pattern: Pattern | None) -> None:
        if job.limit < _NEVER:
            self._limits.set(job, self._clock.now + max(0.0, job.limit - job.ran))
        self._motion.begin(job, pattern)
        if self.drags.paces:
            self.drags.came(job, pattern)
        if job.saving is not None:
            self.saver.began(job)

    def _halt(self, job: Job) -> None:
        """Let a running job stand still, with its counters up to now."""
        if job.life is not None:
            job.life.halted()
        if job in self._standing:
            self._stand(job)
            _, job.speed = self._standing.pop(job)
            self._astray.pop(job, None)
        else:
            self._motion.end(job)
            self.drags.went(job)
        self.saver.halted(job)
        if job.limit < _NEVER:
            self._limits.clear(job)
        if self._neighbours is not None:
            self._neighbours.went(job)

    def _connect(self, job: Job) -> None:
        pattern = self._patterns[job] = self._pattern(job)
        before, job.work = job.work, pattern.work
        if 0 < before < math.inf:
            job.done *= job.work / before
        self._begin(job, pattern)

    def _take(self, job: Job, placement: Placement) -> None:
        self._take_from_servers(job, placement)
        if self._slots.numbered:
            self._slots.take(job)
        if job.maximum or job.minimum:
            job.held = sum([taken for _, taken in placement])
            job.service_since = job.ran
        else:
            job.held = job.accelerators

    def _take_from_servers(self, job: Job, placement: Placement) -> None:
        nodes = self._nodes
        if len(placement) == 1:
            server, taken = placement[0]
            chosen = self.device(job, server, nodes) if self.device is not None and 0 < taken < 1 else -1
            job.devices = (nodes.take(server, taken, *_part(job, taken), chosen),)
            job.placement = placement
            return
        devices: list[int] = []
        try:
            for server, taken in placement:
                devices.append(nodes.take(server, taken, *_part(job, taken)))
        except ValueError:
            for (server, taken), device in zip(placement, devices, strict=False):
                nodes.give(server, taken, *_part(job, taken), device)
            raise
        job.placement, job.devices = placement, tuple(devices)

    def _release(self, job: Job) -> None:
        if job.service_since >= 0:
            self._count(job)
        job.held_last, job.held = job.held, 0.0
        placement = job.placement
        if not placement:
            return
        if self._slots.numbered:
            self._slots.give(job)
        if len(placement) == 1 and placement[0][1] == job.accelerators:
            self._nodes.give(*placement[0], job.cores, job.memory, job.devices[0])
            return
        for (server, taken), device in zip(placement, job.devices, strict=True):
            self._nodes.give(server, taken, *_part(job, taken), device)

    def _count(self, job: Job) -> None:
        """Put the accelerator-seconds since the last change of what a job holds on its account."""
        job.service += job.held * (job.ran - job.service_since)
        job.service_since = job.ran


_QUEUED, _RUNNING, _COMPLETED = State.QUEUED, State.RUNNING, State.COMPLETED
"""To look up a member of an enumeration costs more than a call."""
_NEVER = math.inf
_ROUNDING = 1e-9
"""Relative: work that is as near to done is done."""


def _told(job: Job) -> str:
    """What a job runs on, in words."""
    assert job.given is not None
    count, servers, kind = job.given
    return f"{count:g} accelerators{f' {kind!r}' * bool(kind)} over {servers} server{'s' * (servers > 1)}"


def _part(job: Job, taken: float) -> tuple[float, float]:
    """Cores and memory (bytes) that go with ``taken`` of the job's accelerators: exactly all of them with all."""
    if taken == job.accelerators:
        return job.cores, job.memory
    return job.cores * taken / job.accelerators, job.memory * taken / job.accelerators


def _nobody(job: Job) -> None:
    """Nobody wants to know yet."""
