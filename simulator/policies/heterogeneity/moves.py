"""From who should run on which type to the actions that bring it about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simulator.policies.api import Action, Migrate, Preempt, Start
from simulator.policies.heterogeneity.fleet import Fleet
from simulator.workload.jobs import Job, State

MOMENT = 1e-3
"""Seconds that a job waits which had to make room for others that change places with it: it starts in the next pass."""


class Moves:
    """Stops, moves and starts jobs, and remembers those that have been chosen and could not start yet."""

    def __init__(self) -> None:
        self._wanted: dict[Job, int] = {}
        self._stopped: dict[Job, None] = {}
        """Jobs stopped in this pass, which can start from the next one on."""

    def new_pass(self) -> None:
        """Jobs that were stopped in the last pass may start again."""
        self._stopped.clear()

    def waits(self, job: Job) -> bool:
        """Whether a job waits and may start in this pass."""
        return job.state is State.QUEUED and job not in self._stopped

    def held_back(self) -> bool:
        """Whether chosen jobs were stopped in this pass, so that they can start in the next one at the earliest."""
        return any(job in self._stopped for job in self._wanted)

    def carry_out(self, fleet: Fleet, jobs: Sequence[Job], kinds: Sequence[int]) -> Iterator[Action]:
        """Bring each job to its type (index), or stop it (-1); one that is there already keeps its accelerators."""
        self._wanted = {}
        movers: list[tuple[Job, int]] = []
        for job, after in zip(jobs, kinds, strict=True):
            before = fleet.kind(job)
            if after == before:
                continue
            if after < 0:
                yield self._stop(job)
            elif before < 0:
                self._wanted[job] = after
            else:
                movers.append((job, after))
        yield from self._move(fleet, movers)
        yield from self.start(fleet)

    def _move(self, fleet: Fleet, movers: list[tuple[Job, int]]) -> Iterator[Action]:
        """Move jobs to other types; where they wait for each other in a circle, one of them steps aside."""
        movers.sort(key=lambda mover: -mover[0].accelerators)
        free = fleet.free().tolist()
        while movers:
            stuck = []
            for job, kind in movers:
                place = fleet.place(job, kind) if free[kind] >= min(1.0, job.accelerators) else None
                if place is None:
                    stuck.append((job, kind))
                    continue
                free[kind] -= job.accelerators
                free[fleet.kind(job)] += job.accelerators
                yield Migrate(job, place)
            if len(stuck) == len(movers):
                job, kind = stuck.pop()
                self._wanted[job] = kind
                free[fleet.kind(job)] += job.accelerators
                yield self._stop(job)
            movers = stuck

    def _stop(self, job: Job) -> Preempt:
        self._stopped[job] = None
        return Preempt(job)

    def start(self, fleet: Fleet) -> Iterator[Action]:
        """Start chosen jobs that wait, the largest gangs first."""
        for job, kind in sorted(self._wanted.items(), key=lambda item: -item[0].accelerators):
            if not self.waits(job):
                continue
            place = fleet.place(job, kind)
            if place is not None:
                del self._wanted[job]
                yield Start(job, place)

    def forget(self, job: Job) -> None:
        """Drop what is kept of a job that is gone."""
        self._wanted.pop(job, None)
