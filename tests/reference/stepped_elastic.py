"""Elastic jobs on two types of accelerators, second by second, in exact fractions: nothing of the engine.

What is asked for comes from a list of orders, one second after the other; those that are legal at that moment are
carried out and written down, so that the engine can be given the very same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

TYPES = ("a", "b")
Parts = tuple[int, int]
"""Accelerators of type a, and of type b."""
Order = tuple[str, int, Parts]
"""What to do (start, stop, move), the number of a job, and where."""


@dataclass
class Job:
    """A gang of ``minimum`` to ``maximum`` accelerators; ``pace`` by type and count, slowest type counts."""

    submit: int
    duration: int
    minimum: int
    maximum: int
    pace: dict[tuple[str, int], Fraction]
    restart: int = 0
    limit: float = math.inf
    checkpoint: float = 0

    state: str = "pending"
    start: Fraction | None = None
    end: Fraction | None = None
    waited: int = 0
    ran: Fraction = Fraction(0)
    overhead: int = 0
    lost: Fraction = Fraction(0)
    service: Fraction = Fraction(0)
    fraction: Fraction = Fraction(0)
    restarting: int = 0
    stops: int = 0
    moves: int = 0
    parts: Parts = (0, 0)

    @property
    def seconds(self) -> Fraction:
        """What all of the job takes on what it has."""
        kinds = [kind for kind, count in zip(TYPES, self.parts, strict=True) if count]
        return max(self.duration / self.pace[kind, sum(self.parts)] for kind in kinds)


@dataclass
class Cluster:
    """Two servers, one of each type."""

    size: Parts
    jobs: list[Job]
    now: int = 0
    script: list[tuple[int, Order]] = field(default_factory=list)

    def free(self, but: Job | None = None) -> list[int]:
        running = [job for job in self.jobs if job.state == "running" and job is not but]
        return [total - sum(job.parts[kind] for job in running) for kind, total in enumerate(self.size)]

    def fits(self, job: Job, parts: Parts, moving: bool) -> bool:
        free = self.free(job if moving else None)
        return job.minimum <= sum(parts) <= job.maximum and all(p <= f for p, f in zip(parts, free, strict=True))

    def run(self, orders: list[list[Order]]) -> None:
        """Carry out one list of orders a second, and go on without until nothing runs any more."""
        while self.now < len(orders) or any(job.state == "running" for job in self.jobs):
            for job in self.jobs:
                if job.submit == self.now and job.state == "pending":
                    job.state = "queued"
            self.settle_ends()
            touched: list[int] = []
            for order in orders[self.now] if self.now < len(orders) else ():
                if order[1] not in touched and self.obey(order):
                    touched.append(order[1])
                    self.script.append((self.now, order))
            self.settle_ends()
            for job in self.jobs:
                self.second(job)
            self.now += 1

    def obey(self, order: Order) -> bool:
        what, number, parts = order
        job = self.jobs[number]
        if what == "start" and job.state == "queued" and self.fits(job, parts, moving=False):
            job.restarting = job.restart if job.start is not None else 0
            job.start = job.start if job.start is not None else Fraction(self.now)
            job.state, job.parts = "running", parts
        elif what == "stop" and job.state == "running":
            self.lose(job)
            job.state, job.parts, job.restarting = "queued", (0, 0), 0
            job.stops += 1
        elif what == "move" and job.state == "running" and parts != job.parts and self.fits(job, parts, moving=True):
            job.parts, job.restarting = parts, job.restart
            job.moves += 1
        else:
            return False
        return True

    def lose(self, job: Job) -> None:
        """Fall back to the last checkpoint."""
        if not job.checkpoint or not job.duration:
            return
        done = job.fraction * job.seconds
        kept = 0 if job.checkpoint == math.inf else done // int(job.checkpoint) * int(job.checkpoint)
        job.lost += min(job.ran - job.overhead - job.lost, done - kept)
        job.fraction = kept / job.seconds

    def settle_ends(self) -> None:
        for job in self.jobs:
            if job.state != "running":
                continue
            if not job.restarting and (job.fraction == 1 or not job.duration):
                job.state, job.end, job.parts = "completed", Fraction(self.now), (0, 0)
            elif job.ran >= job.limit:
                job.state, job.end, job.parts = "timeout", Fraction(self.now), (0, 0)

    def second(self, job: Job) -> None:
        """Let one second pass; a job may end within it."""
        if job.state == "queued":
            job.waited += 1
        if job.state != "running":
            return
        passed = Fraction(1)
        if job.restarting:
            job.restarting -= 1
            job.overhead += 1
        else:
            left = (1 - job.fraction) * job.seconds
            passed = min(passed, left)
            job.fraction = Fraction(1) if left <= 1 else job.fraction + 1 / job.seconds
        job.ran += passed
        job.service += passed * sum(job.parts)
        if passed < 1:
            job.state, job.end, job.parts = "completed", self.now + passed, (0, 0)
